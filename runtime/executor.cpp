#include "runtime/executor.h"

#include <array>

#include "formats/artifact/error.h"
#include "runtime/cpu/executor.h"

namespace lathe {
namespace {

struct DeviceRow {
  Device device;
  const char* name;
  // Null for a device that has no executor in this build.
  std::unique_ptr<Executor> (*make)(const Program& program, const WeightLookup& weights);
  std::string (*instruction_set)();
};

// In the order of Device. An executor is a folder and a row.
constexpr std::array kDevices = {
    DeviceRow{Device::cpu, "cpu", cpu::make_executor, cpu::instruction_set},
    DeviceRow{Device::cuda, "cuda", nullptr, nullptr},
};
static_assert(kDevices[0].device == Device::cpu && kDevices[1].device == Device::cuda);

const DeviceRow& row_of(Device device) { return kDevices[static_cast<size_t>(device)]; }

std::string names_of(bool runnable_only) {
  std::string names;
  for (const DeviceRow& row : kDevices) {
    if (runnable_only && row.make == nullptr) continue;
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  }
  return names;
}

const DeviceRow& runnable_row(Device device) {
  const DeviceRow& row = row_of(device);
  if (row.make == nullptr) {
    fail(Errc::unsupported,
         message("device ", row.name, ": this build of Lathe cannot run models on it; it can on ", names_of(true)));
  }
  return row;
}

}  // namespace

const char* device_name(Device device) noexcept { return row_of(device).name; }

Device parse_device(const std::string& name) {
  for (const DeviceRow& row : kDevices) {
    if (name == row.name) return row.device;
  }
  fail(Errc::usage, message("device \"", name, "\" is unknown; the devices are ", names_of(false)));
}

std::unique_ptr<Executor> make_executor(Device device, const Program& program, const WeightLookup& weights) {
  return runnable_row(device).make(program, weights);
}

std::string instruction_set_of(Device device) { return runnable_row(device).instruction_set(); }

}  // namespace lathe
