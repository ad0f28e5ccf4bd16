#include "formats/huggingface/hf_tokenizer.h"

#include <algorithm>
#include <array>
#include <optional>

#include "formats/artifact/mapped_file.h"
#include "formats/bpe_tokenizer.h"
#include "formats/huggingface/hf_tokenizer_config.h"
#include "formats/huggingface/hf_tokenizer_overrides.h"
#include "formats/huggingface/sentence_transformers.h"
#include "formats/huggingface/vocabulary.h"
#include "formats/json.h"
#include "formats/text.h"

namespace lathe {
namespace {

using detail::TokenizerConfig;
using std::filesystem::path;

/// Classes whose vocab.txt means BERT WordPiece, without a final "Fast".
constexpr std::array<std::string_view, 4> kWordPieceClasses = {"BertTokenizer", "DistilBertTokenizer",
                                                               "ElectraTokenizer", "MobileBertTokenizer"};

WordPieceOptions options_from(const TokenizerConfig& config) {
  WordPieceOptions options;
  if (const Json* type = config.find("tokenizer_class")) {
    const std::string name = config.class_name();
    if (std::find(kWordPieceClasses.begin(), kWordPieceClasses.end(), name) == kWordPieceClasses.end()) {
      fail(Errc::unsupported, message(config.subject("tokenizer_class"), " is ", type->excerpt(),
                                      ", supported without a tokenizer.json are BERT and its kin"));
    }
  }
  options.lowercase = config.boolean("do_lower_case", options.lowercase);
  options.strip_accents = config.boolean("strip_accents", options.lowercase);
  options.split_chinese = config.boolean("tokenize_chinese_chars", options.split_chinese);
  options.unknown = config.token("unk_token", options.unknown);
  options.begin = config.token("cls_token", options.begin);
  options.end = config.token("sep_token", options.end);
  options.pad = config.token("pad_token", options.pad);
  options.mask = config.token("mask_token", options.mask);
  return options;
}

/// `fallback` where the files say nothing, or a number that means "no limit".
uint32_t max_length(const path& folder, const TokenizerConfig& config, uint32_t fallback) {
  if (const auto length = read_max_seq_length(folder)) return *length;
  constexpr uint64_t kLeast = 2;         // the begin and the end token
  constexpr uint64_t kSane = 1'000'000;  // beyond, the field means "no limit"
  const Json* length = config.find("model_max_length");
  if (length == nullptr) return fallback;
  if (!length->is_number() || length->as_f64() < kLeast) {
    fail(Errc::malformed, message(config.subject("model_max_length"), " is ", length->excerpt(),
                                  ", expected an integer of at least ", kLeast));
  }
  return length->is_u64() && length->as_u64() <= kSane ? static_cast<uint32_t>(length->as_u64()) : fallback;
}

/// sentence-transformers can lower the case of a text before it reaches the tokenizer.
bool lowers_case_first(const path& folder) {
  const path file = folder / "sentence_bert_config.json";
  const std::optional<Json> config = find_json_file(file);
  const Json* flag = config ? config->find("do_lower_case") : nullptr;
  return flag != nullptr && !flag->is_null() && flag->as_bool(message(file.string(), ": do_lower_case"));
}

uint32_t pad_id(const TokenizerSpec& spec, const std::string& pad) {
  const auto found = std::find(spec.vocabulary.begin(), spec.vocabulary.end(), pad);
  return found == spec.vocabulary.end() ? 0 : static_cast<uint32_t>(found - spec.vocabulary.begin());
}

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

bool is_present(const path& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

}  // namespace

TokenizerSpec read_hf_tokenizer(const path& model_folder, std::vector<std::string>& notes) {
  const TokenizerConfig config = detail::read_tokenizer_config(model_folder);
  const TokenizerConfig map = detail::read_special_tokens_map(model_folder);
  const path json = model_folder / "tokenizer.json";
  const path vocab = model_folder / "vocab.txt";
  TokenizerSpec spec;
  if (is_present(json)) {
    const MappedFile file(json);
    spec = parse_tokenizer_json(text_of(file), file.path());
    detail::apply_bert_class(model_folder, config, map, spec, notes);
    detail::apply_prefix_space(config, spec);
  } else if (is_present(vocab)) {
    const MappedFile file(vocab);
    spec = parse_vocab_txt(text_of(file), file.path(), options_from(config));
  } else if (is_present(model_folder / "vocab.json") && is_present(model_folder / "merges.txt")) {
    spec = detail::read_vocab_and_merges(model_folder, config);
  } else {
    fail(Errc::no_input,
         message(model_folder.string(),
                 " has no tokenizer, expected tokenizer.json or vocab.txt or vocab.json with merges.txt"));
  }
  detail::add_tokens_beside(model_folder, config, map, spec);
  if (spec.kind == TokenizerKind::byte_bpe) {
    detail::finish_byte_bpe(model_folder, config, spec);
    spec.max_length = max_length(model_folder, config, kAnyLength);
    return spec;
  }
  constexpr uint32_t kBert = 512;
  if (is_present(json)) spec.pad_id = pad_id(spec, config.token("pad_token", "[PAD]"));
  spec.max_length = max_length(model_folder, config, kBert);
  spec.lowercase = spec.lowercase || lowers_case_first(model_folder);
  return spec;
}

TokenizerSpec read_hf_tokenizer(const path& model_folder) {
  std::vector<std::string> notes;
  return read_hf_tokenizer(model_folder, notes);
}

TokenizerSpec parse_vocab_txt(std::string_view text, std::string_view path, const WordPieceOptions& options) {
  Vocabulary vocabulary(path);
  uint32_t line = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view token = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (token.ends_with('\r')) token.remove_suffix(1);
    if (token.empty()) fail(Errc::malformed, message(path, ": line ", line + 1, " is empty, expected a token"));
    if (!is_utf8(token)) {
      fail(Errc::malformed, message(path, ": line ", line + 1, ": ", printable(token), " is not UTF-8"));
    }
    vocabulary.add(line++, token);
  }
  TokenizerSpec spec;
  spec.kind = TokenizerKind::wordpiece;
  spec.vocabulary = vocabulary.dense();
  spec.lowercase = options.lowercase;
  spec.strip_accents = options.strip_accents;
  spec.split_chinese = options.split_chinese;
  spec.unknown_id = vocabulary.id_of(options.unknown, path);
  spec.begin_id = vocabulary.id_of(options.begin, path);
  spec.end_id = vocabulary.id_of(options.end, path);
  spec.pad_id = vocabulary.find(options.pad).value_or(0);
  for (const std::string& special : {options.unknown, options.begin, options.end, options.pad, options.mask}) {
    const auto id = vocabulary.find(special);
    const auto same = [&](const AddedToken& token) { return token.id == id; };
    if (!id || std::any_of(spec.added_tokens.begin(), spec.added_tokens.end(), same)) continue;
    spec.added_tokens.push_back({.id = *id, .content = special});
  }
  std::sort(spec.added_tokens.begin(), spec.added_tokens.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  return spec;
}

void check_vocabulary_fits(const TokenizerSpec& spec, uint64_t embedding_rows, std::string_view path) {
  if (spec.vocabulary.size() <= embedding_rows) return;
  fail(Errc::malformed, message(path, ": token \"", printable(spec.vocabulary.back()), "\" has id ",
                                spec.vocabulary.size() - 1, ", but the embedding has only ", embedding_rows, " rows"));
}

}  // namespace lathe
