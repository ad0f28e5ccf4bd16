#include "formats/huggingface/hf_source.h"

#include "formats/huggingface/hf_chat_template.h"
#include "formats/huggingface/hf_tokenizer.h"

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
  TokenizerSpec tokenizer() const override { return read_hf_tokenizer(folder_); }
  std::optional<SentenceTransformer> sentence_transformer() const override {
    return read_sentence_transformer(folder_);
  }
  std::vector<std::string> notes() const override { return hf_chat_template_notes(folder_); }

 private:
  std::filesystem::path folder_;
  ConfigFile config_;
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
