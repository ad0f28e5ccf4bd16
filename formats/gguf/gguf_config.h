#pragma once
// The metadata of a GGUF file as the config.json that it was made from.

#include "formats/gguf/gguf.h"
#include "formats/gguf/gguf_names.h"
#include "formats/json.h"

namespace lathe {

/// The counts that the layout of tensors depends on.
struct GgufShapes {
  uint64_t layers = 0;
  uint64_t heads = 0;
  uint64_t kv_heads = 0;
  uint64_t head_width = 0;
};
GgufShapes read_gguf_shapes(const GgufFile& file, const GgufArchitectureRow& row);

/// Throws Error{malformed} naming file and key for one that is missing, of another type or out of bounds, and for a
/// tokenizer that contradicts itself or the embedding table; Error{unsupported} for models that the config of this
/// architecture cannot describe.
Json gguf_config(const GgufFile& file, const GgufArchitectureRow& row, const GgufShapes& shapes);

/// Throws Error{malformed} unless the keys of the tokenizer are there, have as many elements as the embedding table has
/// rows, and name ids below that.
void check_gguf_tokenizer(const GgufFile& file, uint64_t rows);

}  // namespace lathe
