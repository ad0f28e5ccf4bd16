// Methods of text.

#include <algorithm>
#include <charconv>

#include "runtime/text/template/library/library.h"
#include "runtime/text/template/values/operators.h"
#include "runtime/text/template/values/python_text.h"
#include "runtime/text/template/values/text_of.h"
#include "runtime/text/unicode/unicode_class.h"
#include "runtime/text/unicode/utf8.h"

namespace lathe::jinja {
namespace {

const std::string& text_argument(const Context& context, const Value& value, const char* what) {
  if (const Undefined* none = value.get<Undefined>()) context.error(undefined_message(*none));
  if (value.text() == nullptr) context.error(what, ": a text is required, not ", type_name(value));
  return *value.text();
}

int64_t count_argument(const Context& context, const Bound& arguments, size_t place) {
  int64_t count = -1;
  if (arguments.has(place) && !as_integer(arguments[place], count)) {
    context.error("an integer is required, not ", type_name(arguments[place]));
  }
  return count;
}

/// A text that comes of `subject`, and is markup where that is.
Value derived(Context& context, const Value& subject, std::string text) {
  return context.text(std::move(text), subject.get<Text>()->markup);
}

Value texts(Context& context, const Value& subject, const std::vector<std::string_view>& parts) {
  Values out;
  for (const std::string_view part : parts) out.push_back(derived(context, subject, std::string(part)));
  return context.list(std::move(out));
}

template <std::string (*change)(std::string_view)>
Value changed(Context& context, const Value& subject, const Bound&) {
  return derived(context, subject, change(*subject.text()));
}

template <Side side>
Value strip(Context& context, const Value& subject, const Bound& arguments) {
  const std::string& text = *subject.text();
  const bool by_set = arguments.has(0) && !arguments[0].is_none();
  return derived(context, subject,
                 std::string(by_set ? stripped(context, text, text_argument(context, arguments[0], "strip"), side)
                                    : stripped(text, side)));
}

template <bool from_right>
Value split(Context& context, const Value& subject, const Bound& arguments) {
  const std::string& text = *subject.text();
  const int64_t most = count_argument(context, arguments, 1);
  context.charge_bytes(text.size());
  if (!arguments.has(0) || arguments[0].is_none())
    return texts(context, subject, split_at_space(text, most, from_right));
  return texts(context, subject,
               split_at(context, text, text_argument(context, arguments[0], "split"), most, from_right));
}

Value split_into_lines(Context& context, const Value& subject, const Bound& arguments) {
  context.charge_bytes(subject.text()->size());
  return texts(context, subject, split_lines(*subject.text(), is_true(arguments[0])));
}

template <bool from_right>
Value partition(Context& context, const Value& subject, const Bound& arguments) {
  const std::string& separator = text_argument(context, arguments[0], "partition");
  const std::vector<std::string_view> parts = split_at(context, *subject.text(), separator, 1, from_right);
  Values out;
  if (parts.size() == 2) {
    out = {context.text(std::string(parts[0])), context.text(separator), context.text(std::string(parts[1]))};
  } else if (from_right) {
    out = {context.text(""), context.text(""), subject};
  } else {
    out = {subject, context.text(""), context.text("")};
  }
  return context.sequence(SequenceKind::tuple, std::move(out));
}

/// One of the texts of a tuple, or the text itself, is where `fits` says.
template <class Fits>
Value any_fits(Context& context, const Bound& arguments, Fits fits) {
  if (arguments.has(1)) context.fail_here(Errc::unsupported, "startswith and endswith with places are not supported");
  const Sequence* tuple = arguments[0].sequence();
  if (tuple == nullptr) return fits(text_argument(context, arguments[0], "startswith or endswith"));
  context.charge(tuple->items.size());
  return std::any_of(tuple->items.begin(), tuple->items.end(),
                     [&](const Value& one) { return fits(text_argument(context, one, "startswith or endswith")); });
}
Value starts_with(Context& context, const Value& subject, const Bound& arguments) {
  return any_fits(context, arguments, [&](const std::string& part) { return subject.text()->starts_with(part); });
}
Value ends_with(Context& context, const Value& subject, const Bound& arguments) {
  return any_fits(context, arguments, [&](const std::string& part) { return subject.text()->ends_with(part); });
}

Value replace(Context& context, const Value& subject, const Bound& arguments) {
  return derived(context, subject,
                 replaced(context, *subject.text(), text_argument(context, arguments[0], "replace"),
                          text_argument(context, arguments[1], "replace"), count_argument(context, arguments, 2)));
}

Value join(Context& context, const Value& subject, const Bound& arguments) {
  std::string out;
  bool is_first = true;
  for (const Value& item : items_of(context, arguments[0])) {
    if (!is_first) out += *subject.text();
    is_first = false;
    out += text_argument(context, item, "join");
    context.charge_bytes(out.size() - std::min(out.size(), subject.text()->size()));
    context.check_text(out.size());
  }
  return derived(context, subject, std::move(out));
}

template <size_t (*search)(Context&, std::string_view, std::string_view), bool must_be_there>
Value place_of(Context& context, const Value& subject, const Bound& arguments) {
  const std::string& text = *subject.text();
  const size_t at = search(context, text, text_argument(context, arguments[0], "find"));
  if (at == text.npos && must_be_there) context.error("substring not found");
  if (at == text.npos) return int64_t{-1};
  return static_cast<int64_t>(length_of_text(context, std::string_view(text).substr(0, at)));
}
size_t from_left(Context& context, std::string_view text, std::string_view part) {
  return find_text(context, text, part, 0);
}

Value count(Context& context, const Value& subject, const Bound& arguments) {
  const std::string& part = text_argument(context, arguments[0], "count");
  if (part.empty()) return static_cast<int64_t>(length_of_text(context, *subject.text()) + 1);
  return static_cast<int64_t>(split_at(context, *subject.text(), part, -1, false).size() - 1);
}

Value without_prefix(Context& context, const Value& subject, const Bound& arguments) {
  std::string_view text = *subject.text();
  const std::string& part = text_argument(context, arguments[0], "removeprefix");
  if (text.starts_with(part)) text.remove_prefix(part.size());
  return derived(context, subject, std::string(text));
}

Value without_suffix(Context& context, const Value& subject, const Bound& arguments) {
  std::string_view text = *subject.text();
  const std::string& part = text_argument(context, arguments[0], "removesuffix");
  if (text.ends_with(part)) text.remove_suffix(part.size());
  return derived(context, subject, std::string(text));
}

/// What stands between the braces of format(): nothing, a place or a name.
const Value& replacement(const Context& context, const Arguments& given, std::string_view field, size_t next) {
  for (const auto& [name, value] : given.named) {
    if (name == field) return value;
  }
  size_t place = next;
  const auto result = std::from_chars(field.data(), field.data() + field.size(), place);
  if (result.ptr != field.data() + field.size()) {
    context.fail_here(Errc::unsupported, message("format: the field {", field, "} is not supported or not given"));
  }
  if (place >= given.positional.size()) context.error("format: there is no argument for {", field, "}");
  return given.positional[place];
}

Value format(Context& context, const Value& subject, const Bound& arguments) {
  std::string_view rest = *subject.text();
  std::string out;
  for (size_t next = 0; !rest.empty();) {
    const size_t at = std::min(rest.find_first_of("{}"), rest.size());
    out += rest.substr(0, at);
    rest.remove_prefix(at);
    if (rest.starts_with("{{") || rest.starts_with("}}")) {
      out += rest.front();
      rest.remove_prefix(2);
    } else if (!rest.empty()) {
      const size_t end = rest.find('}');
      if (rest.front() == '}' || end == rest.npos) context.error("format: a single brace");
      const std::string_view field = rest.substr(1, end - 1);
      out += text_of(context, replacement(context, arguments.rest(), field, next));
      if (field.empty()) ++next;
      rest.remove_prefix(end + 1);
    }
    context.charge(1);
    context.check_text(out.size());
  }
  return derived(context, subject, std::move(out));
}

/// Every character, of at least one, is of a kind.
template <bool (*is_kind)(char32_t)>
Value all_are(Context& context, const Value& subject, const Bound&) {
  const std::vector<std::string_view> all = characters_of(context, *subject.text());
  return !all.empty() && std::all_of(all.begin(), all.end(), [](std::string_view one) {
    return is_kind(text::decode_utf8(one, 0).code_point);
  });
}
bool is_decimal(char32_t c) { return c >= '0' && c <= '9'; }
bool is_letter(char32_t c) { return (text::unicode_class(c) & text::kLetter) != 0; }
bool is_letter_or_number(char32_t c) { return (text::unicode_class(c) & (text::kLetter | text::kNumber)) != 0; }

/// There is a letter with a case, and all have this one.
template <std::string (*change)(std::string_view)>
Value is_in_case(Context& context, const Value& subject, const Bound&) {
  context.charge_bytes(subject.text()->size());
  const std::string& text = *subject.text();
  return change(text) == text && (upper(text) != text || lower(text) != text);
}

constexpr Routine kRows[] = {
    {"capitalize", "", 0, changed<capitalized>},
    {"count", "sub", 1, count},
    {"endswith", "suffix start", 1, ends_with},
    {"find", "sub", 1, place_of<from_left, false>},
    {"format", "*", 0, format},
    {"index", "sub", 1, place_of<from_left, true>},
    {"isalnum", "", 0, all_are<is_letter_or_number>},
    {"isalpha", "", 0, all_are<is_letter>},
    {"isdigit", "", 0, all_are<is_decimal>},
    {"islower", "", 0, is_in_case<lower>},
    {"isspace", "", 0, all_are<is_space>},
    {"isupper", "", 0, is_in_case<upper>},
    {"join", "iterable", 1, join},
    {"lower", "", 0, changed<lower>},
    {"lstrip", "chars", 0, strip<Side::left>},
    {"partition", "sep", 1, partition<false>},
    {"removeprefix", "prefix", 1, without_prefix},
    {"removesuffix", "suffix", 1, without_suffix},
    {"replace", "old new count", 2, replace},
    {"rfind", "sub", 1, place_of<rfind_text, false>},
    {"rindex", "sub", 1, place_of<rfind_text, true>},
    {"rpartition", "sep", 1, partition<true>},
    {"rsplit", "sep maxsplit", 0, split<true>},
    {"rstrip", "chars", 0, strip<Side::right>},
    {"split", "sep maxsplit", 0, split<false>},
    {"splitlines", "keepends", 0, split_into_lines},
    {"startswith", "prefix start", 1, starts_with},
    {"strip", "chars", 0, strip<Side::both>},
    {"title", "", 0, changed<titled>},
    {"upper", "", 0, changed<upper>},
};

}  // namespace

std::span<const Routine> text_methods() { return kRows; }

}  // namespace lathe::jinja
