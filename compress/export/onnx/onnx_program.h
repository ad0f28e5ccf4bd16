#pragma once
// The program of an artifact as a graph of ONNX.

#include <map>
#include <optional>
#include <string>

#include "compress/export/onnx/onnx_linear.h"
#include "formats/artifact/artifact.h"

namespace lathe {

struct OnnxProgram {
  OnnxModel model;                        // nodes, tensors, inputs and outputs
  std::map<std::string, uint64_t> types;  // "int8" -> weights of the program that are written so
  std::optional<uint64_t> positions;      // rows of the shortest position table: tokens of a text at most
  uint64_t floats = 0;                    // linear weights that have no integers
  uint64_t sixteen_bit_inputs = 0;        // linear ops whose inputs are rounded to 16 bits
};

/// Throws Error{unsupported} naming the file and the op or value for a program that is no encoder of token ids with one
/// output, a row for each sequence.
void check_onnx_program(const Artifact& artifact);

/// Decodes nothing yet: the tensors read the planes of the artifact, which outlives them, when they are written. The
/// output is `logits` for a classifier, otherwise `sentence_embedding`, beside the `token_embeddings` that it is made
/// of. The program has been checked.
OnnxProgram onnx_program(const Artifact& artifact, OnnxExportType type, bool classifies);

}  // namespace lathe
