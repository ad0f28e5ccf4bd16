#pragma once
// How byte-level BPE is stored (docs/artifact-format.md). For formats/artifact/ alone.

#include <string>

#include "formats/artifact/bytes.h"
#include "formats/artifact/tokenizer/tokenizer_spec.h"

namespace lathe::detail {

/// Throws Error{malformed} naming `file`. What holds for every kind is left to the caller; the vocabulary is not empty.
void validate_byte_bpe(const TokenizerSpec& spec, const std::string& file);
/// `spec` is valid.
void write_byte_bpe(const TokenizerSpec& spec, ByteWriter& writer);
/// The caller validates what is read.
void read_byte_bpe(ByteReader& reader, TokenizerSpec& spec);

}  // namespace lathe::detail
