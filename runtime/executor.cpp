#include "runtime/executor.h"

#include "formats/artifact/error.h"
#include "runtime/cpu/executor.h"
#include "runtime/cuda/executor.h"

namespace lathe {
namespace {

struct DeviceRow {
  Device value;
  const char* name;
  std::unique_ptr<Executor> (*make)(const Program& program, const WeightLookup& weights);
  std::string (*instruction_set)();
  size_t (*free_bytes)();
};

// An executor is a folder and a row.
constexpr EnumTable<DeviceRow, 2> kDevices = {{
    {Device::cpu, "cpu", cpu::make_executor, cpu::instruction_set, [] { return SIZE_MAX; }},
    {Device::cuda, "cuda", cuda::make_executor, cuda::instruction_set, cuda::free_bytes},
}};

}  // namespace

const char* device_name(Device device) noexcept { return kDevices[device].name; }

std::string ExecutorDescription::device_text() const {
  const std::string name = device_name(device);
  return hardware.empty() ? name : name + ": " + hardware;
}

Device choose_device(DeviceChoice choice) {
  if (choice != DeviceChoice::automatic) return choice == DeviceChoice::cuda ? Device::cuda : Device::cpu;
  try {
    kDevices[Device::cuda].instruction_set();
    return Device::cuda;
  } catch (const Error& error) {
    if (error.code() != Errc::unsupported) throw;
    return Device::cpu;
  }
}

std::unique_ptr<Executor> make_executor(Device device, const Program& program, const WeightLookup& weights) {
  return kDevices[device].make(program, weights);
}

MakeExecutor executor_maker(Device device) {
  return
      [device](const Program& program, const WeightLookup& weights) { return make_executor(device, program, weights); };
}

std::string instruction_set_of(Device device) { return kDevices[device].instruction_set(); }

size_t free_bytes_of(Device device) { return kDevices[device].free_bytes(); }

}  // namespace lathe
