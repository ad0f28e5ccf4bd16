#include "runtime/text/template/syntax/lexer.h"

#include <algorithm>

#include "runtime/text/template/limits.h"
#include "runtime/text/template/syntax/literals.h"
#include "runtime/text/template/values/python_text.h"
#include "runtime/text/unicode/utf8.h"

namespace lathe::jinja {
namespace {

constexpr std::string_view kSigns[] = {"**", "//", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "(",
                                       ")",  "[",  "]",  "{",  "}",  "<",  ">", "=", ".", ",", ":", "|", ";"};

/// Valid UTF-8 with \n at the end of each line, without the last one.
std::string normalized(std::string_view source) {
  std::string out;
  const std::string valid = text::valid_utf8(source);
  for (size_t at = 0; at < valid.size(); ++at) {
    if (valid[at] == '\r' && at + 1 < valid.size() && valid[at + 1] == '\n') continue;
    out += valid[at] == '\r' ? '\n' : valid[at];
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  Lexer(const std::string& source, std::string_view name) : source_(source), name_(name) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) read_text();
    add(TokenKind::end, "");
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return std::string_view(source_).substr(at_); }

  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, line_, std::move(text)}); }

  void advance(size_t bytes) {
    line_ += static_cast<uint32_t>(std::count(source_.begin() + static_cast<ptrdiff_t>(at_),
                                              source_.begin() + static_cast<ptrdiff_t>(at_ + bytes), '\n'));
    at_ += bytes;
  }

  void skip_space() { advance(rest().size() - stripped(rest(), Side::left).size()); }

  [[noreturn]] void fail_here(const std::string& text) const { fail_at(Errc::malformed, name_, line_, text); }

  /// The sign that may follow {% and stand before %}.
  char take_sign() {
    const char sign = rest().empty() ? ' ' : rest().front();
    if (sign != '-' && sign != '+') return ' ';
    advance(1);
    return sign;
  }

  /// Text up to the next tag, and the tag.
  void read_text() {
    size_t tag = at_;
    for (;; ++tag) {
      tag = source_.find('{', tag);
      if (tag == source_.npos || tag + 1 == source_.size()) {
        add(TokenKind::text, std::string(rest()));
        return advance(rest().size());
      }
      const char next = source_[tag + 1];
      if (next == '{' || next == '%' || next == '#') break;
    }
    std::string_view text = rest().substr(0, tag - at_);
    const char kind = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : ' ';
    if (sign == '-') {
      text = stripped(text, Side::right);
    } else if (sign != '+' && kind != '{') {
      text = without_indent(text);
    }
    if (!text.empty()) add(TokenKind::text, std::string(text));
    advance(tag + 2 - at_);
    take_sign();
    (kind == '{' ? read_output() : kind == '%' ? read_block() : read_comment());
  }

  /// Without the white space between the beginning of a line and a tag.
  std::string_view without_indent(std::string_view text) const {
    const size_t line_end = text.rfind('\n');
    const size_t begin = line_end == text.npos ? 0 : line_end + 1;
    const bool begins_line = begin > 0 || at_ == 0 || source_[at_ - 1] == '\n';
    return begins_line && stripped(text.substr(begin), Side::left).empty() ? text.substr(0, begin) : text;
  }

  /// What follows the end of a block or a comment, of which `sign` is the sign.
  void end_tag(char sign) {
    advance(2);
    if (sign == '-') {
      skip_space();
    } else if (sign != '+' && rest().starts_with('\n')) {
      advance(1);
    }
  }

  void read_comment() {
    const size_t end = source_.find("#}", at_);
    if (end == source_.npos) fail_here("a comment is not closed");
    const char sign = end > at_ ? source_[end - 1] : ' ';
    advance(end - at_);
    end_tag(sign);
  }

  void read_output() {
    add(TokenKind::begin_output, "{{");
    read_expression("}}", "a {{ is not closed");
    const bool strips = rest().starts_with('-');
    if (strips) advance(1);
    add(TokenKind::end_output, "}}");
    advance(2);
    if (strips) skip_space();
  }

  void read_block() {
    if (read_raw()) return;
    add(TokenKind::begin_block, "{%");
    read_expression("%}", "a {% is not closed");
    const char sign = take_sign();
    add(TokenKind::end_block, "%}");
    end_tag(sign);
  }

  /// Tokens up to the end of the tag, which stands where no bracket is open.
  void read_expression(std::string_view end, const char* unclosed) {
    const uint32_t begin = line_;
    std::string open;
    for (skip_space(); !rest().empty(); skip_space()) {
      const bool signed_end =
          (rest().front() == '-' || (rest().front() == '+' && end == "%}")) && rest().substr(1).starts_with(end);
      if (open.empty() && (signed_end || rest().starts_with(end))) return;
      read_token(open);
    }
    fail_at(Errc::malformed, name_, begin, unclosed);
  }

  void read_token(std::string& open) {
    Literal literal;
    if (read_literal(rest(), literal)) {
      if (!literal.fault.empty()) fail_here(literal.fault);
      add(literal.kind, std::move(literal.value));
      return advance(literal.bytes);
    }
    const auto* sign = std::find_if(std::begin(kSigns), std::end(kSigns),
                                    [&](std::string_view one) { return rest().starts_with(one); });
    if (sign == std::end(kSigns)) {
      fail_here(message("an unexpected character \"", rest().substr(0, text::decode_utf8(rest(), 0).size), "\""));
    }
    match_brackets(*sign, open);
    add(TokenKind::sign, std::string(*sign));
    advance(sign->size());
  }

  void match_brackets(std::string_view sign, std::string& open) const {
    constexpr std::string_view kOpening = "([{", kClosing = ")]}";
    if (kOpening.find(sign) != kOpening.npos) open += sign;
    const size_t row = sign.size() == 1 ? kClosing.find(sign) : kClosing.npos;
    if (row == kClosing.npos) return;
    if (open.empty() || open.back() != kOpening[row]) fail_here(message("an unexpected '", sign, "'"));
    open.pop_back();
  }

  /// {% raw %} ... {% endraw %}: the text between is written as it is. The caller stands behind "{%" and its sign.
  bool read_raw() {
    std::string_view tag = stripped(rest(), Side::left);
    if (!tag.starts_with("raw")) return false;
    tag = stripped(tag.substr(3), Side::left);
    const bool strips = tag.starts_with("-%}");
    if (!strips && !tag.starts_with("%}")) return false;
    advance(rest().size() - tag.size() + (strips ? 1 : 0));
    advance(2);
    if (strips) skip_space();
    size_t end = at_;
    size_t after = at_;
    while (!find_endraw(end, after)) ++end;
    std::string_view text = rest().substr(0, end - at_);
    if (source_[end + 2] == '-') {
      text = stripped(text, Side::right);
    } else if (source_[end + 2] != '+') {
      text = without_indent(text);
    }
    if (!text.empty()) add(TokenKind::text, std::string(text));
    const char sign = source_[after - 1];
    advance(after - at_);
    end_tag(sign);
    return true;
  }

  /// Whether {% endraw stands at the next {%; `after` is then the place of its %}.
  bool find_endraw(size_t& end, size_t& after) const {
    end = source_.find("{%", end);
    if (end == source_.npos) fail_here("a raw block is not closed");
    std::string_view tag = std::string_view(source_).substr(end + 2);
    if (tag.starts_with('-') || tag.starts_with('+')) tag.remove_prefix(1);
    tag = stripped(tag, Side::left);
    if (!tag.starts_with("endraw")) return false;
    tag = stripped(tag.substr(6), Side::left);
    if (tag.starts_with('-') || tag.starts_with('+')) tag.remove_prefix(1);
    after = source_.size() - tag.size();
    return tag.starts_with("%}");
  }

  const std::string& source_;
  std::string_view name_;
  size_t at_ = 0;
  uint32_t line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

void fail_at(Errc code, std::string_view name, uint32_t line, const std::string& text) {
  fail(code, message(name, ": line ", line, ": ", text));
}

std::vector<Token> read_tokens(std::string_view source, std::string_view name) {
  if (source.size() > kMaxTemplateBytes) {
    fail(Errc::limit, message(name, ": a template of ", source.size(), " bytes, the limit is ", kMaxTemplateBytes));
  }
  const std::string text = normalized(source);
  return Lexer(text, name).run();
}

}  // namespace lathe::jinja
