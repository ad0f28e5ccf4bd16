#include "compress/source/architectures/decoder_builder.h"

#include <algorithm>

#include "formats/converted_checkpoint.h"

namespace lathe::architectures_detail {

uint32_t DecoderBuilder::emit(Op op, const std::string& name, uint64_t width) {
  op.output = program_.add_value(name, RowKind::tokens, static_cast<uint32_t>(width));
  program_.ops.push_back(std::move(op));
  return program_.ops.back().output;
}

uint32_t DecoderBuilder::weight(const std::string& name, const Shape& shape) {
  require_tensor(*model_.checkpoint, name, shape);
  const auto at = std::find(program_.weights.begin(), program_.weights.end(), name);
  if (at != program_.weights.end()) return static_cast<uint32_t>(at - program_.weights.begin());
  return program_.add_weight(name);
}

uint32_t DecoderBuilder::constant(const std::string& name, const std::vector<float>& values) {
  EncodedBuffer buffer;
  buffer.shape = {values.size()};
  const Bytes bytes = as_bytes_of(values);
  buffer.plane(Plane::values).assign(bytes.begin(), bytes.end());
  model_.derived[name] = std::move(buffer);
  return program_.add_weight(name);
}

uint32_t DecoderBuilder::embedding(const std::string& name, Stream stream, uint64_t rows, uint64_t width) {
  Op op;
  op.kind = OpKind::embedding;
  op.weights = {weight(name + ".weight", {rows, width})};
  op.mode = static_cast<uint32_t>(stream);
  return emit(std::move(op), name, width);
}

uint32_t DecoderBuilder::linear(const std::string& name, bool bias, uint32_t input, uint64_t outputs) {
  Op op;
  op.kind = OpKind::linear;
  op.inputs = {input};
  op.weights = {weight(name + ".weight", {outputs, width(input)})};
  if (bias) op.weights.push_back(weight(name + ".bias", {outputs}));
  return emit(std::move(op), name, outputs);
}

uint32_t DecoderBuilder::rms_norm(const std::string& name, uint32_t input, uint64_t heads, float epsilon) {
  Op op;
  op.kind = OpKind::rms_norm;
  op.inputs = {input};
  op.weights = {weight(name + ".weight", {heads > 0 ? width(input) / heads : width(input)})};
  op.heads = static_cast<uint32_t>(heads);
  op.epsilon = epsilon;
  return emit(std::move(op), name, width(input));
}

uint32_t DecoderBuilder::layer_norm(const std::string& name, uint32_t input, float epsilon) {
  Op op;
  op.kind = OpKind::layer_norm;
  op.inputs = {input};
  op.weights = {weight(name + ".weight", {width(input)}), weight(name + ".bias", {width(input)})};
  op.epsilon = epsilon;
  return emit(std::move(op), name, width(input));
}

uint32_t DecoderBuilder::rope(const std::string& name, uint32_t input, uint32_t frequencies, uint64_t heads) {
  Op op;
  op.kind = OpKind::rope;
  op.inputs = {input};
  op.weights = {frequencies};
  op.mode = static_cast<uint32_t>(RopePairs::halves);
  op.heads = static_cast<uint32_t>(heads);
  return emit(std::move(op), name, width(input));
}

uint32_t DecoderBuilder::attention(const std::string& name, uint32_t q, uint32_t k, uint32_t v, uint64_t heads,
                                   uint64_t kv_heads, uint64_t window) {
  Op op;
  op.kind = OpKind::attention;
  op.inputs = {q, k, v};
  op.mode = static_cast<uint32_t>(Attention::causal);
  op.heads = static_cast<uint32_t>(heads);
  op.kv_heads = static_cast<uint32_t>(kv_heads);
  op.window = static_cast<uint32_t>(window);
  return emit(std::move(op), name, width(q));
}

uint32_t DecoderBuilder::activation(const std::string& name, uint32_t input, Activation activation) {
  Op op;
  op.kind = OpKind::activation;
  op.inputs = {input};
  op.mode = static_cast<uint32_t>(activation);
  return emit(std::move(op), name, width(input));
}

uint32_t DecoderBuilder::add(const std::string& name, uint32_t a, uint32_t b) {
  Op op;
  op.kind = OpKind::add;
  op.inputs = {a, b};
  return emit(std::move(op), name, width(a));
}

uint32_t DecoderBuilder::multiply(const std::string& name, uint32_t a, uint32_t b) {
  Op op;
  op.kind = OpKind::multiply;
  op.inputs = {a, b};
  return emit(std::move(op), name, width(a));
}

void DecoderBuilder::head(const std::string& weight_name, uint32_t input, uint64_t vocabulary) {
  Op op;
  op.kind = OpKind::linear;
  op.inputs = {input};
  op.weights = {weight(weight_name, {vocabulary, width(input)})};
  program_.outputs = {emit(std::move(op), "logits", vocabulary)};
}

void hide_tensors(SourceModel& model, const std::vector<std::string>& names) {
  model.checkpoint =
      std::make_shared<ConvertedCheckpoint>(model.checkpoint, std::map<std::string, TensorConversion>{}, names);
}

std::string head_weight(SourceModel& model, const std::string& table, const std::string& head, bool tied) {
  if (!tied) return head;
  if (!model.checkpoint->has(head)) return table;
  const TensorView a = model.checkpoint->tensor(table);
  const TensorView b = model.checkpoint->tensor(head);
  const bool same = a.dtype == b.dtype && a.shape == b.shape &&
                    std::equal(a.bytes.begin(), a.bytes.end(), b.bytes.begin(), b.bytes.end());
  if (!same) {
    fail(Errc::malformed, message(model.checkpoint->where(head), ": tensor ", head, " differs from ", table,
                                  ", with which the config ties it (tie_word_embeddings)"));
  }
  model.checkpoint->release(table);
  hide_tensors(model, {head});
  return table;
}

}  // namespace lathe::architectures_detail
