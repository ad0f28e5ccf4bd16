#pragma once
// What a caller wants a model to run on.

#include <cstdint>
#include <optional>

#include "runtime/executor.h"

namespace lathe {

struct DeviceRequest {
  DeviceChoice device = DeviceChoice::cpu;
  /// How many layers the device runs, where it is not the CPU; the CPU runs the rest. kAutomaticLayers: as many as fit.
  /// Absent: all of them, and it is an error where they do not fit.
  std::optional<uint64_t> layers = {};
};
inline constexpr uint64_t kAutomaticLayers = UINT64_MAX;

/// Makes executors as requested. Looks for the device now: throws Error{unsupported} where this machine cannot use it,
/// and Error{usage} for layers of a device that is the CPU.
MakeExecutor executor_for(const DeviceRequest& request);

}  // namespace lathe
