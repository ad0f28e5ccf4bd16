// json.dumps().

#include <algorithm>
#include <cmath>

#include "runtime/text/template/values/operators.h"
#include "runtime/text/template/values/text_of.h"
#include "runtime/text/unicode/utf8.h"

namespace lathe::jinja {
namespace {

void append_unit(uint32_t unit, std::string& out) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += "\\u";
  for (int digit = 3; digit >= 0; --digit) out += kDigits[(unit >> (4 * digit)) & 0xF];
}

void append_escaped(char32_t c, std::string& out) {
  constexpr char32_t kFirstPair = 0x10000;
  if (c < kFirstPair) return append_unit(c, out);
  append_unit(0xD800 + ((c - kFirstPair) >> 10), out);
  append_unit(0xDC00 + ((c - kFirstPair) & 0x3FF), out);
}

void append_string(std::string_view all, bool ascii_only, std::string& out) {
  constexpr std::string_view kEscaped = "\"\\\n\r\t\b\f";
  constexpr std::string_view kLetters = "\"\\nrtbf";
  out += '"';
  for (size_t at = 0; at < all.size();) {
    const text::Decoded one = text::decode_utf8(all, at);
    const size_t row = one.code_point < 0x80 ? kEscaped.find(static_cast<char>(one.code_point)) : kEscaped.npos;
    if (row != kEscaped.npos) {
      out.append("\\").append(kLetters.substr(row, 1));
    } else if (one.code_point < ' ' || (ascii_only && one.code_point > 0x7E)) {
      append_escaped(one.code_point, out);
    } else {
      out += all.substr(at, one.size);
    }
    at += one.size;
  }
  out += '"';
}

class Writer {
 public:
  Writer(Context& context, const JsonStyle& style) : context_(context), style_(style) {}

  void write(const Value& value) {
    const size_t before = out_.size();
    if (const Sequence* sequence = value.sequence()) {
      write_list(value, *sequence);
    } else if (const Dict* dict = value.dict()) {
      write_dict(*dict);
    } else {
      write_plain(value);
    }
    context_.charge_bytes(out_.size() - before);
    context_.check_text(out_.size());
  }
  std::string take() { return std::move(out_); }

 private:
  void write_plain(const Value& value) {
    if (const std::string* text = value.text()) return append_string(*text, style_.ascii_only, out_);
    if (value.is_none()) {
      out_ += "null";
    } else if (const bool* boolean = value.get<bool>()) {
      out_ += *boolean ? "true" : "false";
    } else if (const int64_t* integer = value.get<int64_t>()) {
      out_ += message(*integer);
    } else if (const double* real = value.get<double>()) {
      out_ += std::isnan(*real)   ? "NaN"
              : std::isinf(*real) ? (*real > 0 ? "Infinity" : "-Infinity")
                                  : float_text(*real);
    } else {
      context_.error("an object of type ", type_name(value), " is not JSON serializable");
    }
  }

  void write_list(const Value& value, const Sequence& sequence) {
    if (sequence.kind != SequenceKind::list && sequence.kind != SequenceKind::tuple) {
      context_.error("an object of type ", type_name(value), " is not JSON serializable");
    }
    if (sequence.items.empty()) return void(out_ += "[]");
    out_ += '[';
    ++depth_;
    for (size_t i = 0; i < sequence.items.size(); ++i) {
      begin_item(i);
      write(sequence.items[i]);
    }
    --depth_;
    begin_line();
    out_ += ']';
  }

  void write_dict(const Dict& dict) {
    if (dict.entries.empty()) return void(out_ += "{}");
    std::vector<const Entry*> entries;
    for (const Entry& entry : dict.entries) entries.push_back(&entry);
    if (style_.sort_keys) {
      std::stable_sort(entries.begin(), entries.end(),
                       [&](const Entry* a, const Entry* b) { return compare(context_, "<", a->key, b->key) < 0; });
    }
    out_ += '{';
    ++depth_;
    for (size_t i = 0; i < entries.size(); ++i) {
      begin_item(i);
      write_key(entries[i]->key);
      out_ += style_.key_separator;
      write(entries[i]->value);
    }
    --depth_;
    begin_line();
    out_ += '}';
  }

  void write_key(const Value& key) {
    if (key.text() != nullptr) return write_plain(key);
    if (key.sequence() != nullptr) context_.error("keys of JSON are text, not a ", type_name(key));
    out_ += '"';
    write_plain(key);
    out_ += '"';
  }

  void begin_item(size_t index) {
    if (index > 0) out_ += style_.item_separator;
    begin_line();
  }

  void begin_line() {
    if (style_.indent < 0) return;
    context_.charge_bytes(depth_ * static_cast<size_t>(style_.indent));
    out_ += '\n';
    out_.append(depth_ * static_cast<size_t>(style_.indent), ' ');
  }

  Context& context_;
  const JsonStyle& style_;
  std::string out_;
  size_t depth_ = 0;
};

}  // namespace

std::string json_of(Context& context, const Value& value, const JsonStyle& style) {
  Writer writer(context, style);
  writer.write(value);
  return writer.take();
}

}  // namespace lathe::jinja
