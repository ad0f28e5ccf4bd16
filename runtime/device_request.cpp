#include "runtime/device_request.h"

#include "formats/artifact/error.h"
#include "runtime/split_executor.h"

namespace lathe {
namespace {

// Of the free memory; the rest is for the cache and for the values of a batch.
constexpr double kShareForWeights = 0.8;

size_t layers_that_fit(const Program& program, const WeightLookup& weights, size_t free_bytes) {
  const double room = kShareForWeights * static_cast<double>(free_bytes);
  size_t layers = layer_count(program);
  while (layers > 0 && static_cast<double>(weight_bytes(program, weights, ops_of_layers(program, layers))) > room) {
    --layers;
  }
  return layers;
}

}  // namespace

MakeExecutor executor_for(const DeviceRequest& request) {
  const Device device = choose_device(request.device);
  instruction_set_of(device);  // throws where this machine cannot use it
  if (device == Device::cpu && request.layers) {
    fail(Errc::usage, "layers of a device were asked for, but the CPU runs all of the model: choose the device cuda");
  }
  if (!request.layers) return executor_maker(device);
  return [=](const Program& program, const WeightLookup& weights) {
    const size_t layers = *request.layers == kAutomaticLayers ? layers_that_fit(program, weights, free_bytes_of(device))
                                                              : static_cast<size_t>(*request.layers);
    return make_split_executor(program, weights, ops_of_layers(program, layers), executor_maker(device),
                               executor_maker(Device::cpu));
  };
}

}  // namespace lathe
