#pragma once
// What the other files of a model folder say against tokenizer.json or vocab.txt, and who wins: what transformers does
// (measured with 5.24), or an error that names both files where its versions differ.

#include <filesystem>
#include <string>
#include <vector>

#include "formats/artifact/tokenizer/tokenizer_spec.h"
#include "formats/huggingface/hf_tokenizer_config.h"

// `config` is tokenizer_config.json and `map` special_tokens_map.json.
namespace lathe::detail {

/// Tokenizers of BERT and its kin take lower case, accents and Chinese characters from tokenizer_config.json, with
/// defaults where it does not say, and not from the normalizer of tokenizer.json. A difference is a note. Throws
/// Error{unsupported} naming both files when they name different begin, end or unknown tokens.
void apply_bert_class(const std::filesystem::path& folder, const TokenizerConfig& config, const TokenizerConfig& map,
                      TokenizerSpec& spec, std::vector<std::string>& notes);

/// The space that GPT-2's class puts before a text comes from tokenizer_config.json. Throws Error{unsupported} naming
/// both files when that file and tokenizer.json disagree for another class.
void apply_prefix_space(const TokenizerConfig& config, TokenizerSpec& spec);

/// Adds the tokens that stand beside the tokenizer: added_tokens_decoder, additional_special_tokens and
/// extra_special_tokens of tokenizer_config.json, added_tokens.json, special_tokens_map.json. Tokens without an id get
/// the next one. Throws Error{malformed} naming file and token when its id is another token's, or leaves a gap.
void add_tokens_beside(const std::filesystem::path& folder, const TokenizerConfig& config, const TokenizerConfig& map,
                       TokenizerSpec& spec);

}  // namespace lathe::detail
