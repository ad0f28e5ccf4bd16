#include "formats/gguf/gguf_tokenizer.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "formats/bpe_tokenizer.h"
#include "formats/gguf/gguf_keys.h"
#include "formats/text.h"

namespace lathe {
namespace {

/// What tokenizer.ggml.pre names. GGUF files do not store the normalizer and whether whole words come before merges:
/// both are those of the models that a name stands for. Of several names for one tokenizer the first is written.
struct PreRow {
  std::string_view name;
  BpeSplit split;
  bool nfc;
  bool ignores_merges;
  bool adds_begin;  // where the file does not say
};
constexpr PreRow kPres[] = {
    {"gpt-2", BpeSplit::gpt2, false, false, false},     {"gpt2", BpeSplit::gpt2, false, false, false},
    {"llama-bpe", BpeSplit::llama3, false, true, true}, {"llama-v3", BpeSplit::llama3, false, true, true},
    {"llama3", BpeSplit::llama3, false, true, true},    {"qwen2", BpeSplit::qwen2, true, false, false},
    {"smollm", BpeSplit::smollm, false, false, false},
};

const PreRow& pre_of(const GgufFile& file) {
  if (!file.has(gguf_key::kPreTokenizer)) {
    if (file.text(gguf_key::kArchitecture) == "gpt2") return kPres[0];
    fail(Errc::unsupported, message(file.path(), ": ", gguf_key::kPreTokenizer,
                                    " is absent, so that how text is cut is not known; supported without it is the ",
                                    "architecture gpt2"));
  }
  const std::string& name = file.text(gguf_key::kPreTokenizer);
  for (const PreRow& row : kPres) {
    if (row.name == name) return row;
  }
  std::string names;
  for (const PreRow& row : kPres) names.append(names.empty() ? "" : ", ").append(row.name);
  fail(Errc::unsupported,
       message(file.path(), ": ", gguf_key::kPreTokenizer, " is \"", printable(name), "\", supported are ", names));
}

uint32_t id_or_none(const GgufFile& file, const char* key, size_t tokens) {
  return file.has(key) ? static_cast<uint32_t>(file.integer(key, 0, tokens - 1)) : kNoToken;
}

void read_added_tokens(const GgufFile& file, TokenizerSpec& spec) {
  const std::vector<int64_t>& types = file.integers_or_none(gguf_key::kTokenTypes);
  if (types.empty()) return;
  if (types.size() != spec.vocabulary.size()) {
    fail(Errc::malformed, message(file.path(), ": ", gguf_key::kTokenTypes, " has ", types.size(), " elements, ",
                                  gguf_key::kTokens, " has ", spec.vocabulary.size()));
  }
  for (uint32_t id = 0; id < types.size(); ++id) {
    if (types[id] != kGgufControlToken && types[id] != kGgufUserToken) continue;
    if (spec.vocabulary[id].empty()) {
      fail(Errc::malformed,
           message(file.path(), ": ", gguf_key::kTokens, "[", id, "] is empty, and its type ", types[id]));
    }
    spec.added_tokens.push_back({.id = id, .content = spec.vocabulary[id], .special = types[id] == kGgufControlToken});
  }
}

void read_merges(const GgufFile& file, const Vocabulary& vocabulary, TokenizerSpec& spec) {
  const std::vector<std::string>& merges = file.strings(gguf_key::kMerges);
  spec.merges.reserve(merges.size());
  for (const std::string& merge : merges) {
    spec.merges.push_back(
        find_merge(vocabulary, merge, message(file.path(), ": ", gguf_key::kMerges, "[", spec.merges.size(), "]")));
  }
}

void read_special_ids(const GgufFile& file, const PreRow& pre, TokenizerSpec& spec) {
  const size_t tokens = spec.vocabulary.size();
  spec.begin_id = id_or_none(file, gguf_key::kBeginId, tokens);
  spec.end_id = id_or_none(file, gguf_key::kEndId, tokens);
  const uint32_t pad = id_or_none(file, gguf_key::kPaddingId, tokens);
  spec.pad_id = pad != kNoToken ? pad : spec.end_id != kNoToken ? spec.end_id : 0;
  spec.add_begin = file.boolean(gguf_key::kAddsBegin, pre.adds_begin);
  if (spec.add_begin && spec.begin_id == kNoToken) {
    fail(Errc::malformed,
         message(file.path(), ": ", gguf_key::kAddsBegin, " is true, but there is no ", gguf_key::kBeginId));
  }
  if (file.boolean(gguf_key::kAddsEnd, false)) {
    fail(Errc::unsupported, message(file.path(), ": ", gguf_key::kAddsEnd, " is true, supported is false"));
  }
  for (const uint32_t id : {spec.end_id, id_or_none(file, gguf_key::kTurnEndId, tokens),
                            id_or_none(file, gguf_key::kMessageEndId, tokens)}) {
    if (id != kNoToken) add_stop(spec, id);
  }
  add_known_stops(spec);
}

/// The template, and the tokens that it may name.
void read_chat_template(const GgufFile& file, TokenizerSpec& spec) {
  if (!file.has(gguf_key::kChatTemplate)) return;
  set_chat_template(file.text(gguf_key::kChatTemplate), message(file.path(), ": ", gguf_key::kChatTemplate), spec);
  constexpr std::pair<const char*, const char*> kTokens[] = {{"bos_token", gguf_key::kBeginId},
                                                             {"eos_token", gguf_key::kEndId},
                                                             {"unk_token", gguf_key::kUnknownId},
                                                             {"pad_token", gguf_key::kPaddingId}};
  for (const auto& [name, key] : kTokens) {
    const uint32_t id = id_or_none(file, key, spec.vocabulary.size());
    if (id != kNoToken) add_chat_variable(name, spec.vocabulary[id], spec);
  }
}

}  // namespace

TokenizerSpec read_gguf_tokenizer(const GgufFile& file) {
  const std::string& model = file.text(gguf_key::kTokenizerModel);
  if (model != gguf_key::kByteBpe) {
    fail(Errc::unsupported, message(file.path(), ": ", gguf_key::kTokenizerModel, " is \"", printable(model),
                                    "\", supported is \"gpt2\" (byte-level BPE)"));
  }
  const PreRow& pre = pre_of(file);
  TokenizerSpec spec = empty_byte_bpe();
  spec.split = pre.split;
  spec.nfc = pre.nfc;
  spec.ignore_merges = pre.ignores_merges;
  spec.add_prefix_space = file.boolean(gguf_key::kAddsSpace, false);
  Vocabulary vocabulary(message(file.path(), ": ", gguf_key::kTokens));
  for (const std::string& token : file.strings(gguf_key::kTokens)) {
    vocabulary.add(static_cast<uint32_t>(spec.vocabulary.size()), token);
    spec.vocabulary.push_back(token);
  }
  if (spec.vocabulary.empty()) fail(Errc::malformed, message(file.path(), ": ", gguf_key::kTokens, " is empty"));
  read_merges(file, vocabulary, spec);
  check_merges_differ(spec, message(file.path(), ": ", gguf_key::kMerges));
  read_added_tokens(file, spec);
  read_special_ids(file, pre, spec);
  const std::string context = gguf_key::of_model(file.text(gguf_key::kArchitecture), gguf_key::kContext);
  spec.max_length = static_cast<uint32_t>(file.integer(context, 1, kAnyLength, kAnyLength));
  read_chat_template(file, spec);
  return spec;
}

std::string_view gguf_pre_tokenizer(const TokenizerSpec& spec) {
  for (const PreRow& row : kPres) {
    if (row.split == spec.split && row.nfc == spec.nfc && row.ignores_merges == spec.ignore_merges) return row.name;
  }
  return {};
}

}  // namespace lathe
