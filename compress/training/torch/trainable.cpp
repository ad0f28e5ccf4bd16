#include "compress/training/torch/trainable.h"

#include <algorithm>
#include <cmath>

#include "compress/calibration/samples.h"
#include "compress/methods/encode.h"
#include "compress/pipeline/linear_job.h"

namespace lathe::training {
namespace {

// A larger table or head stays as it is: a run sees too few of its rows to pay for its gradients.
constexpr uint64_t kLargestTrainedTable = 8'000'000;
// Row scales move more slowly than what lies on their grid.
constexpr double kScaleRate = 1.0;
constexpr double kAdapterRate = 5.0;

bool can_train(WeightRole role, const EncodedBuffer& weight, Trainable trainable) {
  if (role == WeightRole::other) return true;
  if (trainable == Trainable::norms) return false;
  if (role == WeightRole::linear) return true;
  return trainable == Trainable::all && weight.view().rows() * weight.view().cols() <= kLargestTrainedTable;
}

}  // namespace

TrainableWeights::TrainableWeights(const TrainableModel& model, const Choice& choice, const at::Device& device,
                                   ThreadPool& pool) {
  effective_.resize(model.program.weights.size());
  const std::map<std::string, WeightRole> roles = weight_roles(model.program);
  const std::set<std::string> constant = constant_weights(model.program);
  for (uint32_t i = 0; i < model.program.weights.size(); ++i) {
    const std::string& name = model.program.weights[i];
    const bool wanted = !choice.only || choice.only->contains(name);
    if (!wanted) continue;
    if (!constant.contains(name) && can_train(roles.at(name), model.weights.at(name), choice.trainable)) {
      add(i, model, choice, device);
    } else {
      effective_[i] = decoded(model.weights.at(name).view(), device);
    }
  }
  refresh(pool);
}

void TrainableWeights::add(uint32_t weight, const TrainableModel& model, const Choice& choice,
                           const at::Device& device) {
  Slot slot;
  slot.weight = weight;
  slot.name = model.program.weights[weight];
  const EncodedBuffer& encoded = model.weights.at(slot.name);
  at::Tensor value = decoded(encoded.view(), device);
  const bool matrix = encoded.shape.size() == 2;
  if (choice.masked.contains(slot.name)) slot.mask = (value != 0).to(at::kFloat);
  if (matrix) slot.quantizer = FakeQuantizer(encoded.view(), device);
  if (matrix && choice.trainable == Trainable::adapters) {
    add_adapter(slot, value, choice);
  } else {
    slot.latent = parameters_.size();
    parameters_.push_back(make_parameter(slot.name, value.clone(), 1, matrix));
  }
  if (slot.quantizer.has_scales()) {
    slot.scales = parameters_.size();
    parameters_.push_back(make_parameter(slot.name + ":scales", slot.quantizer.fresh_scales(), kScaleRate));
  }
  trained_.push_back(weight);
  slots_.push_back(std::move(slot));
}

// The product of the factors begins at zero, as is usual (LoRA; Hu et al., 2021).
void TrainableWeights::add_adapter(Slot& slot, const at::Tensor& value, const Choice& choice) {
  const int64_t rank = std::min<int64_t>(choice.adapter_rank, std::min(value.size(0), value.size(1)));
  Random random(choice.seed + slot.weight + 1);
  std::vector<float> numbers(static_cast<size_t>(rank * value.size(1)));
  const double reach = std::sqrt(3.0 / static_cast<double>(value.size(1)));
  for (float& number : numbers) number = static_cast<float>((2 * random.uniform() - 1) * reach);
  slot.base = value.clone();
  slot.up = parameters_.size();
  parameters_.push_back(
      make_parameter(slot.name + ":up", at::zeros({value.size(0), rank}, value.options()), kAdapterRate));
  slot.down = parameters_.size();
  parameters_.push_back(
      make_parameter(slot.name + ":down", tensor_of(numbers, {rank, value.size(1)}, value.device()), kAdapterRate));
}

at::Tensor TrainableWeights::latent(const Slot& slot) const {
  const at::Tensor value = slot.latent
                               ? parameters_[*slot.latent].value
                               : slot.base + at::matmul(parameters_[*slot.up].value, parameters_[*slot.down].value);
  return slot.mask.defined() ? value * slot.mask : value;
}

at::Tensor TrainableWeights::log_scales(const Slot& slot) const {
  return slot.scales ? parameters_[*slot.scales].value : at::Tensor();
}

uint64_t TrainableWeights::trained_numbers() const {
  uint64_t total = 0;
  for (const Parameter& parameter : parameters_) total += static_cast<uint64_t>(parameter.value.numel());
  return total;
}

void TrainableWeights::refresh(ThreadPool& pool) {
  pool.parallel_for(slots_.size(), [&](size_t i, size_t) {
    const at::NoGradGuard no_gradients;
    const Slot& slot = slots_[i];
    effective_[slot.weight] = slot.quantizer.quantize(latent(slot), log_scales(slot));
  });
}

void TrainableWeights::pull(const std::vector<at::Tensor>& gradients, ThreadPool& pool) {
  pool.parallel_for(slots_.size(), [&](size_t i, size_t) {
    const at::NoGradGuard no_gradients;
    const Slot& slot = slots_[i];
    if (!gradients[i].defined()) return;
    FakeQuantizer::Gradients pulled = slot.quantizer.pull(latent(slot), log_scales(slot), gradients[i]);
    if (slot.mask.defined()) pulled.latent = pulled.latent * slot.mask;
    if (slot.scales) parameters_[*slot.scales].gradient = pulled.log_scales;
    if (slot.latent) {
      parameters_[*slot.latent].gradient = pulled.latent;
      return;
    }
    parameters_[*slot.up].gradient = at::matmul(pulled.latent, parameters_[*slot.down].value.t());
    parameters_[*slot.down].gradient = at::matmul(parameters_[*slot.up].value.t(), pulled.latent);
  });
}

void TrainableWeights::prune_to(const std::string& name, double sparsity) {
  const at::NoGradGuard no_gradients;
  for (Slot& slot : slots_) {
    if (slot.name != name) continue;
    at::Tensor size = latent(slot).abs().flatten();
    const auto zeros = static_cast<int64_t>(std::llround(sparsity * static_cast<double>(size.numel())));
    // A stable order, so that ties always fall the same way.
    const at::Tensor order = std::get<1>(size.sort(/*stable=*/true, /*dim=*/0, /*descending=*/false));
    at::Tensor mask = at::ones_like(size);
    mask.index_fill_(0, order.narrow(0, 0, zeros), 0.0);
    slot.mask = mask.view_as(effective_[slot.weight]);
  }
}

std::map<std::string, at::Tensor> TrainableWeights::masks() const {
  std::map<std::string, at::Tensor> result;
  for (const Slot& slot : slots_) {
    if (slot.mask.defined()) result[slot.name] = slot.mask.to(at::kCPU, at::kByte).contiguous();
  }
  return result;
}

void TrainableWeights::set_mask(const std::string& name, const at::Tensor& mask) {
  for (Slot& slot : slots_) {
    if (slot.name == name)
      slot.mask = mask.to(effective_[slot.weight].device(), at::kFloat).view_as(effective_[slot.weight]);
  }
}

EncodedBuffer TrainableWeights::encoded(const Slot& slot, const EncodedBuffer& like) const {
  // What the program was computed with, so that a near tie cannot fall the other way here.
  const std::vector<float> values = floats_of(slot.quantizer.quantize(latent(slot), log_scales(slot)));
  if (like.shape.size() == 1) return encode_vector(values, like.encoding);
  Grid grid = grid_of(like.view());
  if (slot.scales) set_row_scales(grid, slot.quantizer.stored_scales(log_scales(slot)));
  Matrix snapped(like.shape[0], like.shape[1]);
  for (size_t r = 0; r < snapped.rows; ++r) {
    for (size_t c = 0; c < snapped.cols; ++c) {
      snapped.values[r * snapped.cols + c] = grid.snap(r, c, values[r * snapped.cols + c]);
    }
  }
  return encode(snapped, grid, like.encoding);
}

void TrainableWeights::store(TrainableModel& model) const {
  for (const Slot& slot : slots_) {
    EncodedBuffer& kept = model.weights.at(slot.name);
    kept = encoded(slot, kept);
  }
}

}  // namespace lathe::training
