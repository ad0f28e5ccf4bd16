#pragma once
// The tokenizer of a model folder: BERT WordPiece or byte-level BPE. Whatever a file asks for beyond what is handled is
// an error, never a silently different split.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "formats/artifact/tokenizer/tokenizer_spec.h"

namespace lathe {

/// Reads tokenizer.json, or else vocab.txt (BERT), or else vocab.json with merges.txt (GPT-2 and Qwen2), with
/// tokenizer_config.json where present. max_length is max_seq_length of sentence_bert_config.json, else
/// model_max_length of tokenizer_config.json when it is at most 1,000,000, else 512 for BERT and kAnyLength otherwise;
/// the truncation and padding that tokenizer.json carries are not the model's and are not used. The pad token is the
/// one that tokenizer_config.json names, else [PAD] or the end token; id 0 when none is in the vocabulary (padding is
/// masked). Of byte-level BPE, stop_ids are the eos_token_id of generation_config.json and config.json, eos_token, and
/// the known end tokens; the chat template is that of read_hf_chat_template(). Throws
/// Error{no_input} when there is no such file; Error{unsupported} naming a model, normalizer, pre-tokenizer, expression
/// or post-processor that is not handled; Error{malformed} for ids that are not 0..n-1 each once, or a special token or
/// a part of a merge that is not in the vocabulary; Error{limit} beyond kMaxVocabulary or kMaxTokenBytes.
/// Where the folder's files contradict each other, what transformers takes is taken and said in `notes`, or the error
/// names both files; tokens that stand beside the tokenizer are added (hf_tokenizer_overrides.h).
TokenizerSpec read_hf_tokenizer(const std::filesystem::path& model_folder, std::vector<std::string>& notes);
TokenizerSpec read_hf_tokenizer(const std::filesystem::path& model_folder);

inline constexpr uint64_t kMaxVocabulary = uint64_t{1} << 24;
inline constexpr uint64_t kMaxTokenBytes = 64 << 10;

/// tokenizer.json alone (pad [PAD] and max_length 512 for BERT). Same errors.
TokenizerSpec parse_tokenizer_json(std::string_view text, std::string_view path);

/// What tokenizer_config.json says beside a vocab.txt; the defaults are those of BERT.
struct WordPieceOptions {
  bool lowercase = true;
  bool strip_accents = true;
  bool split_chinese = true;
  std::string unknown = "[UNK]";
  std::string begin = "[CLS]";
  std::string end = "[SEP]";
  std::string pad = "[PAD]";
  std::string mask = "[MASK]";
};

/// One token per line, its id is the number of the line. Same errors.
TokenizerSpec parse_vocab_txt(std::string_view text, std::string_view path, const WordPieceOptions& options = {});

/// Throws Error{malformed} naming `path` when the tokenizer has ids that the embedding has no row for.
void check_vocabulary_fits(const TokenizerSpec& spec, uint64_t embedding_rows, std::string_view path);

}  // namespace lathe
