#pragma once
// tokenizer_config.json, and what else of a model folder belongs to a byte-level BPE tokenizer.

#include <filesystem>
#include <string>
#include <string_view>

#include "formats/artifact/tokenizer/tokenizer_spec.h"
#include "formats/json.h"

namespace lathe::detail {

/// tokenizer_config.json, or special_tokens_map.json, which has some of its fields; a null field, as an absent one,
/// keeps the default.
struct TokenizerConfig {
  Json json = Json::object();
  std::string path;

  std::string subject(std::string_view field) const { return message(path, ": ", field); }
  const Json* find(std::string_view field) const {
    const Json* value = json.find(field);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  bool boolean(std::string_view field, bool fallback) const;
  /// tokenizer_class without a final "Fast"; empty where the file names none.
  std::string class_name() const;
  /// A token is a string or an object with its "content".
  std::string token(std::string_view field, std::string_view fallback) const;
};

/// Empty where the folder has none.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder);
TokenizerConfig read_special_tokens_map(const std::filesystem::path& folder);

/// vocab.json with merges.txt, of the classes of tokenizers for which these are enough. Errors as read_hf_tokenizer.
TokenizerSpec read_vocab_and_merges(const std::filesystem::path& folder, const TokenizerConfig& config);

/// Special tokens by name, ids that end a text, and the form of chats, from the folder's other files.
void finish_byte_bpe(const std::filesystem::path& folder, const TokenizerConfig& config, TokenizerSpec& spec);

}  // namespace lathe::detail
