#include "compress/training/torch/trainable.h"

#include <algorithm>
#include <cmath>

#include "compress/calibration/samples.h"
#include "compress/methods/encode.h"

namespace lathe::training {
namespace {

// A larger table or head does not train: a run sees too few of its rows to pay for its gradients.
constexpr uint64_t kLargestTrainedTable = 8'000'000;
// An adapter begins at zero and has further to go than other parameters: the factor of its learning rate.
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
    if (choice.only && !choice.only->contains(name)) continue;
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
  TrainedWeight trained;
  trained.weight = weight;
  trained.name = model.program.weights[weight];
  const EncodedBuffer& encoded = model.weights.at(trained.name);
  at::Tensor value = decoded(encoded.view(), device);
  const bool matrix = encoded.shape.size() == 2;
  if (choice.masked.contains(trained.name)) trained.mask = (value != 0).to(at::kFloat);
  if (matrix) trained.quantizer = FakeQuantizer(encoded.view(), device);
  if (matrix && choice.trainable == Trainable::adapters) {
    add_adapter(trained, value, choice);
  } else {
    trained.latent = parameters_.size();
    parameters_.push_back(make_parameter(trained.name, value.clone(), 1, matrix));
  }
  if (trained.quantizer.has_scales()) {
    trained.scales = parameters_.size();
    parameters_.push_back(make_parameter(trained.name + ":scales", trained.quantizer.fresh_scales()));
  }
  trained_.push_back(weight);
  weights_.push_back(std::move(trained));
}

// The first factor begins at zero, and so the product of both does (LoRA; Hu et al., 2021).
void TrainableWeights::add_adapter(TrainedWeight& trained, const at::Tensor& value, const Choice& choice) {
  const int64_t rank = std::min<int64_t>(choice.adapter_rank, std::min(value.size(0), value.size(1)));
  Random random(choice.seed + trained.weight + 1);
  std::vector<float> numbers(static_cast<size_t>(rank * value.size(1)));
  const double reach = std::sqrt(3.0 / static_cast<double>(value.size(1)));
  for (float& number : numbers) number = static_cast<float>((2 * random.uniform() - 1) * reach);
  trained.base = value.clone();
  trained.up = parameters_.size();
  parameters_.push_back(
      make_parameter(trained.name + ":up", at::zeros({value.size(0), rank}, value.options()), kAdapterRate));
  trained.down = parameters_.size();
  parameters_.push_back(
      make_parameter(trained.name + ":down", tensor_of(numbers, {rank, value.size(1)}, value.device()), kAdapterRate));
}

at::Tensor TrainableWeights::latent(const TrainedWeight& trained) const {
  const at::Tensor value =
      trained.latent ? parameters_[*trained.latent].value
                     : trained.base + at::matmul(parameters_[*trained.up].value, parameters_[*trained.down].value);
  return trained.mask.defined() ? value * trained.mask : value;
}

at::Tensor TrainableWeights::log_scales(const TrainedWeight& trained) const {
  return trained.scales ? parameters_[*trained.scales].value : at::Tensor();
}

uint64_t TrainableWeights::trained_numbers() const {
  uint64_t total = 0;
  for (const Parameter& parameter : parameters_) total += static_cast<uint64_t>(parameter.value.numel());
  return total;
}

void TrainableWeights::refresh(ThreadPool& pool) {
  pool.parallel_for(weights_.size(), [&](size_t i, size_t) {
    const at::NoGradGuard no_gradients;
    const TrainedWeight& trained = weights_[i];
    effective_[trained.weight] = trained.quantizer.quantize(latent(trained), log_scales(trained));
  });
}

void TrainableWeights::set_gradients(const std::vector<at::Tensor>& gradients, ThreadPool& pool) {
  for (Parameter& parameter : parameters_) parameter.gradient.reset();
  pool.parallel_for(weights_.size(), [&](size_t i, size_t) {
    const at::NoGradGuard no_gradients;
    const TrainedWeight& trained = weights_[i];
    if (!gradients[i].defined()) return;
    FakeQuantizer::Gradients own = trained.quantizer.backward(latent(trained), log_scales(trained), gradients[i]);
    if (trained.mask.defined()) own.latent = own.latent * trained.mask;
    if (trained.scales) parameters_[*trained.scales].gradient = own.log_scales;
    if (trained.latent) {
      parameters_[*trained.latent].gradient = own.latent;
      return;
    }
    parameters_[*trained.up].gradient = at::matmul(own.latent, parameters_[*trained.down].value.t());
    parameters_[*trained.down].gradient = at::matmul(parameters_[*trained.up].value.t(), own.latent);
  });
}

void TrainableWeights::prune_to(const std::string& name, double sparsity) {
  const at::NoGradGuard no_gradients;
  for (TrainedWeight& trained : weights_) {
    if (trained.name != name) continue;
    const at::Tensor magnitudes = latent(trained).abs().flatten();
    const auto zeros = static_cast<int64_t>(std::llround(sparsity * static_cast<double>(magnitudes.numel())));
    // A stable order decides ties the same way every time.
    const at::Tensor order = std::get<1>(magnitudes.sort(/*stable=*/true, /*dim=*/0, /*descending=*/false));
    at::Tensor mask = at::ones_like(magnitudes);
    mask.index_fill_(0, order.narrow(0, 0, zeros), 0.0);
    trained.mask = mask.view_as(effective_[trained.weight]);
  }
}

std::map<std::string, at::Tensor> TrainableWeights::masks() const {
  std::map<std::string, at::Tensor> result;
  for (const TrainedWeight& trained : weights_) {
    if (trained.mask.defined()) result[trained.name] = trained.mask.to(at::kCPU, at::kByte).contiguous();
  }
  return result;
}

void TrainableWeights::set_mask(const std::string& name, const at::Tensor& mask) {
  for (TrainedWeight& trained : weights_) {
    if (trained.name != name) continue;
    const at::Tensor& value = effective_[trained.weight];
    trained.mask = mask.to(value.device(), at::kFloat).view_as(value);
  }
}

EncodedBuffer TrainableWeights::encoded(const TrainedWeight& trained, const EncodedBuffer& like) const {
  // These are the values that the program computed with: rounding the latent values a second time could decide a near
  // tie the other way.
  const std::vector<float> values = floats_of(trained.quantizer.quantize(latent(trained), log_scales(trained)));
  if (like.shape.size() == 1) return encode_vector(values, like.encoding);
  Grid grid = grid_of(like.view());
  if (trained.scales) set_row_scales(grid, trained.quantizer.stored_scales(log_scales(trained)));
  Matrix snapped(like.shape[0], like.shape[1]);
  for (size_t r = 0; r < snapped.rows; ++r) {
    for (size_t c = 0; c < snapped.cols; ++c) {
      snapped.values[r * snapped.cols + c] = grid.snap(r, c, values[r * snapped.cols + c]);
    }
  }
  return encode(snapped, grid, like.encoding);
}

void TrainableWeights::store(TrainableModel& model) const {
  for (const TrainedWeight& trained : weights_) {
    EncodedBuffer& kept = model.weights.at(trained.name);
    kept = encoded(trained, kept);
  }
}

std::set<std::string> pruned_weights(const TrainingJob& job) {
  std::set<std::string> names;
  for (const auto& [name, sparsity] : job.target_sparsity) {
    if (sparsity > 0) names.insert(name);
  }
  return names;
}

}  // namespace lathe::training
