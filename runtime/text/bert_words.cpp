#include "runtime/text/bert_words.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace lathe::text {
namespace {

std::array<uint8_t, 128> ascii_classes() {
  std::array<uint8_t, 128> classes{};
  for (size_t c = 0; c < classes.size(); ++c) classes[c] = char_class(static_cast<char32_t>(c));
  return classes;
}

const std::array<uint8_t, 128>& ascii_class_table() {
  static const std::array<uint8_t, 128> table = ascii_classes();
  return table;
}

/// The steps of the normalizer, one code point at a time.
class Normalizer {
 public:
  Normalizer(const NormalizerOptions& options, std::string& out) : options_(options), out_(out) {
    for (size_t c = 0; c < ascii_.size(); ++c) ascii_[c] = ascii_result(static_cast<char>(c), ascii_class_table()[c]);
  }

  void run(std::string_view text) {
    for (size_t at = 0; at < text.size();) {
      if (is_ascii(text[at])) {
        at = copy_ascii(text, at);
        continue;
      }
      const Decoded decoded = decode_utf8(text, at);
      at += decoded.size;
      clean(decoded.code_point);
    }
    flush();
  }

 private:
  static constexpr char kDropped = '\x80';

  char ascii_result(char c, uint8_t flags) const {
    if (options_.clean_text && (flags & kControl) != 0) return kDropped;
    if (options_.clean_text && (flags & kSpace) != 0) return ' ';
    return options_.lowercase && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  }

  /// ASCII decomposes to itself, and no mark moves across it.
  size_t copy_ascii(std::string_view text, size_t at) {
    flush();
    for (; at < text.size() && is_ascii(text[at]); ++at) {
      const char c = ascii_[static_cast<uint8_t>(text[at])];
      if (c != kDropped) out_ += c;
    }
    return at;
  }

  void clean(char32_t code_point) {
    const uint8_t flags = char_class(code_point);
    if (options_.clean_text && (flags & kControl) != 0) return;
    if (options_.clean_text && (flags & kSpace) != 0) return strip(' ');
    if (!options_.split_chinese || (flags & kChinese) == 0) return strip(code_point);
    strip(' ');
    strip(code_point);
    strip(' ');
  }

  void strip(char32_t code_point) {
    if (!options_.strip_accents) return lower(code_point);
    parts_.clear();
    append_decomposition(code_point, parts_);
    for (const char32_t part : parts_) {
      // Marks are sorted by class up to the next character of class 0, even one that is dropped itself. A mark that is
      // dropped anyway does not disturb the order of the others.
      const uint8_t flags = char_class(part);
      const int order = combining_class(part, flags);
      if (order == 0) flush();
      if ((flags & kMark) != 0) continue;
      if (order == 0) {
        lower(part);
      } else {
        waiting_.emplace_back(order, part);
      }
    }
  }

  void flush() {
    if (waiting_.empty()) return;
    std::stable_sort(waiting_.begin(), waiting_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [order, code_point] : waiting_) lower(code_point);
    waiting_.clear();
  }

  void lower(char32_t code_point) {
    if (!options_.lowercase) return append_utf8(code_point, out_);
    lowered_.clear();
    append_lowercase(code_point, lowered_);
    for (const char32_t c : lowered_) append_utf8(c, out_);
  }

  NormalizerOptions options_;
  std::string& out_;
  std::array<char, 128> ascii_{};
  std::vector<char32_t> parts_, lowered_;          // reused
  std::vector<std::pair<int, char32_t>> waiting_;  // marks and their class, to be sorted
};

}  // namespace

void normalize(std::string_view text, const NormalizerOptions& options, std::string& out) {
  out.reserve(out.size() + text.size());
  Normalizer(options, out).run(text);
}

Word next_word(std::string_view normalized, size_t& at) {
  const std::array<uint8_t, 128>& ascii = ascii_class_table();
  size_t begin = at, code_points = 0;
  while (at < normalized.size()) {
    const Decoded decoded = decode_utf8(normalized, at);
    const uint8_t flags =
        decoded.code_point < ascii.size() ? ascii[decoded.code_point] : char_class(decoded.code_point);
    const bool ends_word = (flags & (kSpace | kPunctuation)) != 0;
    if (ends_word && code_points > 0) break;  // the next call sees it first
    at += decoded.size;
    if ((flags & kPunctuation) != 0) return {normalized.substr(begin, decoded.size), 1};
    if (ends_word) {
      begin = at;
    } else {
      ++code_points;
    }
  }
  return {normalized.substr(begin, at - begin), code_points};
}

}  // namespace lathe::text
