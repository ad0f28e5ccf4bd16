#pragma once
// The tokens of a template, one after the other, with the messages for those that do not fit.

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/text/template/syntax/lexer.h"

namespace lathe::jinja {

class TokenStream {
 public:
  TokenStream(std::vector<Token> tokens, std::string_view name) : tokens_(std::move(tokens)), name_(name) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token take() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool at_sign(std::string_view sign) const { return current().is_sign(sign); }
  bool at_name(std::string_view name) const { return current().is_name(name); }
  /// Takes it where it is there.
  bool skip_sign(std::string_view sign) { return at_sign(sign) && (take(), true); }
  bool skip_name(std::string_view name) { return at_name(name) && (take(), true); }
  void expect_sign(std::string_view sign) {
    if (!skip_sign(sign)) fail_here(message("expected '", sign, "', found ", current_text()));
  }
  void expect_name(std::string_view name) {
    if (!skip_name(name)) fail_here(message("expected '", name, "', found ", current_text()));
  }
  void expect(TokenKind kind, std::string_view what) {
    if (current().kind != kind) fail_here(message("expected ", what, ", found ", current_text()));
    take();
  }
  std::string take_name(std::string_view what) {
    if (current().kind != TokenKind::name) fail_here(message("expected ", what, ", found ", current_text()));
    return take().text;
  }

  /// How many tokens have been taken.
  size_t place() const { return at_; }
  /// Whether a name is among the tokens that were taken since a place.
  bool mentions(std::string_view name, size_t since) const {
    return std::any_of(tokens_.begin() + static_cast<ptrdiff_t>(since), tokens_.begin() + static_cast<ptrdiff_t>(at_),
                       [&](const Token& token) { return token.is_name(name); });
  }

  std::string current_text() const {
    return current().kind == TokenKind::end ? "the end of the template" : message("'", current().text, "'");
  }
  /// Throws Error{malformed} at the line of the current token.
  [[noreturn]] void fail_here(const std::string& text) const { fail_at(Errc::malformed, name_, current().line, text); }
  /// Throws Error{unsupported}.
  [[noreturn]] void refuse(uint32_t line, const std::string& what) const {
    fail_at(Errc::unsupported, name_, line, message(what, " is not supported in chat templates"));
  }
  std::string_view name() const { return name_; }

 private:
  std::vector<Token> tokens_;
  std::string_view name_;
  size_t at_ = 0;
};

}  // namespace lathe::jinja
