#pragma once
// The text of a template as tokens, by the rules of Jinja with trim_blocks and lstrip_blocks, which is how chat
// templates are read.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/artifact/error.h"

namespace lathe::jinja {

enum class TokenKind : uint8_t {
  text,          // between tags; what it says is written as it is
  begin_output,  // {{
  end_output,    // }}
  begin_block,   // {%
  end_block,     // %}
  name,
  string,  // its value, without quotes
  integer,
  real,
  sign,  // an operator or a bracket
  end,   // of the template
};

struct Token {
  TokenKind kind = TokenKind::end;
  uint32_t line = 1;
  std::string text;

  bool is_sign(std::string_view sign) const { return kind == TokenKind::sign && text == sign; }
  bool is_name(std::string_view name) const { return kind == TokenKind::name && text == name; }
};

/// Throws Error{code} with the template's name and the line.
[[noreturn]] void fail_at(Errc code, std::string_view name, uint32_t line, const std::string& text);

/// The last token is the one of kind end. `name` stands in messages. Throws Error{malformed} for what is no token or is
/// not closed, Error{limit} beyond kMaxTemplateBytes.
std::vector<Token> read_tokens(std::string_view source, std::string_view name);

}  // namespace lathe::jinja
