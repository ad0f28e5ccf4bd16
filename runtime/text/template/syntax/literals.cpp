#include "runtime/text/template/syntax/literals.h"

#include <charconv>

#include "formats/artifact/error.h"
#include "runtime/text/unicode/utf8.h"

namespace lathe::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/// Digits, with single underscores between them.
size_t digits_end(std::string_view text, size_t at) {
  while (at < text.size() && (is_digit(text[at]) || (text[at] == '_' && at > 0 && is_digit(text[at - 1]) &&
                                                     at + 1 < text.size() && is_digit(text[at + 1])))) {
    ++at;
  }
  return at;
}

void read_number(std::string_view text, Literal& out) {
  size_t end = digits_end(text, 0);
  out.kind = TokenKind::integer;
  if (end + 1 < text.size() && text[end] == '.' && is_digit(text[end + 1])) {
    out.kind = TokenKind::real;
    end = digits_end(text, end + 1);
  }
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    const size_t sign = end + 1 < text.size() && (text[end + 1] == '+' || text[end + 1] == '-') ? 1 : 0;
    if (end + 1 + sign < text.size() && is_digit(text[end + 1 + sign])) {
      out.kind = TokenKind::real;
      end = digits_end(text, end + 1 + sign);
    }
  }
  out.bytes = end;
  for (const char c : text.substr(0, end)) {
    if (c != '_') out.value += c;
  }
  const bool leads_with_zero = out.value.size() > 1 && out.value[0] == '0' && out.kind == TokenKind::integer;
  if (leads_with_zero && out.value.find_first_not_of('0') != out.value.npos) out.fault = "a number begins with 0";
  if (end < text.size() && (is_letter(text[end]) || is_digit(text[end]))) out.fault = "a number runs into a name";
}

struct EscapeRow {
  char letter;
  char meaning;
};
constexpr EscapeRow kEscapes[] = {{'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'\\', '\\'}, {'\'', '\''},
                                  {'"', '"'},  {'a', '\a'}, {'b', '\b'}, {'f', '\f'},  {'v', '\v'}};
struct HexRow {
  char letter;
  size_t digits;
};
constexpr HexRow kHexes[] = {{'x', 2}, {'u', 4}, {'U', 8}};

bool append_code_point(std::string_view digits, size_t count, int base, std::string& out) {
  uint32_t code = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), code, base);
  const bool is_scalar = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
  if (digits.size() != count || result.ptr != digits.data() + digits.size() || !is_scalar) return false;
  text::append_utf8(code, out);
  return true;
}

/// Reads an escape behind its backslash and returns how many bytes it takes; 0 where it is broken.
size_t read_escape(std::string_view text, std::string& out) {
  const char letter = text.front();
  if (letter == '\n') return 1;
  for (const EscapeRow& row : kEscapes) {
    if (row.letter != letter) continue;
    out += row.meaning;
    return 1;
  }
  for (const HexRow& row : kHexes) {
    if (row.letter != letter) continue;
    return append_code_point(text.substr(1, row.digits), row.digits, 16, out) ? 1 + row.digits : 0;
  }
  size_t octal = 0;
  while (octal < text.size() && octal < 3 && text[octal] >= '0' && text[octal] <= '7') ++octal;
  if (octal > 0) return append_code_point(text.substr(0, octal), octal, 8, out) ? octal : 0;
  if (letter == 'N') return 0;  // characters by name
  out += '\\';                  // no escape: Python leaves it as it is
  const size_t size = text::decode_utf8(text, 0).size;
  out += text.substr(0, size);
  return size;
}

void read_string(std::string_view text, Literal& out) {
  const char quote = text.front();
  out.kind = TokenKind::string;
  for (size_t at = 1; at < text.size();) {
    if (text[at] == quote) {
      out.bytes = at + 1;
      return;
    }
    if (text[at] != '\\') {
      out.value += text[at++];
      continue;
    }
    if (++at == text.size()) break;
    const size_t taken = read_escape(text.substr(at), out.value);
    if (taken == 0) {
      out.fault = message("an escape that is not handled, \\", text.substr(at, 1));
      return;
    }
    at += taken;
  }
  out.fault = "a string is not closed";
}

}  // namespace

bool read_literal(std::string_view text, Literal& out) {
  const char first = text.front();
  if (first == '\'' || first == '"') {
    read_string(text, out);
  } else if (is_digit(first)) {
    read_number(text, out);
  } else if (is_letter(first)) {
    while (out.bytes < text.size() && (is_letter(text[out.bytes]) || is_digit(text[out.bytes]))) ++out.bytes;
    out.value = text.substr(0, out.bytes);
  } else {
    return false;
  }
  return true;
}

}  // namespace lathe::jinja
