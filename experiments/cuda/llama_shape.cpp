#include "experiments/cuda/llama_shape.h"

#include <cmath>

#include "formats/artifact/half.h"
#include "runtime/random.h"

namespace lathe::experiments {
namespace {

std::string shape_key(const Shape& shape) {
  std::string key;
  for (const uint64_t dim : shape) key += message(dim, "x");
  return key;
}

// Builds the program value by value.
struct Builder {
  MadeUpModel& model;
  Encoding linear;

  uint32_t weight(const std::string& name, const Shape& shape, const Encoding& encoding) {
    model.shapes[name] = shape;
    model.buffers.try_emplace(shape_key(shape), made_up_weight(shape, encoding, model.buffers.size() + 1));
    return model.program.add_weight(name);
  }
  uint32_t add(const Attributes& attributes, std::vector<uint32_t> inputs, std::vector<uint32_t> weights,
               uint32_t width) {
    const uint32_t y = model.program.add_value(message("v", model.program.values.size()), RowKind::tokens, width);
    model.program.ops.push_back({attributes, std::move(inputs), std::move(weights), y});
    return y;
  }
  uint32_t project(const std::string& name, uint32_t x, uint32_t outputs) {
    const uint32_t inputs = model.program.values[x].shape.size();
    return add(ops::Linear{InputBits::eight}, {x}, {weight(name, {outputs, inputs}, linear), kNone}, outputs);
  }
  uint32_t norm(const std::string& name, uint32_t x, uint32_t width) {
    return add(ops::RmsNorm{1e-5f, 0}, {x}, {weight(name, {width}, {})}, width);
  }
};

uint32_t add_layer(Builder& b, const LlamaShape& shape, uint32_t layer, uint32_t frequencies, uint32_t x) {
  const std::string at = message("layers.", layer, ".");
  const uint32_t kv_width = shape.width / shape.heads * shape.kv_heads;
  const uint32_t first = b.norm(at + "norm1", x, shape.width);
  uint32_t q = b.project(at + "q", first, shape.width);
  uint32_t k = b.project(at + "k", first, kv_width);
  const uint32_t v = b.project(at + "v", first, kv_width);
  q = b.add(ops::Rope{RopePairs::halves, shape.heads}, {q}, {frequencies}, shape.width);
  k = b.add(ops::Rope{RopePairs::halves, shape.kv_heads}, {k}, {frequencies}, kv_width);
  const uint32_t mixed =
      b.add(ops::Attention{AttentionMask::causal, shape.heads, shape.kv_heads, 0}, {q, k, v}, {}, shape.width);
  x = b.add(ops::Add{}, {x, b.project(at + "o", mixed, shape.width)}, {}, shape.width);
  const uint32_t second = b.norm(at + "norm2", x, shape.width);
  uint32_t gate = b.project(at + "gate", second, shape.hidden);
  gate = b.add(ops::Activation{ActivationFunction::silu}, {gate}, {}, shape.hidden);
  const uint32_t up = b.project(at + "up", second, shape.hidden);
  const uint32_t product = b.add(ops::Multiply{}, {gate, up}, {}, shape.hidden);
  return b.add(ops::Add{}, {x, b.project(at + "down", product, shape.width)}, {}, shape.width);
}

}  // namespace

EncodedBuffer made_up_weight(const Shape& shape, const Encoding& encoding, uint64_t seed) {
  Random random(seed);
  const uint64_t rows = shape.size() == 1 ? 1 : shape[0];
  const uint64_t cols = shape.back();
  if (shape.size() == 1) return f32_buffer(shape, std::vector<float>(cols, 1.0f));
  EncodedBuffer weight{encoding, shape, {}};
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(cols)));
  std::vector<std::byte>& values = weight.plane(Plane::values);
  values.resize(rows * packed_bytes(encoding.values, cols));
  // Eight random bytes at a time, in a cycle: the speed does not depend on the values.
  std::vector<std::byte> cycle(4099);
  for (std::byte& byte : cycle) byte = static_cast<std::byte>(random.uniform() * 256);
  for (uint64_t i = 0; i < values.size(); ++i) values[i] = cycle[i % cycle.size()];
  const uint16_t row_scale = f32_to_bf16(scale / 64);
  for (uint64_t row = 0; row < rows; ++row) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&row_scale);
    weight.plane(Plane::row_scales).insert(weight.plane(Plane::row_scales).end(), bytes, bytes + 2);
  }
  if (encoding.group != 0) {
    weight.plane(Plane::group_scales).assign(rows * ceil_div(group_count(encoding, cols), 2), std::byte{0x89});
  }
  return weight;
}

WeightLookup MadeUpModel::lookup() const {
  return [this](const std::string& name) { return buffers.at(shape_key(shapes.at(name))).view(); };
}

MadeUpModel make_llama(const LlamaShape& shape, const Encoding& linear) {
  MadeUpModel model;
  Builder b{model, linear};
  const uint32_t pairs = shape.width / shape.heads / 2;
  const Encoding int8{ValueType::int8, Sparsity::dense, 0};
  const uint32_t table = b.weight("table", {shape.vocabulary, shape.width}, int8);
  const uint32_t frequencies = b.weight("frequencies", {pairs}, {});
  uint32_t x = b.add(ops::Embedding{}, {}, {table}, shape.width);
  for (uint32_t layer = 0; layer < shape.layers; ++layer) x = add_layer(b, shape, layer, frequencies, x);
  x = b.norm("norm", x, shape.width);
  const uint32_t logits = b.add(ops::Linear{}, {x}, {table, kNone}, shape.vocabulary);
  model.program.outputs = {logits};
  return model;
}

}  // namespace lathe::experiments
