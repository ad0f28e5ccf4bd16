#pragma once
// A decoder's artifact as a GGUF file, for the programs that read those.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "formats/artifact/artifact.h"
#include "formats/artifact/named_values.h"

namespace lathe {

/// How linear weights are written. Norms, biases and position tables are always f32; with q4_0, the token table and
/// the head are Q8_0, with q4_k Q6_K. Rows that are no multiple of a type's block take the next larger type that they
/// are a multiple of: Q4_K becomes Q4_0, Q6_K Q8_0, and these f16.
enum class GgufExportType { f16, q8_0, q4_0, q4_k, q6_k };
inline constexpr NamedValues<GgufExportType, 5> kGgufExportTypes = {{{GgufExportType::f16, "f16"},
                                                                     {GgufExportType::q8_0, "q8_0"},
                                                                     {GgufExportType::q4_0, "q4_0"},
                                                                     {GgufExportType::q4_k, "q4_k"},
                                                                     {GgufExportType::q6_k, "q6_k"}}};

struct GgufExport {
  uint64_t bytes = 0;
  std::string architecture;                             // as GGUF calls it
  std::vector<std::pair<std::string, uint64_t>> types;  // "Q8_0" -> tensors of that type
  std::vector<std::string> notes;                       // what the reader of the file should know, one sentence each
};

/// Writes the weights as the artifact decodes them; the two factors of a low-rank layer as their product. Integer
/// weights whose grid fits the blocks of the type keep it, others are rounded anew. Throws Error{malformed} for a
/// damaged artifact, Error{unsupported} for one that is no decoder with a byte-level tokenizer, or that GGUF cannot
/// describe, Error{limit} for weights beyond half precision, and the errors of write_gguf.
GgufExport export_gguf(const Artifact& artifact, GgufExportType type, const std::filesystem::path& output);

}  // namespace lathe
