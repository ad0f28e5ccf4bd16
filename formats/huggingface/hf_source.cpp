#include "formats/huggingface/hf_source.h"

#include "formats/huggingface/hf_chat_template.h"
#include "formats/huggingface/hf_tokenizer.h"
#include "formats/text.h"

namespace lathe {
namespace {

class HfSource : public Source {
 public:
  HfSource(std::filesystem::path folder, ConfigOptions options)
      : folder_(std::move(folder)), config_(folder_, options) {}

  std::string name() const override {
    const auto absolute = std::filesystem::absolute(folder_).lexically_normal();
    return (absolute.has_filename() ? absolute : absolute.parent_path()).filename().string();
  }
  const ConfigFile& config() const override { return config_; }
  std::shared_ptr<const Checkpoint> checkpoint() const override { return open_checkpoint(folder_); }
  TokenizerSpec tokenizer() const override {
    tokenizer_notes_.clear();
    TokenizerSpec spec = read_hf_tokenizer(folder_, tokenizer_notes_);
    const std::optional<SentenceTransformer> encoder = sentence_transformer();
    if (encoder && !encoder->default_prompt.empty()) {
      spec.text_prefix = encoder->default_prompt;
      tokenizer_notes_.push_back(message("the prompt \"", printable(spec.text_prefix), "\" goes before every text, as ",
                                         "config_sentence_transformers.json says"));
    }
    return spec;
  }
  std::optional<SentenceTransformer> sentence_transformer() const override {
    return read_sentence_transformer(folder_);
  }
  std::vector<std::string> notes() const override {
    std::vector<std::string> notes = hf_chat_template_notes(folder_);
    notes.insert(notes.begin(), tokenizer_notes_.begin(), tokenizer_notes_.end());
    return notes;
  }

 private:
  std::filesystem::path folder_;
  ConfigFile config_;
  mutable std::vector<std::string> tokenizer_notes_;  // of the last reading
};

}  // namespace

bool is_hf_source(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

std::unique_ptr<Source> open_hf_source(const std::filesystem::path& path, ConfigOptions options) {
  return std::make_unique<HfSource>(path, options);
}

}  // namespace lathe
