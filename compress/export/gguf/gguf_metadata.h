#pragma once
// The metadata of an exported GGUF file.

#include <map>
#include <string>

#include "compress/export/gguf/gguf_weights.h"
#include "compress/source/source_model.h"

namespace lathe {

using GgufFields = std::map<std::string, GgufField>;

/// The row of the table of names for a model of this architecture. Throws Error{unsupported} when GGUF has none.
const GgufArchitectureRow& gguf_architecture_of(const Task& task, const std::string& file);

/// Widths, heads, norms and positions. `factors` receives what divides the frequencies of rope where one number cannot
/// say it (Llama 3); otherwise it stays empty. Throws Error{unsupported} for what GGUF cannot say.
GgufFields gguf_model_fields(const GgufProgram& program, const GgufArchitectureRow& row, const Task& task,
                             const std::string& file, std::vector<float>& factors);

/// Tokens, merges and special ids; tokens are filled up to the `rows` of the embedding table.
GgufFields gguf_tokenizer_fields(const TokenizerSpec& tokenizer, uint64_t rows, const std::string& file);

}  // namespace lathe
