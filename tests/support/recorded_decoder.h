#pragma once
// The small decoders that experiments/references/record_decoders.py records, as folders that can be opened, as they are
// or with changes.

#include <filesystem>
#include <map>
#include <string>

#include "formats/json.h"
#include "formats/safetensors/safetensors_checkpoint.h"
#include "tests/support/paths.h"
#include "tests/support/reference_file.h"
#include "tests/support/safetensors_builder.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

namespace lathe::test {

inline const std::vector<std::string>& recorded_decoders() {
  static const std::vector<std::string> names = {"llama", "llama_scaled", "mistral", "qwen2", "qwen3", "gpt2"};
  return names;
}

/// Config and tensors of a recorded decoder. Change what you like, then write().
struct RecordedDecoder {
  std::filesystem::path folder;
  Json config;
  std::map<std::string, TinyTensor> tensors;  // in f32, which holds the recorded numbers exactly

  explicit RecordedDecoder(const std::string& name)
      : folder(test::data_path("decoders") / name), config(read_json_file(folder / "config.json")) {
    const auto checkpoint = open_checkpoint(folder);
    for (const std::string& tensor : checkpoint->names()) {
      tensors[tensor] = {checkpoint->tensor(tensor).shape, read_f32(*checkpoint, tensor)};
    }
  }

  std::vector<std::vector<int32_t>> inputs() const { return read_token_lines(folder / "inputs.txt"); }
  std::vector<ReferenceSequence> expected() const { return read_reference(folder / "expected.txt"); }

  /// A folder with the files as they were recorded, and the tokenizer.
  std::filesystem::path copy(const TempDir& dir) const {
    std::filesystem::copy(folder, dir / "model");
    return with_tokenizer(dir);
  }

  /// A folder with config and tensors as they are by now, and the tokenizer.
  std::filesystem::path write(const TempDir& dir) const {
    dir.write("model/config.json", to_text(config, 2));
    SafetensorsBuilder builder;
    for (const auto& [name, tensor] : tensors) builder.add_f32(name, tensor.shape, tensor.values);
    dir.write("model/model.safetensors", builder.build());
    return with_tokenizer(dir);
  }

  void rename(const std::string& from, const std::string& to) {
    auto node = tensors.extract(from);
    node.key() = to;
    tensors.insert(std::move(node));
  }

 private:
  std::filesystem::path with_tokenizer(const TempDir& dir) const {
    for (const char* file : {"tokenizer.json", "tokenizer_config.json"}) {
      std::filesystem::copy(folder.parent_path() / file, dir / "model" / file);
    }
    return dir / "model";
  }
};

}  // namespace lathe::test
