#include "formats/gguf/gguf_source.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <span>

#include "formats/gguf/gguf_model.h"
#include "formats/gguf/gguf_tokenizer.h"

namespace lathe {
namespace {

using std::filesystem::path;

class GgufSource : public Source {
 public:
  GgufSource(path file, ConfigOptions options)
      : path_(std::move(file)), model_(open_gguf_model(path_, options.allow_requantize)) {}

  std::string name() const override { return path_.stem().string(); }
  const ConfigFile& config() const override { return model_.config; }
  std::shared_ptr<const Checkpoint> checkpoint() const override { return model_.checkpoint; }
  TokenizerSpec tokenizer() const override { return read_gguf_tokenizer(*model_.file); }
  std::vector<std::string> notes() const override {
    if (model_.quantized.empty()) return {};
    return {message("the source is already quantized: ", model_.quantized,
                    "; everything is compared with what it decodes to")};
  }

 private:
  path path_;
  GgufModel model_;
};

bool begins_as_gguf(const path& file) {
  std::array<char, 4> magic{};
  std::ifstream stream(file, std::ios::binary);
  stream.read(magic.data(), magic.size());
  return stream && GgufFile::is_gguf(std::as_bytes(std::span(magic)));
}

// A part of a model after the first: NAME-00002-of-00003.gguf.
bool is_later_part(const path& file) {
  const std::string stem = file.stem().string();
  constexpr std::string_view kFirst = "-00001-of-00000";
  if (stem.size() < kFirst.size()) return false;
  const std::string_view ending = std::string_view(stem).substr(stem.size() - kFirst.size());
  const auto is_number = [&](size_t at) {
    const std::string_view digits = ending.substr(at, 5);
    return std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  return ending[0] == '-' && ending.substr(6, 4) == "-of-" && is_number(1) && is_number(10) &&
         ending.substr(1, 5) != kFirst.substr(1, 5);
}

// Without the later parts of models in several. Sorted, so that a message does not depend on the order of the folder.
std::vector<path> gguf_files(const path& folder) {
  std::vector<path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.is_regular_file() || entry.path().extension() != ".gguf" || is_later_part(entry.path())) continue;
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool is_folder(const path& candidate) {
  std::error_code ignored;
  return std::filesystem::is_directory(candidate, ignored);
}

}  // namespace

bool is_gguf_source(const path& candidate) {
  if (!is_folder(candidate)) return begins_as_gguf(candidate);
  return !std::filesystem::exists(candidate / "config.json") && !gguf_files(candidate).empty();
}

path gguf_file_of(const path& candidate) {
  if (!is_folder(candidate)) return candidate;
  const std::vector<path> files = gguf_files(candidate);
  if (files.size() == 1) return files[0];
  std::string names;
  for (const path& file : files) names += (names.empty() ? "" : ", ") + file.filename().string();
  fail(Errc::usage, message(candidate.string(), ": this folder has ", files.size(), " GGUF files (", names,
                            "); give the path of the one to read"));
}

std::unique_ptr<Source> open_gguf_source(const path& candidate, ConfigOptions options) {
  return std::make_unique<GgufSource>(gguf_file_of(candidate), options);
}

}  // namespace lathe
