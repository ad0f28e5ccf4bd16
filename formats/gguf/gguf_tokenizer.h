#pragma once
// The tokenizer in the metadata of a GGUF file.

#include "formats/artifact/tokenizer/tokenizer_spec.h"
#include "formats/gguf/gguf.h"

namespace lathe {

/// Byte-level BPE (tokenizer.ggml.model "gpt2") with the splits that tokenizer.ggml.pre names. Throws
/// Error{unsupported} naming another model or split; Error{malformed} naming file, key, value and bound.
TokenizerSpec read_gguf_tokenizer(const GgufFile& file);

}  // namespace lathe
