#pragma once
// An encoder or a classifier as an ONNX model, for the runtimes that read those.

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compress/export/onnx/onnx_linear.h"
#include "formats/artifact/artifact.h"

namespace lathe {

struct OnnxExport {
  uint64_t bytes = 0;
  OnnxExportType type = OnnxExportType::f32;
  std::vector<std::pair<std::string, uint64_t>> types;  // "int8" -> weights of that type
  std::vector<std::string> notes;                       // what the user of the file should know, one sentence each
};

/// Writes the program as operators of ONNX's own set 17, with weights as the artifact decodes them. Inputs are
/// input_ids, attention_mask and, where the program looks at segments, token_type_ids, all [batch, sequence] of i64;
/// outputs are sentence_embedding [batch, width] and token_embeddings [batch, sequence, width], or the logits
/// [batch, labels] of a classifier. Without a type it is int8-dynamic for an artifact with integer weights, else f32.
/// Throws Error{malformed} for a damaged artifact; Error{unsupported} for one that is no encoder or classifier of
/// texts, and for a type of integers where the artifact has none; and the errors of write_onnx.
OnnxExport export_onnx(const Artifact& artifact, std::optional<OnnxExportType> type,
                       const std::filesystem::path& output);

}  // namespace lathe
