#pragma once
// Where models come from: one table of the formats that are read.

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "formats/artifact/tokenizer/tokenizer_spec.h"
#include "formats/checkpoint.h"
#include "formats/huggingface/hf_config.h"
#include "formats/huggingface/sentence_transformers.h"

namespace lathe {

/// A model as its files have it, seen through the names that Hugging Face uses for tensors and for the fields of
/// config.json. A part may be read only when it is asked for, so that the first error is about what comes first: the
/// configuration, then the tensors, then the tokenizer. Each part throws the errors of its format.
class Source {
 public:
  virtual ~Source() = default;

  /// A short name for people: the folder's, or the file's without its ending.
  virtual std::string name() const = 0;
  virtual const ConfigFile& config() const = 0;
  virtual std::shared_ptr<const Checkpoint> checkpoint() const = 0;
  virtual TokenizerSpec tokenizer() const = 0;
  /// How a sentence encoder makes one vector of the vectors of tokens; absent where the format does not say.
  virtual std::optional<SentenceTransformer> sentence_transformer() const { return std::nullopt; }
  /// What the user should know about what has been read of the source, one sentence each.
  virtual std::vector<std::string> notes() const { return {}; }
};

/// One row for each format. A new format is a folder with its reader and a row in source.cpp.
struct SourceFormat {
  const char* expected;  // what a path of this format is, for the message about a path that no format recognises
  bool (*recognises)(const std::filesystem::path& path);
  /// Opens a path that the format recognises.
  std::unique_ptr<Source> (*open)(const std::filesystem::path& path, ConfigOptions options);
};
/// The first one that recognises a path opens it.
std::span<const SourceFormat> source_formats();

/// Throws Error{no_input} that lists the formats when none recognises the path; otherwise the errors of the format.
std::unique_ptr<Source> open_source_files(const std::filesystem::path& path, ConfigOptions options = {});

}  // namespace lathe
