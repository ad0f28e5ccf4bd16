#include "runtime/text/bpe_split.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "formats/artifact/error.h"
#include "runtime/text/unicode/unicode_class.h"
#include "runtime/text/unicode/utf8.h"

namespace lathe::text {
namespace {

constexpr uint8_t kWord = kLetter | kNumber | kWhite;  // none of these: a symbol

struct Char {
  char32_t code_point = 0;
  uint8_t flags = 0;
  size_t size = 0;  // 0: past the end

  bool is(uint8_t flag) const { return (flags & flag) != 0; }
  bool is_symbol() const { return size != 0 && (flags & kWord) == 0; }
  bool is_line_break() const { return code_point == '\r' || code_point == '\n'; }
};

Char char_at(std::string_view text, size_t at) {
  if (at >= text.size()) return {};
  const Decoded decoded = decode_utf8(text, at);
  return {decoded.code_point, unicode_class(decoded.code_point), decoded.size};
}

/// Behind the run of characters from `at` that `accept` takes, at most `most` of them.
template <class Accept>
size_t skip(std::string_view text, size_t at, Accept accept, size_t most = std::string_view::npos) {
  for (size_t count = 0; count < most; ++count) {
    const Char next = char_at(text, at);
    if (next.size == 0 || !accept(next)) break;
    at += next.size;
  }
  return at;
}
size_t skip_class(std::string_view text, size_t at, uint8_t flag, size_t most = std::string_view::npos) {
  return skip(
      text, at, [=](const Char& c) { return c.is(flag); }, most);
}
size_t skip_symbols(std::string_view text, size_t at) {
  return skip(text, at, [](const Char& c) { return c.is_symbol(); });
}

/// 's|'t|'re|'ve|'m|'ll|'d at `at`, 0 when there is none. Without case the long s is an s as well.
size_t contraction(std::string_view text, size_t at, bool any_case) {
  constexpr std::array<std::string_view, 7> kEndings = {"s", "t", "re", "ve", "m", "ll", "d"};
  constexpr std::string_view kLongS = "\xC5\xBF";
  if (text[at] != '\'') return 0;
  const std::string_view rest = text.substr(at + 1);
  const auto same = [&](char a, char b) { return a == b || (any_case && a == (b ^ 0x20)); };
  for (const std::string_view ending : kEndings) {
    if (rest.size() >= ending.size() && std::equal(ending.begin(), ending.end(), rest.begin(), same)) {
      return 1 + ending.size();
    }
  }
  return any_case && rest.starts_with(kLongS) ? 1 + kLongS.size() : 0;
}

/// \s+(?!\S)|\s+ : a run of white space leaves its last character to what follows, unless it is alone.
size_t white_space(std::string_view text, size_t at) {
  size_t end = at, last = at;
  for (Char next = char_at(text, at); next.is(kWhite); next = char_at(text, end)) {
    last = end;
    end += next.size;
  }
  return end == text.size() || last == at ? end : last;
}

/// \s*[\r\n]+ : the longest run of white space that ends with a line break; `at` when there is none.
size_t lines(std::string_view text, size_t at) {
  size_t end = at;
  for (Char next = char_at(text, at); next.is(kWhite);) {
    const bool breaks = next.is_line_break();
    at += next.size;
    if (breaks) end = at;
    next = char_at(text, at);
  }
  return end;
}

size_t gpt2_end(std::string_view text, size_t at) {
  if (const size_t size = contraction(text, at, false); size != 0) return at + size;
  const size_t start = text[at] == ' ' ? at + 1 : at;
  const Char c = char_at(text, start);
  if (c.is(kLetter)) return skip_class(text, start, kLetter);
  if (c.is(kNumber)) return skip_class(text, start, kNumber);
  if (c.is_symbol()) return skip_symbols(text, start);
  return white_space(text, at);
}

/// Llama 3, and with one number at a time Qwen2.
size_t modern_end(std::string_view text, size_t at, size_t numbers) {
  if (const size_t size = contraction(text, at, true); size != 0) return at + size;
  const Char first = char_at(text, at);
  if (first.is(kLetter)) return skip_class(text, at, kLetter);
  if (first.is(kNumber)) return skip_class(text, at, kNumber, numbers);
  const Char second = char_at(text, at + first.size);
  if (!first.is_line_break() && second.is(kLetter)) return skip_class(text, at + first.size, kLetter);
  const size_t start = first.code_point == ' ' ? at + 1 : at;
  if (const size_t end = skip_symbols(text, start); end != start) {
    return skip(text, end, [](const Char& c) { return c.is_line_break(); });
  }
  const size_t end = lines(text, at);
  return end != at ? end : white_space(text, at);
}

template <class End>
void cut(std::string_view text, End end, std::vector<std::string_view>& pieces) {
  for (size_t at = 0; at < text.size();) {
    const size_t next = end(text, at);
    pieces.push_back(text.substr(at, next - at));
    at = next;
  }
}

void cut_gpt2(std::string_view text, std::vector<std::string_view>& pieces) { cut(text, gpt2_end, pieces); }

void cut_llama3(std::string_view text, std::vector<std::string_view>& pieces) {
  cut(
      text, [](std::string_view t, size_t at) { return modern_end(t, at, 3); }, pieces);
}

void cut_qwen2(std::string_view text, std::vector<std::string_view>& pieces) {
  cut(
      text, [](std::string_view t, size_t at) { return modern_end(t, at, 1); }, pieces);
}

/// Each digit alone, and what lies between them as by GPT-2.
void cut_smollm(std::string_view text, std::vector<std::string_view>& pieces) {
  while (!text.empty()) {
    const size_t run = skip(text, 0, [](const Char& c) { return !c.is(kNumeric); });
    cut_gpt2(text.substr(0, run), pieces);
    text.remove_prefix(run);
    const size_t digit = char_at(text, 0).size;
    if (digit != 0) pieces.push_back(text.substr(0, digit));
    text.remove_prefix(digit);
  }
}

void cut_nothing(std::string_view text, std::vector<std::string_view>& pieces) {
  if (!text.empty()) pieces.push_back(text);
}

struct SplitRow {
  BpeSplit split;
  void (*cut)(std::string_view, std::vector<std::string_view>&);
};
constexpr SplitRow kSplits[] = {{BpeSplit::gpt2, cut_gpt2},
                                {BpeSplit::llama3, cut_llama3},
                                {BpeSplit::qwen2, cut_qwen2},
                                {BpeSplit::smollm, cut_smollm},
                                {BpeSplit::none, cut_nothing}};

}  // namespace

void split_for_bpe(BpeSplit split, std::string_view text, std::vector<std::string_view>& pieces) {
  for (const SplitRow& row : kSplits) {
    if (row.split == split) return row.cut(text, pieces);
  }
  fail(Errc::malformed, message("tokenizer: split ", +static_cast<uint8_t>(split), " is not known"));
}

}  // namespace lathe::text
