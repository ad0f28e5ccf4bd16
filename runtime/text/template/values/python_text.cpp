#include "runtime/text/template/values/python_text.h"

#include <algorithm>

#include "runtime/text/unicode/utf8.h"

namespace lathe::jinja {
namespace {

using text::decode_utf8;
using text::decode_utf8_before;
using text::Decoded;

bool is_line_end(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

template <class Strips>
std::string_view stripped_if(std::string_view text, Side side, Strips strips) {
  while (side != Side::right && !text.empty()) {
    const Decoded first = decode_utf8(text, 0);
    if (!strips(first.code_point)) break;
    text.remove_prefix(first.size);
  }
  while (side != Side::left && !text.empty()) {
    const Decoded last = decode_utf8_before(text, text.size());
    if (!strips(last.code_point)) break;
    text.remove_suffix(last.size);
  }
  return text;
}

bool has_cuts_left(int64_t most, size_t cuts) { return most < 0 || cuts < static_cast<uint64_t>(most); }

constexpr size_t kWindow = 4096;  // places that are searched between two looks at the limits

/// What a search at `size` places for `part` costs at most.
uint64_t price_of_search(size_t size, std::string_view part) {
  constexpr size_t kBytesAtOnce = 64;  // a comparison of two texts is that much faster than a step
  return (1 + size / kBytesPerStep) * (1 + part.size() / kBytesAtOnce);
}

}  // namespace

bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

size_t length_of_text(Context& context, std::string_view text) {
  context.charge_bytes(text.size());
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::vector<std::string_view> characters_of(Context& context, std::string_view text) {
  context.charge(text.size());
  std::vector<std::string_view> out;
  for (size_t at = 0; at < text.size();) {
    const size_t size = decode_utf8(text, at).size;
    out.push_back(text.substr(at, size));
    at += size;
  }
  return out;
}

size_t find_text(Context& context, std::string_view text, std::string_view part, size_t from) {
  for (size_t begin = from; begin <= text.size(); begin += kWindow) {
    context.charge(price_of_search(std::min(kWindow, text.size() - begin), part));
    const size_t at = text.substr(begin, kWindow - 1 + part.size()).find(part);
    if (at != text.npos) return begin + at;
  }
  return text.npos;
}

size_t rfind_text(Context& context, std::string_view text, std::string_view part) {
  if (part.size() > text.size()) return text.npos;
  for (size_t end = text.size() - part.size() + 1; end > 0;) {  // of the places where it may begin
    const size_t begin = end > kWindow ? end - kWindow : 0;
    context.charge(price_of_search(end - begin, part));
    const size_t at = text.substr(begin, end - begin - 1 + part.size()).rfind(part);
    if (at != text.npos) return begin + at;
    end = begin;
  }
  return text.npos;
}

std::string_view stripped(std::string_view text, Side side) { return stripped_if(text, side, is_space); }

std::string_view stripped(Context& context, std::string_view text, std::string_view characters, Side side) {
  std::u32string set;
  for (const std::string_view one : characters_of(context, characters)) set += decode_utf8(one, 0).code_point;
  context.charge((1 + text.size() / kBytesPerStep) * (1 + set.size()));
  return stripped_if(text, side, [&](char32_t c) { return set.find(c) != set.npos; });
}

std::vector<std::string_view> split_at(Context& context, std::string_view text, std::string_view separator,
                                       int64_t most, bool from_right) {
  if (separator.empty()) context.error("empty separator");
  std::vector<std::string_view> out;
  while (has_cuts_left(most, out.size())) {
    context.charge(1);
    const size_t at = from_right ? rfind_text(context, text, separator) : find_text(context, text, separator, 0);
    if (at == text.npos) break;
    out.push_back(from_right ? text.substr(at + separator.size()) : text.substr(0, at));
    text = from_right ? text.substr(0, at) : text.substr(at + separator.size());
  }
  out.push_back(text);
  if (from_right) std::reverse(out.begin(), out.end());
  return out;
}

std::vector<std::string_view> split_at_space(std::string_view text, int64_t most, bool from_right) {
  std::vector<std::string_view> out;
  const Side side = from_right ? Side::right : Side::left;
  for (text = stripped(text, side); !text.empty(); text = stripped(text, side)) {
    size_t end = from_right ? text.size() : 0;
    while (!from_right && end < text.size() && !is_space(decode_utf8(text, end).code_point)) {
      end += decode_utf8(text, end).size;
    }
    while (from_right && end > 0 && !is_space(decode_utf8_before(text, end).code_point)) {
      end -= decode_utf8_before(text, end).size;
    }
    if (!has_cuts_left(most, out.size())) {
      out.push_back(text);  // with the white space at its far end
      break;
    }
    out.push_back(from_right ? text.substr(end) : text.substr(0, end));
    text = from_right ? text.substr(0, end) : text.substr(end);
  }
  if (from_right) std::reverse(out.begin(), out.end());
  return out;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    size_t end = 0;
    while (end < text.size() && !is_line_end(decode_utf8(text, end).code_point)) end += decode_utf8(text, end).size;
    size_t after = end < text.size() ? end + decode_utf8(text, end).size : end;
    if (text.substr(end).starts_with("\r\n")) ++after;
    out.push_back(text.substr(0, keep_ends ? after : end));
    text.remove_prefix(after);
  }
  return out;
}

std::string replaced(Context& context, std::string_view text, std::string_view old, std::string_view with,
                     int64_t most) {
  std::string out;
  size_t done = 0;
  for (size_t count = 0; has_cuts_left(most, count); ++count) {
    if (old.empty()) {  // between all characters, and at both ends
      if (count > 0) {
        if (done == text.size()) break;
        const size_t size = decode_utf8(text, done).size;
        out += text.substr(done, size);
        done += size;
      }
    } else {
      const size_t at = find_text(context, text, old, done);
      if (at == text.npos) break;
      out += text.substr(done, at - done);
      done = at + old.size();
    }
    out += with;
    context.charge_bytes(with.size());
    context.check_text(out.size());
  }
  return out.append(text.substr(done));
}

}  // namespace lathe::jinja
