#include "formats/huggingface/hf_tokenizer_config.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "formats/artifact/mapped_file.h"
#include "formats/bpe_tokenizer.h"
#include "formats/huggingface/hf_chat_template.h"
#include "formats/huggingface/hf_tokenizer.h"
#include "formats/huggingface/hf_tokenizer_parts.h"
#include "formats/text.h"

namespace lathe::detail {
namespace {

using std::filesystem::path;

/// Classes whose vocab.json and merges.txt say enough, without a final "Fast".
struct ClassRow {
  std::string_view name;
  BpeSplit split;
  bool nfc;
};
constexpr ClassRow kClasses[] = {{"GPT2Tokenizer", BpeSplit::gpt2, false}, {"Qwen2Tokenizer", BpeSplit::qwen2, true}};

std::string read_text(const path& file) {
  const MappedFile mapped(file);
  return {reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size()};
}

const ClassRow& class_of(const TokenizerConfig& config) {
  const Json* type = config.find("tokenizer_class");
  if (type == nullptr) return kClasses[0];
  const std::string name = config.class_name();
  for (const ClassRow& row : kClasses) {
    if (row.name == name) return row;
  }
  fail(Errc::unsupported, message(config.subject("tokenizer_class"), " is ", type->excerpt(),
                                  ", supported with vocab.json and merges.txt are GPT2Tokenizer and Qwen2Tokenizer"));
}

void read_merges_txt(const path& file, const Vocabulary& vocabulary, TokenizerSpec& spec) {
  const std::string all = read_text(file);
  std::string_view text = all;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with("#version")) continue;
    spec.merges.push_back(find_merge(vocabulary, line, message(file.string(), ": line ", number)));
  }
}

std::optional<uint32_t> id_of(const TokenizerSpec& spec, std::string_view content) {
  for (const AddedToken& token : spec.added_tokens) {
    if (token.content == content) return token.id;
  }
  const auto found = std::find(spec.vocabulary.begin(), spec.vocabulary.end(), content);
  if (content.empty() || found == spec.vocabulary.end()) return std::nullopt;
  return static_cast<uint32_t>(found - spec.vocabulary.begin());
}

/// eos_token_id is an id or a list of them. Ids that the vocabulary does not have cannot come up, so are left out.
void read_end_ids(const path& file, TokenizerSpec& spec) {
  const std::optional<Json> json = find_json_file(file);
  const Json* ids = json ? json->find("eos_token_id") : nullptr;
  if (ids == nullptr || ids->is_null()) return;
  const std::string subject = message(file.string(), ": eos_token_id");
  const auto add = [&](const Json& id) {
    const uint64_t value = id.as_u64(subject);
    if (value < spec.vocabulary.size()) add_stop(spec, static_cast<uint32_t>(value));
  };
  if (!ids->is_array()) return add(*ids);
  for (const Json& id : ids->items(subject)) add(id);
}

TokenizerConfig read_config(const path& file) {
  TokenizerConfig config;
  config.path = file.string();
  if (std::optional<Json> json = find_json_file(config.path)) {
    static_cast<void>(json->members(config.path));  // an object
    config.json = std::move(*json);
  }
  return config;
}

}  // namespace

bool TokenizerConfig::boolean(std::string_view field, bool fallback) const {
  const Json* value = find(field);
  return value == nullptr ? fallback : value->as_bool(subject(field));
}

std::string TokenizerConfig::token(std::string_view field, std::string_view fallback) const {
  const Json* value = find(field);
  if (value == nullptr) return std::string(fallback);
  if (value->is_object()) value = &value->at("content", subject(field));
  return value->as_string(subject(field));
}

std::string TokenizerConfig::class_name() const {
  const Json* type = find("tokenizer_class");
  if (type == nullptr) return {};
  std::string name = type->as_string(subject("tokenizer_class"));
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  return name;
}

TokenizerConfig read_tokenizer_config(const path& folder) { return read_config(folder / "tokenizer_config.json"); }

TokenizerConfig read_special_tokens_map(const path& folder) { return read_config(folder / "special_tokens_map.json"); }

TokenizerSpec read_vocab_and_merges(const path& folder, const TokenizerConfig& config) {
  const ClassRow& row = class_of(config);
  TokenizerSpec spec = empty_byte_bpe();
  spec.split = row.split;
  spec.nfc = row.nfc;
  spec.add_prefix_space = config.boolean("add_prefix_space", false);
  const path vocab = folder / "vocab.json";
  Vocabulary vocabulary(vocab.string());
  const Json json = read_json_file(vocab);
  read_vocab({&json, vocab.string()}, vocabulary);
  read_merges_txt(folder / "merges.txt", vocabulary, spec);
  constexpr std::string_view kEndOfText = "<|endoftext|>";  // of both classes, where no file names another
  const auto end = vocabulary.find(config.token("eos_token", kEndOfText));
  if (end) {
    spec.added_tokens.push_back({.id = *end, .content = config.token("eos_token", kEndOfText)});
  }
  spec.vocabulary = vocabulary.dense();
  check_merges_differ(spec, (folder / "merges.txt").string());
  if (config.boolean("add_bos_token", false)) {
    spec.begin_id = vocabulary.id_of(config.token("bos_token", kEndOfText), config.subject("bos_token"));
    spec.add_begin = true;
  }
  return spec;
}

void finish_byte_bpe(const path& folder, const TokenizerConfig& config, TokenizerSpec& spec) {
  if (const auto id = id_of(spec, config.token("eos_token", ""))) spec.end_id = *id;
  if (const auto id = id_of(spec, config.token("bos_token", "")); id && !spec.add_begin) spec.begin_id = *id;
  const uint32_t end = spec.end_id == kNoToken ? 0 : spec.end_id;
  spec.pad_id = id_of(spec, config.token("pad_token", "")).value_or(end);
  read_end_ids(folder / "generation_config.json", spec);
  read_end_ids(folder / "config.json", spec);
  if (spec.end_id != kNoToken) add_stop(spec, spec.end_id);
  add_known_stops(spec);
  read_hf_chat_template(folder, config, spec);
}

}  // namespace lathe::detail
