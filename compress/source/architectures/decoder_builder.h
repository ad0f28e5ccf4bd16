#pragma once
// What the architectures of decoders have in common: ops of a program over the tensors of a checkpoint.

#include <string>

#include "compress/source/architectures.h"

namespace lathe::architectures_detail {

inline constexpr uint64_t kMaxLayers = 1000;
inline constexpr uint64_t kMaxHidden = 65536;
inline constexpr uint64_t kMaxVocabulary = uint64_t{1} << 24;

/// Adds ops to the program of a model, a value for each, all with a row for each token. Weights are tensors of the
/// model's checkpoint, which must have the shapes that the ops need (Error{malformed}); the same name always gives the
/// same weight.
class DecoderBuilder {
 public:
  explicit DecoderBuilder(SourceModel& model) : model_(model), program_(model.program) {}

  uint32_t weight(const std::string& name, const Shape& shape);
  /// A weight that is no tensor of the checkpoint.
  uint32_t constant(const std::string& name, const std::vector<float>& values);

  uint32_t embedding(const std::string& name, Stream stream, uint64_t rows, uint64_t width);
  /// name.weight [outputs, inputs] and, where asked, name.bias.
  uint32_t linear(const std::string& name, bool bias, uint32_t input, uint64_t outputs);
  /// name.weight of the width of the row, or of one head where heads is not 0.
  uint32_t rms_norm(const std::string& name, uint32_t input, uint64_t heads, float epsilon);
  uint32_t layer_norm(const std::string& name, uint32_t input, float epsilon);
  uint32_t rope(const std::string& name, uint32_t input, uint32_t frequencies, uint64_t heads);
  uint32_t attention(const std::string& name, uint32_t q, uint32_t k, uint32_t v, uint64_t heads, uint64_t kv_heads,
                     uint64_t window);
  uint32_t activation(const std::string& name, uint32_t input, Activation activation);
  uint32_t add(const std::string& name, uint32_t a, uint32_t b);
  uint32_t multiply(const std::string& name, uint32_t a, uint32_t b);
  /// The logits: the program's output.
  void head(const std::string& weight, uint32_t input, uint64_t vocabulary);

 private:
  uint32_t emit(Op op, const std::string& name, uint64_t width);
  uint64_t width(uint32_t value) const { return program_.values[value].width; }

  SourceModel& model_;
  Program& program_;
};

/// The tensor with the weights of the head: `table` where the config ties both, else `head`. A checkpoint that has a
/// tied head all the same must have equal bytes in both, otherwise Error{malformed}; it is then hidden.
std::string head_weight(SourceModel& model, const std::string& table, const std::string& head, bool tied);

/// Takes tensors that are used up out of the model's checkpoint.
void hide_tensors(SourceModel& model, const std::vector<std::string>& names);

}  // namespace lathe::architectures_detail
