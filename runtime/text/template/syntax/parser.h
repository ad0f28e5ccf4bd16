#pragma once
// Tokens as a tree.

#include <string_view>

#include "runtime/text/template/syntax/syntax.h"
#include "runtime/text/template/syntax/token_stream.h"

namespace lathe::jinja {

/// Throws Error{malformed} for what Jinja would not read, Error{unsupported} naming what it would and this does not,
/// Error{limit} for what is too long or nested too deeply. `name` stands in messages.
Block parse_template(std::string_view source, std::string_view name);

/// An expression, which ends where it cannot go on. `with_condition`: it may be "a if b else c".
ExpressionPointer parse_expression(TokenStream& tokens, bool with_condition = true);
/// Expressions with commas between them are a tuple.
ExpressionPointer parse_tuple(TokenStream& tokens, bool with_condition = true);
/// Filters behind `value`, of which the stream stands before the name of the first.
ExpressionPointer parse_filters(TokenStream& tokens, ExpressionPointer value);

}  // namespace lathe::jinja
