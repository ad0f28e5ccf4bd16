#include "compress/source/program_builder.h"

#include <algorithm>

#include "compress/source/architectures.h"

namespace lathe {
namespace {

RowKind output_rows(const Program& program, const Attributes& attributes, const std::vector<uint32_t>& inputs) {
  if (std::holds_alternative<ops::Pool>(attributes)) return RowKind::sequences;
  return inputs.empty() ? RowKind::tokens : program.values[inputs[0]].rows;
}

}  // namespace

uint32_t ProgramBuilder::weight(const std::string& name, const Shape& shape) {
  if (!model_.derived.contains(name)) require_tensor(*model_.checkpoint, name, shape);
  const auto at = std::find(program_.weights.begin(), program_.weights.end(), name);
  if (at != program_.weights.end()) return static_cast<uint32_t>(at - program_.weights.begin());
  return program_.add_weight(name);
}

uint32_t ProgramBuilder::constant(const std::string& name, const std::vector<float>& values) {
  model_.derived[name] = f32_buffer({values.size()}, values);
  return program_.add_weight(name);
}

uint32_t ProgramBuilder::input(const std::string& name, RowKind rows, const RowShape& shape) {
  program_.inputs.push_back(program_.add_value(name, rows, shape));
  return program_.inputs.back();
}

uint32_t ProgramBuilder::op(const std::string& name, const Attributes& attributes, std::vector<uint32_t> inputs,
                            std::vector<uint32_t> weights, const RowShape& shape) {
  const uint32_t output = program_.add_value(name, output_rows(program_, attributes, inputs), shape);
  program_.ops.push_back({attributes, std::move(inputs), std::move(weights), output});
  return output;
}

uint32_t ProgramBuilder::embedding(const std::string& name, Stream stream, uint32_t table, uint64_t width) {
  return op(name, ops::Embedding{stream}, {}, {table}, static_cast<uint32_t>(width));
}

uint32_t ProgramBuilder::linear(const std::string& name, uint32_t input, uint32_t matrix, uint32_t bias,
                                uint64_t outputs) {
  std::vector<uint32_t> weights = {matrix};
  if (bias != kNone) weights.push_back(bias);
  return op(name, ops::Linear{}, {input}, std::move(weights), static_cast<uint32_t>(outputs));
}

uint32_t ProgramBuilder::linear(const std::string& name, bool bias, uint32_t input, uint64_t outputs) {
  const uint32_t matrix = weight(name + ".weight", {outputs, width(input)});
  return linear(name, input, matrix, bias ? weight(name + ".bias", {outputs}) : kNone, outputs);
}

uint32_t ProgramBuilder::layer_norm(const std::string& name, uint32_t input, uint32_t gamma, uint32_t beta,
                                    float epsilon) {
  return op(name, ops::LayerNorm{epsilon}, {input}, {gamma, beta}, width(input));
}

uint32_t ProgramBuilder::layer_norm(const std::string& name, uint32_t input, float epsilon) {
  const uint32_t gamma = weight(name + ".weight", {width(input)});
  return layer_norm(name, input, gamma, weight(name + ".bias", {width(input)}), epsilon);
}

uint32_t ProgramBuilder::rms_norm(const std::string& name, uint32_t input, uint64_t heads, float epsilon) {
  const uint32_t gamma = weight(name + ".weight", {heads > 0 ? width(input) / heads : width(input)});
  return op(name, ops::RmsNorm{epsilon, static_cast<uint32_t>(heads)}, {input}, {gamma}, width(input));
}

uint32_t ProgramBuilder::rope(const std::string& name, uint32_t input, uint32_t frequencies, uint64_t heads) {
  const ops::Rope attributes{RopePairs::halves, static_cast<uint32_t>(heads)};
  return op(name, attributes, {input}, {frequencies}, width(input));
}

uint32_t ProgramBuilder::full_attention(const std::string& name, uint32_t q, uint32_t k, uint32_t v, uint64_t heads) {
  const auto count = static_cast<uint32_t>(heads);
  return op(name, ops::Attention{AttentionMask::full, count, count, 0}, {q, k, v}, {}, width(q));
}

uint32_t ProgramBuilder::causal_attention(const std::string& name, uint32_t q, uint32_t k, uint32_t v, uint64_t heads,
                                          uint64_t kv_heads, uint64_t window) {
  const ops::Attention attributes{AttentionMask::causal, static_cast<uint32_t>(heads), static_cast<uint32_t>(kv_heads),
                                  static_cast<uint32_t>(window)};
  return op(name, attributes, {q, k, v}, {}, width(q));
}

uint32_t ProgramBuilder::activation(const std::string& name, uint32_t input, ActivationFunction function) {
  return op(name, ops::Activation{function}, {input}, {}, width(input));
}

uint32_t ProgramBuilder::add(const std::string& name, uint32_t a, uint32_t b) {
  return op(name, ops::Add{}, {a, b}, {}, width(a));
}

uint32_t ProgramBuilder::multiply(const std::string& name, uint32_t a, uint32_t b) {
  return op(name, ops::Multiply{}, {a, b}, {}, width(a));
}

}  // namespace lathe
