#pragma once
// Decoders of the shape of Llama models with made-up weights, for measuring speed.

#include <map>
#include <string>

#include "formats/artifact/program.h"
#include "runtime/executor.h"

namespace lathe::experiments {

struct LlamaShape {
  std::string name;
  uint32_t layers, width, heads, kv_heads, hidden, vocabulary;
};
inline const LlamaShape kSmolLM2 = {"SmolLM2-shaped 135 M", 30, 576, 9, 3, 1536, 49152};
inline const LlamaShape kLlama1B = {"Llama-shaped 1 B", 16, 2048, 32, 8, 8192, 128256};
inline const LlamaShape kLlama8B = {"Llama-shaped 8 B", 32, 4096, 32, 8, 14336, 128256};

/// A program and its weights: random ones of each shape, which all layers share on the host (the device gets a copy for
/// each).
struct MadeUpModel {
  Program program;
  std::map<std::string, Shape> shapes;           // of each weight
  std::map<std::string, EncodedBuffer> buffers;  // by shape_key()

  WeightLookup lookup() const;
};
MadeUpModel make_llama(const LlamaShape& shape, const Encoding& linear);

/// A weight of that encoding with made-up numbers of a size that keeps activations within range.
EncodedBuffer made_up_weight(const Shape& shape, const Encoding& encoding, uint64_t seed);

}  // namespace lathe::experiments
