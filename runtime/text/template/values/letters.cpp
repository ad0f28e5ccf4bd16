// Upper and lower case, and which characters can be shown.

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "runtime/text/template/values/python_text.h"
#include "runtime/text/unicode/char_class.h"
#include "runtime/text/unicode/utf8.h"

namespace lathe::jinja {
namespace {

/// Capitals of one character that are several (SpecialCasing of Unicode): those of Latin.
struct CapitalsRow {
  char32_t letter;
  std::string_view upper, title;
};
constexpr CapitalsRow kCapitals[] = {{0xDF, "SS", "Ss"},     {0x149, "\xCA\xBCN", "\xCA\xBCN"},
                                     {0xFB00, "FF", "Ff"},   {0xFB01, "FI", "Fi"},
                                     {0xFB02, "FL", "Fl"},   {0xFB03, "FFI", "Ffi"},
                                     {0xFB04, "FFL", "Ffl"}, {0xFB05, "ST", "St"},
                                     {0xFB06, "ST", "St"}};

const CapitalsRow* find_capitals(char32_t letter) {
  const auto* row = std::find_if(std::begin(kCapitals), std::end(kCapitals),
                                 [&](const CapitalsRow& one) { return one.letter == letter; });
  return row == std::end(kCapitals) ? nullptr : row;
}

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

void append_upper(char32_t c, std::string& out) {
  if (const CapitalsRow* row = find_capitals(c)) {
    out += row->upper;
  } else {
    text::append_utf8(static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))), out);
  }
}

void append_title(char32_t c, std::string& out) {
  if (const CapitalsRow* row = find_capitals(c)) {
    out += row->title;
  } else {
    text::append_utf8(static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))), out);
  }
}

/// A sigma at the end of a word has a form of its own.
bool is_final_sigma(std::string_view all, size_t at, size_t size) {
  const bool after_letter = at > 0 && is_cased(text::decode_utf8_before(all, at).code_point);
  const bool before_letter = at + size < all.size() && is_cased(text::decode_utf8(all, at + size).code_point);
  return after_letter && !before_letter;
}

void append_lower(std::string_view all, size_t at, const text::Decoded& one, std::string& out) {
  constexpr char32_t kSigma = 0x3A3, kFinalSigma = 0x3C2;
  if (one.code_point == kSigma && is_final_sigma(all, at, one.size)) return text::append_utf8(kFinalSigma, out);
  std::vector<char32_t> lowered;
  text::append_lowercase(one.code_point, lowered);
  for (const char32_t c : lowered) text::append_utf8(c, out);
}

template <class Append>
std::string mapped(std::string_view all, Append append) {
  std::string out;
  for (size_t at = 0; at < all.size();) {
    const text::Decoded one = text::decode_utf8(all, at);
    append(at, one, out);
    at += one.size;
  }
  return out;
}

}  // namespace

bool is_cased(char32_t c) {
  const utf8proc_category_t found = category(c);
  return found == UTF8PROC_CATEGORY_LU || found == UTF8PROC_CATEGORY_LL || found == UTF8PROC_CATEGORY_LT;
}

bool is_printable(char32_t c) {
  constexpr std::array kHidden = {UTF8PROC_CATEGORY_CN, UTF8PROC_CATEGORY_CC, UTF8PROC_CATEGORY_CF,
                                  UTF8PROC_CATEGORY_CS, UTF8PROC_CATEGORY_CO, UTF8PROC_CATEGORY_ZL,
                                  UTF8PROC_CATEGORY_ZP, UTF8PROC_CATEGORY_ZS};
  return c == ' ' || std::find(kHidden.begin(), kHidden.end(), category(c)) == kHidden.end();
}

std::string lower(std::string_view all) {
  return mapped(all, [&](size_t at, const text::Decoded& one, std::string& out) { append_lower(all, at, one, out); });
}

std::string upper(std::string_view all) {
  return mapped(all, [](size_t, const text::Decoded& one, std::string& out) { append_upper(one.code_point, out); });
}

std::string capitalized(std::string_view all) {
  return mapped(all, [&](size_t at, const text::Decoded& one, std::string& out) {
    if (at == 0) return append_title(one.code_point, out);
    append_lower(all, at, one, out);
  });
}

std::string titled(std::string_view all) {
  bool in_word = false;
  return mapped(all, [&](size_t at, const text::Decoded& one, std::string& out) {
    if (in_word) {
      append_lower(all, at, one, out);
    } else {
      append_title(one.code_point, out);
    }
    in_word = is_cased(one.code_point);
  });
}

}  // namespace lathe::jinja
