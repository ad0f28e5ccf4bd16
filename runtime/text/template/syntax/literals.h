#pragma once
// Names, numbers and strings, as they stand in expressions.

#include <string>
#include <string_view>

#include "runtime/text/template/syntax/lexer.h"

namespace lathe::jinja {

struct Literal {
  TokenKind kind = TokenKind::name;
  std::string value;  // of a number its digits, without underscores
  size_t bytes = 0;   // taken from the template
  std::string fault;  // why it is none; empty for a good one
};

/// False where none begins at the beginning of `text`.
bool read_literal(std::string_view text, Literal& out);

}  // namespace lathe::jinja
