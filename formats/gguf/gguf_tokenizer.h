#pragma once
// The tokenizer in the metadata of a GGUF file.

#include <cstdint>
#include <string_view>

#include "formats/artifact/tokenizer/tokenizer_spec.h"
#include "formats/gguf/gguf.h"

namespace lathe {

/// Byte-level BPE (tokenizer.ggml.model "gpt2") with the splits that tokenizer.ggml.pre names. Throws
/// Error{unsupported} naming another model or split; Error{malformed} naming file, key, value and bound.
TokenizerSpec read_gguf_tokenizer(const GgufFile& file);

/// The name in tokenizer.ggml.pre from which read_gguf_tokenizer() gives the tokenizer's split, normalizer and use of
/// merges again; empty when there is none.
std::string_view gguf_pre_tokenizer(const TokenizerSpec& spec);

/// The values of tokenizer.ggml.token_type. Control tokens are no text; tokens of the user are text that is matched
/// before anything else; unused tokens fill the vocabulary up to the rows of the embedding table.
inline constexpr int32_t kGgufNormalToken = 1;
inline constexpr int32_t kGgufControlToken = 3;
inline constexpr int32_t kGgufUserToken = 4;
inline constexpr int32_t kGgufUnusedToken = 5;

}  // namespace lathe
