#pragma once
// The program section of an artifact: a Program as bytes (docs/artifact-format.md) and back.

#include "formats/artifact/bytes.h"
#include "formats/artifact/program.h"

namespace lathe {

std::vector<std::byte> encode_program(const Program& program);

/// Checks what the bytes alone can show; validate() still has to be called. Throws Error{malformed} naming file, op,
/// field and bound, and Error{unsupported} for a kind of op that this version does not know.
Program decode_program(Bytes section, const std::string& file);

}  // namespace lathe
