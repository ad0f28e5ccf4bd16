#include "formats/huggingface/hf_tokenizer_overrides.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

#include "formats/huggingface/hf_tokenizer_parts.h"
#include "formats/text.h"

namespace lathe::detail {
namespace {

using std::filesystem::path;

/// Classes, without a final "Fast", that make BERT's normalizer themselves; and model types whose tokenizer is of such
/// a class where tokenizer_config.json names none.
constexpr std::array<std::string_view, 5> kBertClasses = {"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer",
                                                          "MobileBertTokenizer", "MPNetTokenizer"};
constexpr std::array<std::string_view, 6> kBertModels = {"bert",       "distilbert", "electra",
                                                         "mobilebert", "mpnet",      "nomic_bert"};
constexpr std::string_view kGpt2Class = "GPT2Tokenizer";

template <class Names>
bool is_one_of(std::string_view name, const Names& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_bert_class(const path& folder, const TokenizerConfig& config) {
  if (const std::string name = config.class_name(); !name.empty()) return is_one_of(name, kBertClasses);
  const std::optional<Json> model = find_json_file(folder / "config.json");
  const Json* type = model ? model->find("model_type") : nullptr;
  return type != nullptr && type->is_string() && is_one_of(type->as_string("model_type"), kBertModels);
}

struct SwitchRow {
  const char* name;  // in tokenizer_config.json
  bool TokenizerSpec::*field;
};
constexpr SwitchRow kLowerCase = {"do_lower_case", &TokenizerSpec::lowercase};
constexpr SwitchRow kChinese = {"tokenize_chinese_chars", &TokenizerSpec::split_chinese};
constexpr SwitchRow kAccents = {"strip_accents", &TokenizerSpec::strip_accents};

void apply_switch(const TokenizerConfig& config, const SwitchRow& row, bool fallback, TokenizerSpec& spec,
                  std::vector<std::string>& notes) {
  const bool value = config.boolean(row.name, fallback);
  if (spec.*row.field == value) return;
  spec.*row.field = value;
  notes.push_back(message(config.subject(row.name), " is ", value ? "true" : "false",
                          config.find(row.name) == nullptr ? ", the default of its class" : "",
                          ", against the normalizer of tokenizer.json: it wins, as it does in transformers"));
}

/// The first of the files that names the token; null where none does.
const TokenizerConfig* naming(std::string_view field, const TokenizerConfig& config, const TokenizerConfig& map) {
  if (config.find(field) != nullptr) return &config;
  return map.find(field) != nullptr ? &map : nullptr;
}

// ---- tokens beside the tokenizer ----

struct TokenBeside {
  AddedToken token;
  std::string subject;         // "tokenizer_config.json: added_tokens_decoder: 7"
  std::optional<uint32_t> id;  // where the file gives one
  bool has_flags = false;      // the file says how the token is matched
};

std::optional<uint32_t> id_of_key(std::string_view key) {
  const bool is_number = !key.empty() && key.size() <= 9 &&
                         std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_number) return std::nullopt;
  return static_cast<uint32_t>(std::stoul(std::string(key)));
}

/// {"50256": {"content": ...}}
void read_decoder(const TokenizerConfig& config, std::vector<TokenBeside>& tokens) {
  const Json* decoder = config.find("added_tokens_decoder");
  if (decoder == nullptr) return;
  const std::string subject = config.subject("added_tokens_decoder");
  for (const Json::Member& member : decoder->members(subject)) {
    const Part part{&member.value, message(subject, ": ", printable(member.key))};
    const std::optional<uint32_t> id = id_of_key(member.key);
    if (!id) fail(Errc::malformed, message(part.subject, " is no id"));
    tokens.push_back({read_added_token(part, *id), part.subject, id, true});
  }
}

/// {"<ent>": 113}
void read_added_tokens_json(const path& folder, std::vector<TokenBeside>& tokens) {
  const path file = folder / "added_tokens.json";
  const std::optional<Json> json = find_json_file(file);
  if (!json) return;
  for (const Json::Member& member : json->members(file.string())) {
    const Part part{&member.value, message(file.string(), ": ", printable(member.key))};
    const uint32_t id = checked_id(part);
    AddedToken token{.id = id, .content = member.key, .normalized = true, .special = false};
    tokens.push_back({std::move(token), part.subject, id, false});
  }
}

TokenBeside special_token(const Part& part) {
  TokenBeside token;
  token.subject = part.subject;
  if (part.json->is_object()) {
    token.token = read_added_token(part, 0);
    token.token.special = true;
    token.has_flags = true;
  } else {
    token.token.content = part.text();
  }
  if (token.token.content.empty()) fail(Errc::malformed, message(part.subject, ": a token is empty"));
  return token;
}

/// A list of tokens, or an object whose members are tokens by name.
void read_special_lists(const TokenizerConfig& config, std::vector<TokenBeside>& tokens) {
  for (const char* field : {"additional_special_tokens", "extra_special_tokens"}) {
    const Json* list = config.find(field);
    if (list == nullptr) continue;
    const Part part{list, config.subject(field)};
    if (list->is_object()) {
      for (const Json::Member& member : list->members(part.subject)) {
        tokens.push_back(special_token({&member.value, message(part.subject, ": ", printable(member.key))}));
      }
      continue;
    }
    for (const Part& item : part.items()) tokens.push_back(special_token(item));
  }
}

using IdsByToken = std::unordered_map<std::string, uint32_t>;

void add_token(TokenBeside beside, IdsByToken& ids, TokenizerSpec& spec) {
  const auto next = static_cast<uint32_t>(spec.vocabulary.size());
  const auto [place, is_new] = ids.emplace(beside.token.content, next);
  if (beside.id && *beside.id != place->second) {
    const std::string is = *beside.id < next ? message("is that of ", printable(spec.vocabulary[*beside.id]))
                                             : std::string("leaves a gap");
    fail(Errc::malformed, message(beside.subject, ": token ", printable(beside.token.content), " has id ", *beside.id,
                                  ", which ", is, ", where the tokenizer's files have or expect ", place->second));
  }
  beside.token.id = place->second;
  if (is_new) spec.vocabulary.push_back(beside.token.content);
  if (spec.kind == TokenizerKind::wordpiece) beside.token.special = true;  // a difference that WordPiece does not make
  const auto known = std::find_if(spec.added_tokens.begin(), spec.added_tokens.end(),
                                  [&](const AddedToken& token) { return token.id == beside.token.id; });
  if (known == spec.added_tokens.end()) {
    spec.added_tokens.push_back(std::move(beside.token));
  } else if (beside.has_flags) {
    *known = std::move(beside.token);
  }
}

}  // namespace

void apply_bert_class(const path& folder, const TokenizerConfig& config, const TokenizerConfig& map,
                      TokenizerSpec& spec, std::vector<std::string>& notes) {
  if (spec.kind != TokenizerKind::wordpiece || !is_bert_class(folder, config)) return;
  apply_switch(config, kLowerCase, true, spec, notes);
  apply_switch(config, kAccents, spec.lowercase, spec, notes);
  apply_switch(config, kChinese, true, spec, notes);
  const std::pair<const char*, uint32_t> tokens[] = {
      {"cls_token", spec.begin_id}, {"sep_token", spec.end_id}, {"unk_token", spec.unknown_id}};
  for (const auto& [field, id] : tokens) {
    const TokenizerConfig* file = naming(field, config, map);
    const std::string name = file == nullptr ? spec.vocabulary[id] : file->token(field, "");
    if (name == spec.vocabulary[id]) continue;
    fail(Errc::unsupported, message(config.subject(field), " (or special_tokens_map.json) is ", printable(name), ", ",
                                    (folder / "tokenizer.json").string(), " has ", printable(spec.vocabulary[id]),
                                    ": versions of transformers take one or the other; make them agree"));
  }
}

void apply_prefix_space(const TokenizerConfig& config, TokenizerSpec& spec) {
  if (spec.kind != TokenizerKind::byte_bpe) return;
  const bool is_gpt2 = config.class_name() == kGpt2Class;
  const bool value = config.boolean("add_prefix_space", is_gpt2 ? false : spec.add_prefix_space);
  if (value == spec.add_prefix_space) return;
  if (is_gpt2) {
    spec.add_prefix_space = value;
    return;
  }
  fail(Errc::unsupported, message(config.subject("add_prefix_space"), " is ", value ? "true" : "false",
                                  ", tokenizer.json has the opposite: versions of transformers take one or the other; "
                                  "make them agree"));
}

void add_tokens_beside(const path& folder, const TokenizerConfig& config, const TokenizerConfig& map,
                       TokenizerSpec& spec) {
  std::vector<TokenBeside> tokens;
  read_decoder(config, tokens);
  read_added_tokens_json(folder, tokens);
  std::stable_sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  read_special_lists(config, tokens);
  read_special_lists(map, tokens);
  if (tokens.empty()) return;
  IdsByToken ids;
  for (uint32_t id = 0; id < spec.vocabulary.size(); ++id) ids.emplace(spec.vocabulary[id], id);
  for (TokenBeside& token : tokens) add_token(std::move(token), ids, spec);
}

}  // namespace lathe::detail
