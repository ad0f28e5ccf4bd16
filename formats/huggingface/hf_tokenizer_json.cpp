// tokenizer.json of BERT WordPiece: every part is either exactly what TokenizerSpec can express, or an error.

#include <algorithm>

#include "formats/huggingface/hf_tokenizer.h"
#include "formats/huggingface/hf_tokenizer_parts.h"
#include "formats/huggingface/vocabulary.h"
#include "formats/json.h"

namespace lathe {
namespace {

using namespace detail;

void read_model(const Part& model, Vocabulary& vocabulary, TokenizerSpec& spec) {
  checked_type(model, {"WordPiece", "BPE"});
  read_vocab(model.at("vocab"), vocabulary);
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

bool is_single(const std::vector<TemplateStep>& steps) {
  return steps.size() == 3 && !steps[0].is_sequence && steps[1].is_sequence && steps[1].name == "A" &&
         !steps[2].is_sequence &&
         std::all_of(steps.begin(), steps.end(), [](const TemplateStep& step) { return step.type_id == 0; });
}

/// The single template followed by B and the end token, both of type 1.
bool is_pair(const std::vector<TemplateStep>& steps, const std::vector<TemplateStep>& single) {
  if (steps.size() != 5 || !is_single({steps.begin(), steps.begin() + 3})) return false;
  return steps[0].name == single[0].name && steps[2].name == single[2].name && steps[3].is_sequence &&
         steps[3].name == "B" && !steps[4].is_sequence && steps[4].name == single[2].name && steps[3].type_id == 1 &&
         steps[4].type_id == 1;
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
  const std::vector<TemplateStep> single = read_template(single_part);
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
  const Part model = file.at("model");
  if (is_bpe(model)) return read_byte_bpe(file);
  TokenizerSpec spec;
  spec.kind = TokenizerKind::wordpiece;
  Vocabulary vocabulary(path);
  read_model(model, vocabulary, spec);
  read_added_tokens(file.find("added_tokens"), vocabulary, spec);
  for (AddedToken& token : spec.added_tokens) token.special = true;  // a difference that WordPiece does not make
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
