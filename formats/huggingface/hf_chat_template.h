#pragma once
// The chat template of a model folder, with the tokens that it may name.

#include <filesystem>
#include <string>
#include <vector>

#include "formats/artifact/tokenizer/tokenizer_spec.h"
#include "formats/huggingface/hf_tokenizer_config.h"

namespace lathe {

/// What of the folder's templates is not used: one sentence, naming the file and the templates that are left out beside
/// the one called "default"; nothing where all are used.
std::vector<std::string> hf_chat_template_notes(const std::filesystem::path& model_folder);

namespace detail {

/// The template is that of chat_template.jinja, else of tokenizer_config.json, else of chat_template.json: a text, or
/// of several by name the one called "default". Its variables are the special tokens that tokenizer_config.json names,
/// or special_tokens_map.json where that does not. Throws Error{malformed} naming the file and the field.
void read_hf_chat_template(const std::filesystem::path& model_folder, const TokenizerConfig& config,
                           TokenizerSpec& spec);

}  // namespace detail
}  // namespace lathe
