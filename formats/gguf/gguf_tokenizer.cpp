#include "formats/gguf/gguf_tokenizer.h"

#include <algorithm>
#include <string_view>

#include "formats/bpe_tokenizer.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr const char* kTokens = "tokenizer.ggml.tokens";
constexpr const char* kMerges = "tokenizer.ggml.merges";
constexpr const char* kTypes = "tokenizer.ggml.token_type";
constexpr const char* kPre = "tokenizer.ggml.pre";

// Types of tokens. Control tokens are no text; tokens of the user are text that is matched before anything else.
constexpr int64_t kControl = 3;
constexpr int64_t kUserDefined = 4;

/// What tokenizer.ggml.pre names. GGUF files do not store the normalizer: it is that of the models of the name.
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
  if (!file.has(kPre)) {
    if (file.text("general.architecture") == "gpt2") return kPres[0];
    fail(Errc::unsupported, message(file.path(), ": ", kPre,
                                    " is absent, so that how text is cut is not known; supported without it is the ",
                                    "architecture gpt2"));
  }
  const std::string& name = file.text(kPre);
  for (const PreRow& row : kPres) {
    if (row.name == name) return row;
  }
  std::string names;
  for (const PreRow& row : kPres) names.append(names.empty() ? "" : ", ").append(row.name);
  fail(Errc::unsupported, message(file.path(), ": ", kPre, " is \"", printable(name), "\", supported are ", names));
}

uint32_t id_or_none(const GgufFile& file, std::string_view name, size_t tokens) {
  const std::string key = message("tokenizer.ggml.", name, "_token_id");
  return file.has(key) ? static_cast<uint32_t>(file.integer(key, 0, tokens - 1)) : kNoToken;
}

void read_added_tokens(const GgufFile& file, TokenizerSpec& spec) {
  const std::vector<int64_t>& types = file.integers_or_none(kTypes);
  if (types.empty()) return;
  if (types.size() != spec.vocabulary.size()) {
    fail(Errc::malformed, message(file.path(), ": ", kTypes, " has ", types.size(), " elements, ", kTokens, " has ",
                                  spec.vocabulary.size()));
  }
  for (uint32_t id = 0; id < types.size(); ++id) {
    if (types[id] != kControl && types[id] != kUserDefined) continue;
    if (spec.vocabulary[id].empty()) {
      fail(Errc::malformed, message(file.path(), ": ", kTokens, "[", id, "] is empty, and its type ", types[id]));
    }
    spec.added_tokens.push_back({.id = id, .content = spec.vocabulary[id], .special = types[id] == kControl});
  }
}

void read_merges(const GgufFile& file, const Vocabulary& vocabulary, TokenizerSpec& spec) {
  const std::vector<std::string>& merges = file.strings(kMerges);
  spec.merges.reserve(merges.size());
  for (const std::string& merge : merges) {
    spec.merges.push_back(
        find_merge(vocabulary, merge, message(file.path(), ": ", kMerges, "[", spec.merges.size(), "]")));
  }
}

void read_special_ids(const GgufFile& file, const PreRow& pre, TokenizerSpec& spec) {
  const size_t tokens = spec.vocabulary.size();
  spec.begin_id = id_or_none(file, "bos", tokens);
  spec.end_id = id_or_none(file, "eos", tokens);
  const uint32_t pad = id_or_none(file, "padding", tokens);
  spec.pad_id = pad != kNoToken ? pad : spec.end_id != kNoToken ? spec.end_id : 0;
  spec.add_begin = file.boolean("tokenizer.ggml.add_bos_token", pre.adds_begin);
  if (spec.add_begin && spec.begin_id == kNoToken) {
    fail(Errc::malformed, message(file.path(), ": tokenizer.ggml.add_bos_token is true, but there is no ",
                                  "tokenizer.ggml.bos_token_id"));
  }
  if (file.boolean("tokenizer.ggml.add_eos_token", false)) {
    fail(Errc::unsupported, message(file.path(), ": tokenizer.ggml.add_eos_token is true, supported is false"));
  }
  for (const uint32_t id : {spec.end_id, id_or_none(file, "eot", tokens), id_or_none(file, "eom", tokens)}) {
    if (id != kNoToken) add_stop(spec, id);
  }
  add_known_stops(spec);
}

}  // namespace

TokenizerSpec read_gguf_tokenizer(const GgufFile& file) {
  const std::string& model = file.text("tokenizer.ggml.model");
  if (model != "gpt2") {
    fail(Errc::unsupported, message(file.path(), ": tokenizer.ggml.model is \"", printable(model),
                                    "\", supported is \"gpt2\" (byte-level BPE)"));
  }
  const PreRow& pre = pre_of(file);
  TokenizerSpec spec = empty_byte_bpe();
  spec.split = pre.split;
  spec.nfc = pre.nfc;
  spec.ignore_merges = pre.ignores_merges;
  spec.add_prefix_space = file.boolean("tokenizer.ggml.add_space_prefix", false);
  Vocabulary vocabulary(message(file.path(), ": ", kTokens));
  for (const std::string& token : file.strings(kTokens)) {
    vocabulary.add(static_cast<uint32_t>(spec.vocabulary.size()), token);
    spec.vocabulary.push_back(token);
  }
  if (spec.vocabulary.empty()) fail(Errc::malformed, message(file.path(), ": ", kTokens, " is empty"));
  read_merges(file, vocabulary, spec);
  check_merges_differ(spec, message(file.path(), ": ", kMerges));
  read_added_tokens(file, spec);
  read_special_ids(file, pre, spec);
  const std::string context = message(file.text("general.architecture"), ".context_length");
  spec.max_length = static_cast<uint32_t>(file.integer(context, 1, kAnyLength, kAnyLength));
  constexpr const char* kTemplate = "tokenizer.chat_template";
  if (file.has(kTemplate)) read_chat_template(file.text(kTemplate), spec);
  return spec;
}

}  // namespace lathe
