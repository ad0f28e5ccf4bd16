#pragma once
// Builds the program of a model op by op over the tensors of its checkpoint. Every architecture uses it.

#include <string>
#include <vector>

#include "compress/source/source_model.h"

namespace lathe {

/// Adds ops to the program of a model, with a new value for the output of each. Weights are tensors of the model's
/// checkpoint or of `derived` and must have the shapes that the ops need (Error{malformed}); the same name always
/// gives the same weight. Every function returns the index of the value or weight that it adds.
class ProgramBuilder {
 public:
  explicit ProgramBuilder(SourceModel& model) : model_(model), program_(model.program) {}

  uint32_t weight(const std::string& name, const Shape& shape);
  /// A weight that is no tensor of the checkpoint.
  uint32_t constant(const std::string& name, const std::vector<float>& values);

  /// An input of the program, which the caller gives.
  uint32_t input(const std::string& name, RowKind rows, const RowShape& shape);

  /// The general form: an op of any kind whose output is called `name`. The output's rows follow from the kind and the
  /// first input.
  uint32_t op(const std::string& name, const Attributes& attributes, std::vector<uint32_t> inputs,
              std::vector<uint32_t> weights, const RowShape& shape);

  uint32_t embedding(const std::string& name, Stream stream, uint32_t table, uint64_t width);
  /// `bias` may be kNone.
  uint32_t linear(const std::string& name, uint32_t input, uint32_t matrix, uint32_t bias, uint64_t outputs);
  /// A linear op whose weights are name.weight and, where `bias` is true, name.bias.
  uint32_t linear(const std::string& name, bool bias, uint32_t input, uint64_t outputs);
  uint32_t layer_norm(const std::string& name, uint32_t input, uint32_t gamma, uint32_t beta, float epsilon);
  /// A layer norm whose weights are name.weight and name.bias.
  uint32_t layer_norm(const std::string& name, uint32_t input, float epsilon);
  /// The weight is name.weight, as wide as the row, or as one head where `heads` is not 0.
  uint32_t rms_norm(const std::string& name, uint32_t input, uint64_t heads, float epsilon);
  uint32_t rope(const std::string& name, uint32_t input, uint32_t frequencies, uint64_t heads);
  uint32_t full_attention(const std::string& name, uint32_t q, uint32_t k, uint32_t v, uint64_t heads);
  uint32_t causal_attention(const std::string& name, uint32_t q, uint32_t k, uint32_t v, uint64_t heads,
                            uint64_t kv_heads, uint64_t window);
  uint32_t activation(const std::string& name, uint32_t input, ActivationFunction function);
  uint32_t add(const std::string& name, uint32_t a, uint32_t b);
  uint32_t multiply(const std::string& name, uint32_t a, uint32_t b);

  uint32_t width(uint32_t value) const { return program_.values[value].shape.size(); }

 private:
  SourceModel& model_;
  Program& program_;
};

}  // namespace lathe
