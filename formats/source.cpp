#include "formats/source.h"

#include <array>

#include "formats/gguf/gguf_source.h"
#include "formats/huggingface/hf_source.h"

namespace lathe {
namespace {

// A folder with a GGUF file and no config.json is a GGUF source: this row stands before that of other folders.
constexpr std::array kFormats = {
    SourceFormat{"a GGUF file", is_gguf_source, open_gguf_source},
    SourceFormat{"a model folder with config.json and model.safetensors or pytorch_model.bin", is_hf_source,
                 open_hf_source},
};

}  // namespace

std::span<const SourceFormat> source_formats() { return kFormats; }

std::unique_ptr<Source> open_source_files(const std::filesystem::path& path, ConfigOptions options) {
  std::string expected;
  for (const SourceFormat& format : kFormats) {
    if (format.recognises(path)) return format.open(path, options);
    expected += (expected.empty() ? "" : " or ") + std::string(format.expected);
  }
  fail(Errc::no_input, message(path.string(), ": expected ", expected));
}

}  // namespace lathe
