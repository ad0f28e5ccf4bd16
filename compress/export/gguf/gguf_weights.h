#pragma once
// The weights of a decoder's program under the names and in the order that a GGUF file wants.

#include <string>
#include <vector>

#include "formats/artifact/artifact.h"
#include "formats/gguf/gguf_names.h"
#include "formats/gguf/gguf_writer.h"

namespace lathe {

/// A weight of the program, or the product of two: up [rows, rank] times down [rank, columns].
struct GgufFactor {
  EncodedTensor up;
  std::optional<EncodedTensor> down;

  uint64_t rows() const { return up.rows(); }
  uint64_t columns() const { return down.has_value() ? down->cols() : up.cols(); }
};

/// One tensor of the file: its factors stand one below the other.
struct GgufWeight {
  std::string name;
  const GgufName* row = nullptr;
  uint64_t layer = 0;  // of the file, where layers are counted from 0 without gaps
  std::vector<GgufFactor> factors;

  bool is_vector() const { return factors.front().up.shape.size() == 1; }
  Shape shape() const;
};

/// Gives the sink all rows of the weight. Heads have `head_width` rows where the layout orders them anew, else 0.
void write_rows(const GgufWeight& weight, uint64_t head_width, const GgufSink& sink);

/// What the program says beside its weights.
struct GgufProgram {
  std::vector<GgufWeight> weights;  // in the order of the table of names, layer by layer
  uint64_t layers = 0;
  uint64_t heads = 0;
  uint64_t kv_heads = 0;
  uint64_t window = 0;
  float epsilon = 0;
  std::vector<float> frequencies;  // of rope; empty without

  const GgufWeight* find(std::string_view name) const;
};

/// Throws Error{unsupported} naming the op where the program has something that the architecture has no place for, or
/// layers that differ where GGUF has one number; Error{malformed} when a weight is missing.
GgufProgram read_gguf_program(const Artifact& artifact, const GgufArchitectureRow& row);

}  // namespace lathe
