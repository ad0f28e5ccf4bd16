#include "formats/huggingface/hf_tokenizer_parts.h"

#include <algorithm>
#include <set>

#include "formats/huggingface/hf_tokenizer.h"
#include "formats/text.h"

namespace lathe::detail {

Part Part::find(std::string_view key) const {
  static const Json null;
  const Json* member = json->find(key);
  return {member == nullptr ? &null : member, message(subject, ": ", key)};
}

std::vector<Part> Part::items() const {
  std::vector<Part> parts;
  for (const Json& item : json->items(subject)) parts.push_back({&item, message(subject, "[", parts.size(), "]")});
  return parts;
}

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

void read_vocab(const Part& vocab, Vocabulary& vocabulary) {
  for (const Json::Member& member : vocab.json->members(vocab.subject)) {
    const Part id{&member.value, message(vocab.subject, ": ", printable(member.key))};
    vocabulary.add(checked_id(id), member.key);
  }
}

AddedToken read_added_token(const Part& token, uint32_t id) {
  AddedToken added;
  added.id = id;
  added.content = token.at("content").text();
  added.single_word = token.find("single_word").boolean(false);
  added.lstrip = token.find("lstrip").boolean(false);
  added.rstrip = token.find("rstrip").boolean(false);
  added.normalized = token.find("normalized").boolean(false);
  added.special = token.find("special").boolean(false);
  if (added.content.empty()) fail(Errc::malformed, message(token.subject, ": content is empty"));
  return added;
}

void read_added_tokens(const Part& list, Vocabulary& vocabulary, TokenizerSpec& spec) {
  if (list.is_null()) return;
  std::set<uint32_t> seen;
  for (const Part& token : list.items()) {
    AddedToken added = read_added_token(token, checked_id(token.at("id")));
    if (!seen.insert(added.id).second) {
      fail(Errc::malformed, message(token.subject, ": id ", added.id, " appears twice"));
    }
    vocabulary.add_again(added.id, added.content);
    spec.added_tokens.push_back(std::move(added));
  }
}

std::vector<TemplateStep> read_template(const Part& list) {
  std::vector<TemplateStep> steps;
  for (const Json& item : list.json->items(list.subject)) {
    const Part step{&item, message(list.subject, "[", steps.size(), "]")};
    const bool is_sequence = step.json->find("Sequence") != nullptr;
    const Part inner = step.at(is_sequence ? "Sequence" : "SpecialToken");
    const Part type_id = inner.at("type_id");
    steps.push_back({is_sequence, inner.at("id").text(), type_id.json->as_u64(type_id.subject)});
  }
  return steps;
}

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

}  // namespace lathe::detail
