#pragma once
// A classifier of feature rows: three linear layers with relu between them, written as safetensors. Every sample
// belongs to the class whose prototype it was made from.

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "compress/calibration/dense_samples.h"
#include "compress/source/program_builder.h"
#include "formats/safetensors/safetensors_checkpoint.h"
#include "formats/safetensors/safetensors_writer.h"
#include "runtime/random.h"
#include "tests/support/temp_dir.h"

namespace lathe::test {

inline constexpr uint32_t kMlpClasses = 4;
inline constexpr uint32_t kMlpHidden = 48;

/// Numbers in [-1, 1).
inline std::vector<float> uniform_numbers(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(2 * random.uniform() - 1);
  return values;
}

/// Noisy copies of one prototype for each class, in turn.
inline DenseSamples mlp_samples(const RowShape& shape, size_t count, uint64_t seed) {
  const std::vector<float> prototypes = uniform_numbers(size_t{kMlpClasses} * shape.size(), 1);
  const std::vector<float> noise = uniform_numbers(count * shape.size(), seed);
  DenseSamples samples;
  samples.count = count;
  samples.inputs.emplace_back(noise.size());
  for (size_t i = 0; i < noise.size(); ++i) {
    const size_t sample = i / shape.size(), column = i % shape.size();
    samples.inputs[0][i] = prototypes[sample % kMlpClasses * shape.size() + column] + 0.5f * noise[i];
  }
  return samples;
}

/// The model; its file is written into `folder`, which must outlive it. `shape` is that of a feature row or an image.
inline SourceModel tiny_mlp(const std::filesystem::path& folder, const RowShape& shape) {
  const std::vector<std::pair<std::string, Shape>> weights = {
      {"layer0.weight", {kMlpHidden, shape.size()}}, {"layer0.bias", {kMlpHidden}},
      {"layer1.weight", {kMlpHidden, kMlpHidden}},   {"layer1.bias", {kMlpHidden}},
      {"layer2.weight", {kMlpClasses, kMlpHidden}},  {"layer2.bias", {kMlpClasses}}};
  std::map<std::string, std::vector<float>> values;
  std::map<std::string, TensorView> tensors;
  for (const auto& [name, dims] : weights) {
    const float size = dims.size() == 1 ? 0.1f : std::sqrt(6.0f / static_cast<float>(dims[1]));
    std::vector<float>& numbers = values[name] = uniform_numbers(element_count(dims, name), 10 + values.size());
    for (float& number : numbers) number *= size;
    tensors[name] = {DType::f32, dims, as_bytes_of(numbers)};
  }
  write_safetensors(folder / "model.safetensors", tensors);

  SourceModel model;
  model.name = "mlp";
  model.path = folder;
  model.checkpoint = open_safetensors(folder / "model.safetensors");
  ProgramBuilder builder(model);
  uint32_t x = builder.input("features", RowKind::samples, shape);
  x = builder.activation("layer0.active", builder.linear("layer0", true, x, kMlpHidden), ActivationFunction::relu);
  x = builder.activation("layer1.active", builder.linear("layer1", true, x, kMlpHidden), ActivationFunction::relu);
  model.program.outputs = {builder.linear("layer2", true, x, kMlpClasses)};
  model.task.kind = kClassificationTask;
  model.task.dimension = kMlpClasses;
  model.task.labels = {"north", "east", "south", "west"};
  return model;
}

/// The same network in plain loops and f64. `quantize` rounds the inputs of each layer as the runtime does for weights
/// of integers: to 255 steps of the row's range, which includes 0.
struct PlainMlp {
  std::map<std::string, std::vector<float>> weights;
  bool quantize = false;

  std::vector<double> layer(const std::string& name, std::vector<double> x, size_t outputs, bool active) const {
    if (quantize) round_inputs(x);
    const std::vector<float>& w = weights.at(name + ".weight");
    std::vector<double> y(outputs);
    for (size_t o = 0; o < outputs; ++o) {
      y[o] = weights.at(name + ".bias")[o];
      for (size_t i = 0; i < x.size(); ++i) y[o] += x[i] * w[o * x.size() + i];
      if (active) y[o] = std::max(y[o], 0.0);
    }
    return y;
  }

  std::vector<double> logits(const float* row, size_t width) const {
    std::vector<double> x(row, row + width);
    x = layer("layer0", std::move(x), kMlpHidden, true);
    x = layer("layer1", std::move(x), kMlpHidden, true);
    return layer("layer2", std::move(x), kMlpClasses, false);
  }

 private:
  static void round_inputs(std::vector<double>& x) {
    const double low = std::min(0.0, *std::min_element(x.begin(), x.end()));
    const double high = std::max(0.0, *std::max_element(x.begin(), x.end()));
    if (high == low) return;
    const double step = (high - low) / 255;
    const double zero = std::nearbyint(-low / step);
    for (double& value : x) {
      value = (std::clamp(std::nearbyint(value / step) + zero, 0.0, 255.0) - zero) * step;
    }
  }
};

}  // namespace lathe::test
