#pragma once
// The parts of a tokenizer.json, for the files of formats/ that read one.

#include <initializer_list>
#include <string>
#include <string_view>

#include "formats/artifact/tokenizer/tokenizer_spec.h"
#include "formats/huggingface/vocabulary.h"
#include "formats/json.h"

namespace lathe::detail {

/// A part of the file with its name, for messages such as "tokenizer.json: normalizer: lowercase is 3, expected ...".
struct Part {
  const Json* json = nullptr;
  std::string subject;

  Part at(std::string_view key) const { return {&json->at(key, subject), message(subject, ": ", key)}; }
  /// As at(), with a null value when there is no such member.
  Part find(std::string_view key) const;
  bool is_null() const { return json->is_null(); }
  bool boolean() const { return json->as_bool(subject); }
  bool boolean(bool fallback) const { return json->is_null() ? fallback : boolean(); }
  const std::string& text() const { return json->as_string(subject); }
  /// The elements of an array.
  std::vector<Part> items() const;
};

/// The part's "type", which must be one of these: Error{unsupported} naming it otherwise.
std::string_view checked_type(const Part& part, std::initializer_list<std::string_view> supported);

/// An id below kMaxVocabulary.
uint32_t checked_id(const Part& part);

/// The id that a template gives a special token, which must be the one of the vocabulary.
uint32_t checked_special(const Part& part, const std::string& token, uint32_t id, const Vocabulary& vocabulary);

/// The tokens of model.vocab.
void read_vocab(const Part& vocab, Vocabulary& vocabulary);
/// The flags and the content of an added token of that id.
AddedToken read_added_token(const Part& token, uint32_t id);
/// The list of added tokens, which join the vocabulary.
void read_added_tokens(const Part& list, Vocabulary& vocabulary, TokenizerSpec& spec);

/// One step of a template: the name of a special token, or of the sequence A or B.
struct TemplateStep {
  bool is_sequence = false;
  std::string name;
  uint64_t type_id = 0;
};
std::vector<TemplateStep> read_template(const Part& list);
/// The id of a special token of a template.
uint32_t template_special(const Part& tokens, const std::string& name, const Vocabulary& vocabulary);

/// A whole tokenizer.json whose model is byte-level BPE. Errors as parse_tokenizer_json.
TokenizerSpec read_byte_bpe(const Part& file);
/// True when the model says so, or says nothing and has merges.
bool is_bpe(const Part& model);

}  // namespace lathe::detail
