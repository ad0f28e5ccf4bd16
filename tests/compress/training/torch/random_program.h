#pragma once
// Small programs with random weights, and random tensors, for the tests of the training engine.

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "compress/training/torch/interpreter.h"
#include "runtime/model.h"
#include "tests/compress/methods/layer_samples.h"

namespace lathe::test {

inline at::Tensor random_tensor(const std::vector<int64_t>& shape, uint64_t seed, at::ScalarType type = at::kFloat) {
  at::Tensor out = at::empty(shape, at::kFloat);
  Noise noise(seed);
  for (int64_t i = 0; i < out.numel(); ++i) out.data_ptr<float>()[i] = noise.next();
  return out.to(type);
}

/// Sequences of these lengths, of random tokens below `vocabulary`.
inline TokenBatch random_batch(const std::vector<size_t>& lengths, int32_t vocabulary, uint64_t seed) {
  Noise noise(seed);
  TokenBatch batch;
  for (const size_t length : lengths) {
    std::vector<int32_t> ids(length);
    for (int32_t& id : ids) id = static_cast<int32_t>((noise.next() + 1) / 2 * static_cast<float>(vocabulary));
    batch.add(ids);
  }
  return batch;
}

inline double worst_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    worst = difference <= worst ? worst : difference;  // NaN counts as the worst of all
  }
  return worst;
}

/// Adds ops one by one, each with random weights.
struct RandomProgram {
  Program program;
  std::map<std::string, EncodedBuffer> weights;
  uint64_t seed = 1;

  uint32_t weight(const Shape& shape, float size, float middle = 0) {
    const std::string name = message("w", weights.size());
    uint64_t count = 1;
    for (const uint64_t dim : shape) count *= dim;
    Noise noise(seed++);
    std::vector<float> values(count);
    for (float& value : values) value = middle + size * noise.next();
    weights[name] = f32_buffer(shape, values);
    return program.add_weight(name);
  }
  uint32_t op(const Attributes& attributes, std::vector<uint32_t> inputs, std::vector<uint32_t> used, uint32_t width) {
    const bool pooled = std::holds_alternative<ops::Pool>(attributes) ||
                        (!inputs.empty() && program.values[inputs[0]].rows == RowKind::sequences);
    const uint32_t out =
        program.add_value(message("v", program.values.size()), pooled ? RowKind::sequences : RowKind::tokens, width);
    program.ops.push_back({attributes, std::move(inputs), std::move(used), out});
    return out;
  }
  uint32_t width(uint32_t value) const { return program.values[value].shape.size(); }
  uint32_t embedding(Stream stream, uint64_t rows, uint32_t width) {
    const uint32_t table = weight({rows, width}, 1.0f);
    return op(ops::Embedding{stream}, {}, {table}, width);
  }
  uint32_t linear(uint32_t x, uint32_t outputs, bool bias = true) {
    const uint64_t inputs = width(x);
    const uint32_t w = weight({outputs, inputs}, 1.7f / std::sqrt(static_cast<float>(inputs)));
    const uint32_t b = bias ? weight({outputs}, 0.2f) : kNone;
    return op(ops::Linear{}, {x}, {w, b}, outputs);
  }
  uint32_t layer_norm(uint32_t x) {
    const uint32_t gamma = weight({width(x)}, 0.3f, 1.0f);
    const uint32_t beta = weight({width(x)}, 0.3f);
    return op(ops::LayerNorm{1e-6f}, {x}, {gamma, beta}, width(x));
  }
  uint32_t attention(uint32_t q, uint32_t k, uint32_t v, uint32_t heads) {
    return op(ops::Attention{AttentionMask::full, heads, heads, 0}, {q, k, v}, {}, width(v));
  }
  uint32_t causal_attention(uint32_t q, uint32_t k, uint32_t v, uint32_t heads, uint32_t kv_heads, uint32_t window) {
    return op(ops::Attention{AttentionMask::causal, heads, kv_heads, window}, {q, k, v}, {}, width(q));
  }
  uint32_t rms_norm(uint32_t x, uint32_t heads = 0) {
    const uint32_t gamma = weight({heads > 0 ? width(x) / heads : width(x)}, 0.3f, 1.0f);
    return op(ops::RmsNorm{1e-6f, heads}, {x}, {gamma}, width(x));
  }
  uint32_t rope(uint32_t x, uint32_t heads, uint32_t pairs, RopePairs kind) {
    const uint32_t frequencies = weight({pairs}, 0.4f, 0.7f);
    return op(ops::Rope{kind, heads}, {x}, {frequencies}, width(x));
  }
  uint32_t multiply(uint32_t a, uint32_t b) { return op(ops::Multiply{}, {a, b}, {}, width(a)); }
  uint32_t activation(uint32_t x, ActivationFunction function) {
    return op(ops::Activation{function}, {x}, {}, width(x));
  }
  uint32_t add(uint32_t a, uint32_t b) { return op(ops::Add{}, {a, b}, {}, width(a)); }
  uint32_t pool(uint32_t x, Pooling pooling) { return op(ops::Pool{pooling}, {x}, {}, width(x)); }
  uint32_t normalize(uint32_t x) { return op(ops::Normalize{1e-12f}, {x}, {}, width(x)); }

  WeightLookup lookup() const {
    return [this](const std::string& name) { return weights.at(name).view(); };
  }
  std::vector<at::Tensor> tensors() const {
    std::vector<at::Tensor> out;
    for (const std::string& name : program.weights) {
      out.push_back(training::decoded(weights.at(name).view(), at::Device(at::kCPU)));
    }
    return out;
  }
};

}  // namespace lathe::test
