#include "formats/bpe_tokenizer.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "formats/artifact/error.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr std::array<std::string_view, 4> kStops = {"<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end_of_text|>"};

/// The tokens that templates of one form write, and the tokenizer has.
struct ChatRow {
  ChatForm form;
  std::array<std::string_view, 3> tokens;
};
constexpr ChatRow kChats[] = {
    {ChatForm::chatml, {"<|im_start|>", "<|im_end|>", ""}},
    {ChatForm::llama3, {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}},
};

const AddedToken* find_added(const TokenizerSpec& spec, std::string_view content) {
  const auto found = std::find_if(spec.added_tokens.begin(), spec.added_tokens.end(),
                                  [&](const AddedToken& token) { return token.content == content; });
  return found == spec.added_tokens.end() ? nullptr : &*found;
}

/// Drops a line break, written as it is or as a literal of Jinja writes it.
bool skip_line_break(std::string_view& text) {
  for (const std::string_view line_break : {"\n", "\\n"}) {
    if (!text.starts_with(line_break)) continue;
    text.remove_prefix(line_break.size());
    return true;
  }
  return false;
}

std::string literal_system(std::string_view text) {
  constexpr std::string_view kBegin = "<|im_start|>system";
  constexpr std::string_view kEnd = "<|im_end|>";
  constexpr size_t kMost = 4096;
  if (text.find("'system'") == text.npos && text.find("\"system\"") == text.npos) return {};  // always written
  for (size_t at = text.find(kBegin); at != text.npos; at = text.find(kBegin)) {
    text.remove_prefix(at + kBegin.size());
    std::string_view rest = text;
    if (!skip_line_break(rest)) continue;
    const std::string_view system = rest.substr(0, rest.find(kEnd));
    // Quotes, braces and backslashes belong to the language of templates: this is not one literal.
    const bool is_literal = system.size() < rest.size() && system.find_first_of("'\"{}\\") == system.npos;
    if (is_literal && !system.empty() && system.size() <= kMost) return std::string(system);
  }
  return {};
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

void read_chat_template(std::string_view text, TokenizerSpec& spec) {
  for (const ChatRow& row : kChats) {
    const bool fits = std::all_of(row.tokens.begin(), row.tokens.end(), [&](std::string_view token) {
      return token.empty() || (text.find(token) != text.npos && find_added(spec, token) != nullptr);
    });
    if (!fits) continue;
    spec.chat = row.form;
    if (row.form == ChatForm::chatml) spec.default_system = literal_system(text);
    return;
  }
}

}  // namespace lathe
