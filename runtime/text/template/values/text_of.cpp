#include "runtime/text/template/values/text_of.h"

#include <charconv>
#include <cmath>

#include "runtime/text/template/values/python_text.h"
#include "runtime/text/unicode/utf8.h"

namespace lathe::jinja {
namespace {

void append_hex(char32_t c, std::string& out) {
  constexpr char kDigits[] = "0123456789abcdef";
  const int width = c <= 0xFF ? 2 : c <= 0xFFFF ? 4 : 8;
  out += width == 2 ? "\\x" : width == 4 ? "\\u" : "\\U";
  for (int digit = width - 1; digit >= 0; --digit) out += kDigits[(c >> (4 * digit)) & 0xF];
}

void append_quoted(std::string_view all, std::string& out) {
  const bool doubled = all.find('\'') != all.npos && all.find('"') == all.npos;
  const char quote = doubled ? '"' : '\'';
  out += quote;
  for (size_t at = 0; at < all.size();) {
    const text::Decoded one = text::decode_utf8(all, at);
    const char32_t c = one.code_point;
    if (c == '\\' || c == static_cast<char32_t>(quote)) {
      out.append("\\").append(all.substr(at, 1));
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (!is_printable(c)) {
      append_hex(c, out);
    } else {
      out += all.substr(at, one.size);
    }
    at += one.size;
  }
  out += quote;
}

void append_repr(Context& context, const Value& value, std::string& out, uint32_t depth);

void append_items(Context& context, const Values& items, std::string& out, uint32_t depth) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    append_repr(context, items[i], out, depth);
  }
}

void append_sequence(Context& context, const Sequence& sequence, std::string& out, uint32_t depth) {
  if (sequence.kind == SequenceKind::iterator) {
    context.fail_here(Errc::unsupported, "an iterator is printed, which has no fixed text; use the filter list");
  }
  if (sequence.kind == SequenceKind::range) {
    out += sequence.shown;
    return;
  }
  const bool tuple = sequence.kind == SequenceKind::tuple;
  out.append(sequence.shown).append(tuple ? "(" : "[");
  append_items(context, sequence.items, out, depth);
  if (tuple && sequence.items.size() == 1) out += ',';
  out += tuple ? ")" : "]";
  if (!sequence.shown.empty()) out += ')';
}

void append_dict(Context& context, const Dict& dict, std::string& out, uint32_t depth) {
  out += '{';
  for (size_t i = 0; i < dict.entries.size(); ++i) {
    if (i > 0) out += ", ";
    append_repr(context, dict.entries[i].key, out, depth);
    out += ": ";
    append_repr(context, dict.entries[i].value, out, depth);
  }
  out += '}';
}

void append_namespace(Context& context, const Namespace& space, std::string& out, uint32_t depth) {
  out += "<Namespace {";
  for (size_t i = 0; i < space.members.size(); ++i) {
    if (i > 0) out += ", ";
    append_quoted(space.members[i].first, out);
    out += ": ";
    append_repr(context, space.members[i].second, out, depth);
  }
  out += "}>";
}

void append_repr(Context& context, const Value& value, std::string& out, uint32_t depth) {
  constexpr uint32_t kMostNested = 2 * kMaxValueDepth;  // only a namespace that holds itself gets there
  if (depth > kMostNested) context.fail_here(Errc::limit, "a value that holds itself is printed");
  const size_t before = out.size();
  if (const std::string* text = value.text()) {
    append_quoted(*text, out);
  } else if (value.is_undefined()) {
    out += "Undefined";
  } else if (value.is_none()) {
    out += "None";
  } else if (const bool* boolean = value.get<bool>()) {
    out += *boolean ? "True" : "False";
  } else if (const int64_t* integer = value.get<int64_t>()) {
    out += message(*integer);
  } else if (const double* real = value.get<double>()) {
    out += float_text(*real);
  } else if (const Sequence* sequence = value.sequence()) {
    append_sequence(context, *sequence, out, depth + 1);
  } else if (const Dict* dict = value.dict()) {
    append_dict(context, *dict, out, depth + 1);
  } else if (Namespace* const* space = value.get<Namespace*>()) {
    append_namespace(context, **space, out, depth + 1);
  } else {
    context.fail_here(Errc::unsupported, message("a ", type_name(value), " is printed, which has no fixed text"));
  }
  context.charge_bytes(out.size() - before);
  context.check_text(out.size());
}

}  // namespace

std::string text_of(Context& context, const Value& value) {
  if (const std::string* text = value.text()) {
    context.charge_bytes(text->size());
    return *text;
  }
  if (value.is_undefined()) return {};
  return repr_of(context, value);
}

std::string repr_of(Context& context, const Value& value) {
  std::string out;
  append_repr(context, value, out, 0);
  return out;
}

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string_view all(buffer, static_cast<size_t>(end - buffer));
  const size_t e = all.find('e');
  int exponent = 0;
  const size_t sign = all[e + 1] == '+' ? 1 : 0;
  std::from_chars(all.data() + e + 1 + sign, all.data() + all.size(), exponent);
  constexpr int kLeastPlain = -4, kMostPlain = 16;  // where Python changes to exponents
  if (exponent < kLeastPlain || exponent >= kMostPlain) return std::string(all);
  const auto plain = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr;
  std::string out(buffer, plain);
  if (out.find('.') == out.npos) out += ".0";
  return out;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    constexpr std::pair<char, std::string_view> kEntities[] = {
        {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\'', "&#39;"}, {'"', "&#34;"}};
    const auto* row = std::begin(kEntities);
    while (row != std::end(kEntities) && row->first != c) ++row;
    out += row == std::end(kEntities) ? std::string_view(&c, 1) : row->second;
  }
  return out;
}

std::string escaped_unless_markup(Context& context, const Value& value) {
  const Text* text = value.get<Text>();
  std::string out = text_of(context, value);
  return text != nullptr && text->markup ? out : escaped(out);
}

std::string undefined_message(const Undefined& value) {
  return value.what == nullptr ? "a value is undefined" : *value.what;
}

}  // namespace lathe::jinja
