// tokenizer.json of byte-level BPE: every part is either exactly what TokenizerSpec can express, or an error.

#include <algorithm>
#include <utility>

#include "formats/bpe_tokenizer.h"
#include "formats/huggingface/hf_tokenizer.h"
#include "formats/huggingface/hf_tokenizer_parts.h"
#include "formats/text.h"

namespace lathe::detail {
namespace {

struct SplitRow {
  std::string_view expression;
  BpeSplit split;
};
constexpr SplitRow kExpressions[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", BpeSplit::gpt2},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     BpeSplit::llama3},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     BpeSplit::qwen2},
};

/// Sequences within sequences become one list; null is an empty one.
void flatten(const Part& part, std::string_view members, std::vector<Part>& steps) {
  if (part.is_null()) return;
  if (part.at("type").text() != "Sequence") return steps.push_back(part);
  for (const Part& item : part.at(members).items()) flatten(item, members, steps);
}
std::vector<Part> steps_of(const Part& part, std::string_view members) {
  std::vector<Part> steps;
  flatten(part, members, steps);
  return steps;
}

void refuse_unless(bool handled, const Part& part, std::string_view why) {
  if (!handled) fail(Errc::unsupported, message(part.subject, " is ", part.json->excerpt(), ", ", why));
}

void read_model(const Part& model, Vocabulary& vocabulary, TokenizerSpec& spec) {
  for (const std::string_view affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const Part part = model.find(affix);
    refuse_unless(part.is_null() || part.text().empty(), part, "byte-level BPE has none");
  }
  const Part dropout = model.find("dropout");
  refuse_unless(dropout.is_null() || dropout.json->as_f64(dropout.subject) == 0, dropout, "supported is none");
  const Part fallback = model.find("byte_fallback");
  refuse_unless(!fallback.boolean(false), fallback, "tokenizers in the manner of SentencePiece are not supported");
  spec.ignore_merges = model.find("ignore_merges").boolean(false);
  read_vocab(model.at("vocab"), vocabulary);
  for (const Part& merge : model.at("merges").items()) {
    if (merge.json->is_string()) {
      spec.merges.push_back(find_merge(vocabulary, merge.text(), merge.subject));
      continue;
    }
    const Json::Array& parts = merge.json->items(merge.subject);
    if (parts.size() != 2) {
      fail(Errc::malformed, message(merge.subject, " has ", parts.size(), " parts, expected 2"));
    }
    spec.merges.push_back(
        find_merge(vocabulary, parts[0].as_string(merge.subject), parts[1].as_string(merge.subject), merge.subject));
  }
}

/// The token for bytes that have none; most tokenizers have all bytes and no such token.
void read_unknown(const Part& model, const Vocabulary& vocabulary, TokenizerSpec& spec) {
  const Part unknown = model.find("unk_token");
  if (unknown.is_null() || unknown.text().empty()) return;
  spec.unknown_id = vocabulary.id_of(unknown.text(), unknown.subject);
  const Part fuse = model.find("fuse_unk");
  refuse_unless(!fuse.boolean(false), fuse, "supported is one unknown token for each byte");
}

void read_normalizer(const Part& normalizer, TokenizerSpec& spec) {
  for (const Part& step : steps_of(normalizer, "normalizers")) {
    checked_type(step, {"NFC"});
    spec.nfc = true;
  }
}

BpeSplit split_of(const Part& step) {
  const Part pattern = step.at("pattern");
  const Part expression = pattern.find("Regex");
  if (expression.is_null()) fail(Errc::unsupported, message(pattern.subject, " is no \"Regex\", which is supported"));
  const std::string& behavior = step.at("behavior").text();
  // The expressions match all of any text, so that removing what they do not match is the same.
  const bool inverted = step.find("invert").boolean(false);
  if (behavior != (inverted ? "Removed" : "Isolated")) {
    fail(Errc::unsupported, message(step.subject, ": behavior \"", printable(behavior), "\" is not supported"));
  }
  for (const SplitRow& row : kExpressions) {
    if (row.expression == expression.text()) return row.split;
  }
  fail(Errc::unsupported, message(expression.subject, " \"", printable(expression.text(), 400),
                                  "\" is not one of the known expressions (GPT-2, Llama 3, Qwen2)"));
}

/// ByteLevel, alone or after one Split or one Digits.
void read_pre_tokenizer(const Part& pre_tokenizer, TokenizerSpec& spec) {
  const std::vector<Part> steps = steps_of(pre_tokenizer, "pretokenizers");
  if (steps.empty() || steps.size() > 2) {
    fail(Errc::unsupported, message(pre_tokenizer.subject, " has ", steps.size(),
                                    " steps, supported is ByteLevel, alone or after Split or Digits"));
  }
  const Part& bytes = steps.back();
  checked_type(bytes, {"ByteLevel"});
  const bool splits = bytes.find("use_regex").boolean(true);
  const Part space = bytes.find("add_prefix_space");
  spec.add_prefix_space = space.boolean(true);
  spec.split = splits ? BpeSplit::gpt2 : BpeSplit::none;
  if (steps.size() == 1) return;
  refuse_unless(!spec.add_prefix_space, space, "supported is false after another step");
  if (checked_type(steps[0], {"Split", "Digits"}) == "Split") {
    refuse_unless(!splits, bytes.find("use_regex"), "supported is false after Split");
    spec.split = split_of(steps[0]);
  } else {
    const Part digits = steps[0].find("individual_digits");
    refuse_unless(digits.boolean(false), digits, "supported is true");
    refuse_unless(splits, bytes.find("use_regex"), "supported is true after Digits");
    spec.split = BpeSplit::smollm;
  }
}

/// Nothing, or a begin token before the text. What is said about pairs of texts is not used.
void read_post_processor(const Part& post, const Vocabulary& vocabulary, TokenizerSpec& spec) {
  for (const Part& step : steps_of(post, "processors")) {
    if (checked_type(step, {"ByteLevel", "TemplateProcessing"}) == "ByteLevel") continue;
    const Part single = step.at("single");
    const std::vector<TemplateStep> tokens = read_template(single);
    if (tokens.empty() || tokens.size() > 2 || !tokens.back().is_sequence || tokens.back().name != "A" ||
        (tokens.size() == 2 && tokens[0].is_sequence)) {
      fail(Errc::unsupported, message(single.subject, ": only a begin token and the text are supported"));
    }
    if (tokens.size() == 1) continue;
    spec.begin_id = template_special(step.at("special_tokens"), tokens[0].name, vocabulary);
    spec.add_begin = true;
  }
}

}  // namespace

bool is_bpe(const Part& model) {
  const Part type = model.find("type");
  if (type.is_null()) return model.json->find("type") == nullptr && model.json->find("merges") != nullptr;
  return type.json->is_string() && type.text() == "BPE";
}

TokenizerSpec read_byte_bpe(const Part& file) {
  TokenizerSpec spec = empty_byte_bpe();
  const Part model = file.at("model");
  Vocabulary vocabulary(file.subject);
  // First, so that a tokenizer in the manner of SentencePiece is told by its steps and not by a missing byte.
  read_normalizer(file.find("normalizer"), spec);
  read_pre_tokenizer(file.find("pre_tokenizer"), spec);
  for (const Part& step : steps_of(file.find("decoder"), "decoders")) checked_type(step, {"ByteLevel"});
  read_model(model, vocabulary, spec);
  read_added_tokens(file.find("added_tokens"), vocabulary, spec);
  read_unknown(model, vocabulary, spec);
  spec.vocabulary = vocabulary.dense();
  check_merges_differ(spec, model.subject);
  read_post_processor(file.find("post_processor"), vocabulary, spec);
  return spec;
}

}  // namespace lathe::detail
