#include "formats/bpe_tokenizer.h"

#include <algorithm>
#include <array>
#include <unordered_set>
#include <utility>

#include "formats/artifact/error.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr std::array<std::string_view, 4> kStops = {"<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end_of_text|>"};

const AddedToken* find_added(const TokenizerSpec& spec, std::string_view content) {
  const auto found = std::find_if(spec.added_tokens.begin(), spec.added_tokens.end(),
                                  [&](const AddedToken& token) { return token.content == content; });
  return found == spec.added_tokens.end() ? nullptr : &*found;
}

}  // namespace

TokenizerSpec empty_byte_bpe() {
  TokenizerSpec spec;
  spec.kind = TokenizerKind::byte_bpe;
  spec.unknown_id = spec.begin_id = spec.end_id = kNoToken;
  spec.max_length = kAnyLength;
  return spec;
}

BpeMerge find_merge(const Vocabulary& vocabulary, std::string_view left, std::string_view right,
                    std::string_view what) {
  const std::string result = std::string(left).append(right);
  return {vocabulary.id_of(left, what), vocabulary.id_of(right, what), vocabulary.id_of(result, what)};
}

BpeMerge find_merge(const Vocabulary& vocabulary, std::string_view line, std::string_view what) {
  const size_t space = line.find(' ');
  if (space == line.npos || space == 0 || space + 1 == line.size() || line.find(' ', space + 1) != line.npos) {
    fail(Errc::malformed, message(what, ": \"", printable(line), "\" is not two tokens with a space between"));
  }
  return find_merge(vocabulary, line.substr(0, space), line.substr(space + 1), what);
}

void check_merges_differ(const TokenizerSpec& spec, std::string_view path) {
  std::unordered_set<uint64_t> pairs;
  pairs.reserve(spec.merges.size());
  for (const BpeMerge& merge : spec.merges) {
    if (pairs.insert(uint64_t{merge.left} << 32 | merge.right).second) continue;
    fail(Errc::malformed, message(path, ": \"", printable(spec.vocabulary[merge.left]), "\" and \"",
                                  printable(spec.vocabulary[merge.right]), "\" are merged twice"));
  }
}

void add_stop(TokenizerSpec& spec, uint32_t id) {
  if (std::find(spec.stop_ids.begin(), spec.stop_ids.end(), id) == spec.stop_ids.end()) spec.stop_ids.push_back(id);
}

void add_known_stops(TokenizerSpec& spec) {
  for (const std::string_view stop : kStops) {
    if (const AddedToken* token = find_added(spec, stop)) add_stop(spec, token->id);
  }
}

void set_chat_template(std::string text, const std::string& subject, TokenizerSpec& spec) {
  if (!is_utf8(text)) fail(Errc::malformed, message(subject, " is not UTF-8"));
  if (text.empty()) return;
  spec.chat = ChatForm::jinja;
  spec.chat_template = std::move(text);
}

void add_chat_variable(std::string_view name, std::string_view value, TokenizerSpec& spec) {
  if (spec.chat == ChatForm::jinja) spec.chat_variables.push_back({std::string(name), std::string(value)});
}

}  // namespace lathe
