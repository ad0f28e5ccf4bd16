// tokenizer.json: every part is either exactly what TokenizerSpec can express, or an error.

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "formats/hf_tokenizer.h"
#include "formats/json.h"
#include "formats/text.h"
#include "formats/vocabulary.h"

namespace lathe {
namespace {

/// A part of the file with its name, for messages such as "tokenizer.json: normalizer: lowercase is 3, expected ...".
struct Part {
  const Json* json = nullptr;
  std::string subject;

  Part at(std::string_view key) const { return {&json->at(key, subject), message(subject, ": ", key)}; }
  /// As at(), with a null value when there is no such member.
  Part find(std::string_view key) const {
    static const Json null;
    const Json* member = json->find(key);
    return {member == nullptr ? &null : member, message(subject, ": ", key)};
  }
  bool boolean() const { return json->as_bool(subject); }
  bool boolean(bool fallback) const { return json->is_null() ? fallback : boolean(); }
  const std::string& text() const { return json->as_string(subject); }
};

/// The part's "type" must be one of these.
std::string_view checked_type(const Part& part, std::initializer_list<std::string_view> supported) {
  std::string list;
  for (const std::string_view type : supported) list.append(list.empty() ? "" : " or ").append(type);
  if (part.json->is_null()) {
    fail(Errc::unsupported, message(part.subject, " is absent, supported is ", list));
  }
  const std::string& type = part.at("type").text();
  const auto found = std::find(supported.begin(), supported.end(), type);
  if (found != supported.end()) return *found;
  fail(Errc::unsupported, message(part.subject, ": type \"", printable(type), "\" is not supported, only ", list));
}

uint32_t checked_id(const Part& part) {
  const uint64_t id = part.json->as_u64(part.subject);
  if (id < kMaxVocabulary) return static_cast<uint32_t>(id);
  fail(Errc::malformed, message(part.subject, " is ", id, ", expected less than ", kMaxVocabulary));
}

void read_model(const Part& model, Vocabulary& vocabulary, TokenizerSpec& spec) {
  checked_type(model, {"WordPiece"});
  const Part vocab = model.at("vocab");
  for (const Json::Member& member : vocab.json->members(vocab.subject)) {
    const Part id{&member.value, message(vocab.subject, ": ", printable(member.key))};
    vocabulary.add(checked_id(id), member.key);
  }
  if (const Part prefix = model.find("continuing_subword_prefix"); !prefix.json->is_null()) {
    spec.continuing_prefix = prefix.text();
  }
  if (const Part most = model.find("max_input_chars_per_word"); !most.json->is_null()) {
    const uint64_t chars = most.json->as_u64(most.subject);
    constexpr uint64_t kMost = 1'000'000;
    if (chars == 0 || chars > kMost) {
      fail(Errc::malformed, message(most.subject, " is ", chars, ", expected 1 to ", kMost));
    }
    spec.max_chars_per_word = static_cast<uint32_t>(chars);
  }
}

void read_added_tokens(const Part& list, Vocabulary& vocabulary, TokenizerSpec& spec) {
  if (list.json->is_null()) return;
  std::set<uint32_t> seen;
  for (const Json& item : list.json->items(list.subject)) {
    const Part token{&item, message(list.subject, "[", spec.added_tokens.size(), "]")};
    AddedToken added;
    added.id = checked_id(token.at("id"));
    added.content = token.at("content").text();
    added.single_word = token.find("single_word").boolean(false);
    added.lstrip = token.find("lstrip").boolean(false);
    added.rstrip = token.find("rstrip").boolean(false);
    added.normalized = token.find("normalized").boolean(false);
    if (added.content.empty()) fail(Errc::malformed, message(token.subject, ": content is empty"));
    if (!seen.insert(added.id).second) {
      fail(Errc::malformed, message(token.subject, ": id ", added.id, " appears twice"));
    }
    vocabulary.add_again(added.id, added.content);
    spec.added_tokens.push_back(std::move(added));
  }
}

void read_normalizer(const Part& normalizer, TokenizerSpec& spec) {
  if (normalizer.json->is_null()) {
    spec.clean_text = spec.split_chinese = spec.strip_accents = spec.lowercase = false;
    return;
  }
  checked_type(normalizer, {"BertNormalizer"});
  spec.clean_text = normalizer.find("clean_text").boolean(true);
  spec.split_chinese = normalizer.find("handle_chinese_chars").boolean(true);
  spec.lowercase = normalizer.find("lowercase").boolean(true);
  spec.strip_accents = normalizer.find("strip_accents").boolean(spec.lowercase);
}

/// One step of a template: the name of a special token, or of the sequence A or B.
struct Step {
  bool is_sequence = false;
  std::string name;
  uint64_t type_id = 0;
};

std::vector<Step> read_template(const Part& list) {
  std::vector<Step> steps;
  for (const Json& item : list.json->items(list.subject)) {
    const Part step{&item, message(list.subject, "[", steps.size(), "]")};
    const bool is_sequence = step.json->find("Sequence") != nullptr;
    const Part inner = step.at(is_sequence ? "Sequence" : "SpecialToken");
    const Part type_id = inner.at("type_id");
    steps.push_back({is_sequence, inner.at("id").text(), type_id.json->as_u64(type_id.subject)});
  }
  return steps;
}

bool is_single(const std::vector<Step>& steps) {
  return steps.size() == 3 && !steps[0].is_sequence && steps[1].is_sequence && steps[1].name == "A" &&
         !steps[2].is_sequence &&
         std::all_of(steps.begin(), steps.end(), [](const Step& step) { return step.type_id == 0; });
}

/// The single template followed by B and the end token, both of type 1.
bool is_pair(const std::vector<Step>& steps, const std::vector<Step>& single) {
  if (steps.size() != 5 || !is_single({steps.begin(), steps.begin() + 3})) return false;
  return steps[0].name == single[0].name && steps[2].name == single[2].name && steps[3].is_sequence &&
         steps[3].name == "B" && !steps[4].is_sequence && steps[4].name == single[2].name && steps[3].type_id == 1 &&
         steps[4].type_id == 1;
}

/// The id that the post-processor gives a special token must be the one of the vocabulary.
uint32_t checked_special(const Part& part, const std::string& token, uint32_t id, const Vocabulary& vocabulary) {
  const uint32_t known = vocabulary.id_of(token, part.subject);
  if (known == id) return id;
  fail(Errc::malformed, message(part.subject, ": ", printable(token), " has id ", id, ", the vocabulary says ", known));
}

uint32_t template_special(const Part& tokens, const std::string& name, const Vocabulary& vocabulary) {
  const Part token = tokens.at(name);
  const Part ids = token.at("ids");
  const Json::Array& list = ids.json->items(ids.subject);
  if (list.size() != 1) {
    fail(Errc::unsupported, message(ids.subject, " has ", list.size(), " ids, supported is one"));
  }
  return checked_special(token, name, checked_id({list.data(), ids.subject}), vocabulary);
}

/// BertProcessing gives a token as ["[SEP]", 102].
uint32_t pair_special(const Part& pair, const Vocabulary& vocabulary) {
  const Json::Array& list = pair.json->items(pair.subject);
  if (list.size() != 2) {
    fail(Errc::malformed, message(pair.subject, " has ", list.size(), " elements, expected a token and its id"));
  }
  return checked_special(pair, list[0].as_string(pair.subject), checked_id({&list[1], pair.subject}), vocabulary);
}

void read_post_processor(const Part& post, const Vocabulary& vocabulary, TokenizerSpec& spec) {
  if (checked_type(post, {"TemplateProcessing", "BertProcessing"}) == "BertProcessing") {
    spec.begin_id = pair_special(post.at("cls"), vocabulary);
    spec.end_id = pair_special(post.at("sep"), vocabulary);
    return;
  }
  const Part single_part = post.at("single");
  const std::vector<Step> single = read_template(single_part);
  if (!is_single(single)) {
    fail(Errc::unsupported,
         message(single_part.subject, ": only a begin token, the text and an end token are supported"));
  }
  const Part pair = post.find("pair");
  if (!pair.json->is_null() && !is_pair(read_template(pair), single)) {
    fail(Errc::unsupported, message(pair.subject, ": only the single template followed by B and an end token, both of ",
                                    "type 1, is supported"));
  }
  const Part tokens = post.at("special_tokens");
  spec.begin_id = template_special(tokens, single[0].name, vocabulary);
  spec.end_id = template_special(tokens, single[2].name, vocabulary);
}

TokenizerSpec from_json(const Json& root, std::string_view path) {
  const Part file{&root, std::string(path)};
  TokenizerSpec spec;
  spec.kind = TokenizerKind::wordpiece;
  Vocabulary vocabulary(path);
  const Part model = file.at("model");
  read_model(model, vocabulary, spec);
  read_added_tokens(file.find("added_tokens"), vocabulary, spec);
  spec.vocabulary = vocabulary.dense();
  const Part unknown = model.at("unk_token");
  spec.unknown_id = vocabulary.id_of(unknown.text(), unknown.subject);
  read_normalizer(file.find("normalizer"), spec);
  checked_type(file.find("pre_tokenizer"), {"BertPreTokenizer"});
  read_post_processor(file.find("post_processor"), vocabulary, spec);
  spec.pad_id = vocabulary.find("[PAD]").value_or(0);
  return spec;
}

}  // namespace

TokenizerSpec parse_tokenizer_json(std::string_view text, std::string_view path) {
  return from_json(parse_json(text, path), path);
}

}  // namespace lathe
