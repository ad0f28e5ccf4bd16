#pragma once
// Values as Python writes them.

#include <string>
#include <string_view>

#include "runtime/text/template/context.h"
#include "runtime/text/template/values/value.h"

namespace lathe::jinja {

/// str(value): what an output statement writes. Throws Error{unsupported} for what has an address in it.
std::string text_of(Context& context, const Value& value);
/// repr(value): a text stands in quotes.
std::string repr_of(Context& context, const Value& value);
/// The shortest digits that read back the same, as Python lays them out.
std::string float_text(double value);

struct JsonStyle {
  bool ascii_only = false;
  bool sort_keys = false;
  int64_t indent = -1;  // below 0: all on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
/// json.dumps(value). Throws Error{malformed} for what JSON has no form of.
std::string json_of(Context& context, const Value& value, const JsonStyle& style);

/// With entities for &, <, >, ' and ".
std::string escaped(std::string_view text);
/// The same of str(value), which is left as it is where it is markup.
std::string escaped_unless_markup(Context& context, const Value& value);

/// Why a value is undefined, for messages.
std::string undefined_message(const Undefined& value);

}  // namespace lathe::jinja
