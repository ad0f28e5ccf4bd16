// Any text as JSON and as config.json: an error, or a value that survives being written, and fields within bounds.

#include <cstdlib>

#include "formats/huggingface/hf_config.h"

namespace {

void read_fields(std::string_view text) {
  using namespace lathe;
  try {
    const ConfigFile config = ConfigFile::parse(text, "fuzz.json");
    if (config.integer({"hidden_size", "n_embd"}, 1, 65536, 1) > 65536) std::abort();
    if (config.number({"layer_norm_eps", "rope_parameters.rope_theta"}, 0, 1, 0) > 1) std::abort();
    config.text({"hidden_act"}, "gelu");
    config.boolean({"tie_word_embeddings"}, false);
    config.model_type();
  } catch (const Error& error) {
    if (error.code() == Errc::internal) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lathe;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_fields(text);
  try {
    const Json json = parse_json(text, "fuzz.json");
    if (parse_json(to_text(json, 1), "again") != json) std::abort();
  } catch (const Error& error) {
    if (error.code() == Errc::internal) std::abort();
  }
  return 0;
}
