#include "runtime/executor.h"

#include "formats/artifact/error.h"
#include "runtime/cpu/executor.h"
#include "runtime/cuda/executor.h"
#include "runtime/cuda/moment_sum.h"
#include "runtime/moment_sum.h"

namespace lathe {
namespace {

struct DeviceRow {
  Device value;
  std::unique_ptr<Executor> (*make)(const Program& program, const WeightLookup& weights);
  std::string (*instruction_set)();
  size_t (*free_bytes)();
  std::unique_ptr<MomentSum> (*make_moment_sum)(size_t width);  // null: none
};

// An executor is a folder and a row.
constexpr EnumTable<DeviceRow, 2> kExecutors = {{
    {Device::cpu, cpu::make_executor, cpu::instruction_set, [] { return SIZE_MAX; }, nullptr},
    {Device::cuda, cuda::make_executor, cuda::instruction_set, cuda::free_bytes, cuda::make_moment_sum},
}};

}  // namespace

std::string ExecutorDescription::device_text() const {
  const std::string name = kDevices.name(device);
  return hardware.empty() ? name : name + ": " + hardware;
}

Device choose_device(DeviceChoice choice) {
  if (choice != DeviceChoice::automatic) return choice == DeviceChoice::cuda ? Device::cuda : Device::cpu;
  try {
    kExecutors[Device::cuda].instruction_set();
    return Device::cuda;
  } catch (const Error& error) {
    if (error.code() != Errc::unsupported) throw;
    return Device::cpu;
  }
}

std::unique_ptr<Executor> make_executor(Device device, const Program& program, const WeightLookup& weights) {
  return kExecutors[device].make(program, weights);
}

void check_last_only(const RunOptions& options, bool late_outputs) {
  if (!options.last_only || late_outputs) return;
  fail(Errc::unsupported,
       "the rows of the last tokens alone are only there for outputs that come after all attention and pooling");
}

MakeExecutor executor_maker(Device device) {
  return
      [device](const Program& program, const WeightLookup& weights) { return make_executor(device, program, weights); };
}

std::string instruction_set_of(Device device) { return kExecutors[device].instruction_set(); }

MakeMomentSum moment_sum_maker(Device device) { return kExecutors[device].make_moment_sum; }

size_t free_bytes_of(Device device) { return kExecutors[device].free_bytes(); }

}  // namespace lathe
