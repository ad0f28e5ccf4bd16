#pragma once
// A GGUF file seen as the folder that it was made from: tensors and config under the names of Hugging Face.

#include <filesystem>
#include <memory>
#include <string>

#include "formats/checkpoint.h"
#include "formats/gguf/gguf.h"
#include "formats/huggingface/hf_config.h"

namespace lathe {

struct GgufModel {
  std::shared_ptr<const GgufFile> file;
  std::shared_ptr<const Checkpoint> checkpoint;  // names, layouts and row orders of the Hugging Face checkpoint
  ConfigFile config;                             // what its config.json would say; path() is the GGUF file
  std::string quantized;                         // "Q4_1 (210 tensors), Q8_0 (1 tensor)"; empty where none is
};

/// Architectures llama (and mistral, which writes itself as llama), qwen2, qwen3 and gpt2. Throws the errors of
/// GgufFile; Error{malformed} for a missing key or tensor, or one too many; Error{unsupported} for other
/// architectures, and for quantized tensors unless `allow_requantize`.
GgufModel open_gguf_model(const std::filesystem::path& path, bool allow_requantize);
GgufModel open_gguf_model(std::shared_ptr<const GgufFile> file, bool allow_requantize);

}  // namespace lathe
