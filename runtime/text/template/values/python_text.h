#pragma once
// Python's operations on str, for text in UTF-8. Places and lengths are counted in code points.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/text/template/context.h"
#include "runtime/text/template/values/value.h"

namespace lathe::jinja {

/// White space of str.isspace() and of \s.
bool is_space(char32_t code_point);
/// Letters that have a case.
bool is_cased(char32_t code_point);
/// What str.isprintable() says of one character.
bool is_printable(char32_t code_point);

size_t length_of_text(Context& context, std::string_view text);
/// The characters one by one; they point into `text`.
std::vector<std::string_view> characters_of(Context& context, std::string_view text);

/// The byte where `part` begins at or after `from`, npos where it does not. The price is that of a search that compares
/// every place.
size_t find_text(Context& context, std::string_view text, std::string_view part, size_t from);
size_t rfind_text(Context& context, std::string_view text, std::string_view part);

enum class Side { left, right, both };
/// Without the white space at these sides, or without any of `characters` where these are given.
std::string_view stripped(std::string_view text, Side side);
std::string_view stripped(Context& context, std::string_view text, std::string_view characters, Side side);

/// At most `most` cuts, all where it is below 0; from the right with `from_right`.
std::vector<std::string_view> split_at(Context& context, std::string_view text, std::string_view separator,
                                       int64_t most, bool from_right);
std::vector<std::string_view> split_at_space(std::string_view text, int64_t most, bool from_right);
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

/// All occurrences where `most` is below 0.
std::string replaced(Context& context, std::string_view text, std::string_view old, std::string_view with,
                     int64_t most);

std::string lower(std::string_view text);
std::string upper(std::string_view text);
std::string capitalized(std::string_view text);
/// str.title(), where a word is a run of letters with a case.
std::string titled(std::string_view text);

/// text % arguments, with the conversions s, d, i, f, r and %%.
Value formatted(Context& context, const Value& text, const Value& arguments);

}  // namespace lathe::jinja
