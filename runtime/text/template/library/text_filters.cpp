// Filters that give a text.

#include <algorithm>

#include "runtime/text/template/library/library.h"
#include "runtime/text/template/values/operators.h"
#include "runtime/text/template/values/python_text.h"
#include "runtime/text/template/values/text_of.h"

namespace lathe::jinja {
namespace {

bool is_markup(const Value& value) {
  const Text* text = value.get<Text>();
  return text != nullptr && text->markup;
}

/// A filter that changes the text of its subject and leaves markup markup.
template <std::string (*change)(std::string_view)>
Value changed(Context& context, const Value& subject, const Bound&) {
  return context.text(change(text_of(context, subject)), is_markup(subject));
}

Value trim(Context& context, const Value& subject, const Bound& arguments) {
  const std::string text = text_of(context, subject);
  const Value& characters = arguments[0];
  const std::string_view kept = characters.text() == nullptr ? stripped(text, Side::both)
                                                             : stripped(context, text, *characters.text(), Side::both);
  return context.text(std::string(kept), is_markup(subject));
}

/// Jinja's own title(): words begin behind white space, hyphens and opening brackets.
std::string title_words(std::string_view text) {
  constexpr std::string_view kBefore = "-({[<";
  std::string out;
  while (!text.empty()) {
    const auto is_before = [&](std::string_view rest) {
      return kBefore.find(rest.front()) != kBefore.npos || stripped(rest, Side::left).size() < rest.size();
    };
    size_t end = 0;
    const bool between = is_before(text);
    while (end < text.size() && is_before(text.substr(end)) == between) {
      do ++end;
      while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80);
    }
    out += between ? std::string(text.substr(0, end)) : capitalized(text.substr(0, end));
    text.remove_prefix(end);
  }
  return out;
}

Value as_string(Context& context, const Value& subject, const Bound&) {
  return context.text(text_of(context, subject), is_markup(subject));
}

Value safe(Context& context, const Value& subject, const Bound&) {
  return context.text(text_of(context, subject), true);
}

Value escape(Context& context, const Value& subject, const Bound&) {
  return context.text(escaped_unless_markup(context, subject), true);
}

Value force_escape(Context& context, const Value& subject, const Bound&) {
  return context.text(escaped(text_of(context, subject)), true);
}

Value replace(Context& context, const Value& subject, const Bound& arguments) {
  int64_t most = -1;
  if (arguments.has(2) && !arguments[2].is_none() && !as_integer(arguments[2], most)) {
    context.error("replace: count must be an integer, not ", type_name(arguments[2]));
  }
  return context.text(replaced(context, text_of(context, subject), text_of(context, arguments[0]),
                               text_of(context, arguments[1]), most));
}

Value join(Context& context, const Value& subject, const Bound& arguments) {
  const std::string between = text_of(context, arguments[0]);
  std::string out;
  bool is_first = true;
  for (const Value& item : items_of(context, subject)) {
    if (!is_first) out += between;
    is_first = false;
    const bool by_attribute = arguments.has(1) && !arguments[1].is_none();
    out += text_of(context, by_attribute ? member_of(context, item, arguments[1]) : item);
    context.charge_bytes(between.size());
    context.check_text(out.size());
  }
  return context.text(std::move(out));
}

Value indent(Context& context, const Value& subject, const Bound& arguments) {
  std::string margin(4, ' ');
  int64_t width = 0;
  if (arguments[0].text() != nullptr) {
    margin = *arguments[0].text();
  } else if (arguments.has(0)) {
    if (!as_integer(arguments[0], width)) context.error("indent: width must be an integer or a text");
    context.check_text(static_cast<size_t>(std::max<int64_t>(width, 0)));
    margin.assign(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
  }
  const bool first = is_true(arguments[1]), blank = is_true(arguments[2]);
  const std::string text = text_of(context, subject) + "\n";
  std::string out;
  bool is_first = true;
  for (const std::string_view line : split_lines(text, false)) {
    if (!is_first) out += '\n';
    if (is_first ? first : (blank || !line.empty())) out += margin;
    is_first = false;
    out += line;
    context.charge_bytes(margin.size() + line.size());
    context.check_text(out.size());
  }
  return context.text(std::move(out), is_markup(subject));
}

Value center(Context& context, const Value& subject, const Bound& arguments) {
  const std::string text = text_of(context, subject);
  int64_t width = 80;
  if (arguments.has(0) && !as_integer(arguments[0], width)) context.error("center: width must be an integer");
  const auto length = static_cast<int64_t>(length_of_text(context, text));
  if (width <= length) return context.text(text);
  context.check_text(static_cast<size_t>(width));
  const int64_t blanks = width - length;
  const int64_t left = blanks / 2 + (blanks & width & 1);
  return context.text(std::string(static_cast<size_t>(left), ' ') + text +
                      std::string(static_cast<size_t>(blanks - left), ' '));
}

Value word_count(Context& context, const Value& subject, const Bound&) {
  // Runs of letters, digits and underscores.
  const std::string text = text_of(context, subject);
  int64_t words = 0;
  bool in_word = false;
  for (const std::string_view one : characters_of(context, text)) {
    const bool is_word = one.size() > 1 ? stripped(one, Side::both).size() > 0
                                        : std::string_view("_").find(one.front()) == 0 ||
                                              (one.front() >= '0' && one.front() <= '9') ||
                                              ((one.front() | 0x20) >= 'a' && (one.front() | 0x20) <= 'z');
    if (is_word && !in_word) ++words;
    in_word = is_word;
  }
  return words;
}

Value format(Context& context, const Value& subject, const Bound& arguments) {
  if (!arguments.rest().named.empty()) {
    context.fail_here(Errc::unsupported, "format with named values is not supported in chat templates");
  }
  const Value text = subject.text() != nullptr ? subject : context.text(text_of(context, subject));
  return formatted(context, text, context.sequence(SequenceKind::tuple, arguments.rest().positional));
}

Value to_json(Context& context, const Value& subject, const Bound& arguments) {
  JsonStyle style;
  style.ascii_only = is_true(arguments[0]);
  if (arguments.has(1) && !arguments[1].is_none()) {
    if (!as_integer(arguments[1], style.indent) || style.indent < 0) {
      context.fail_here(Errc::unsupported, "tojson: indent is a number of blanks here");
    }
    style.item_separator = ",";
  }
  if (arguments.has(2) && !arguments[2].is_none()) {
    const Values separators = items_of(context, arguments[2]);
    if (separators.size() != 2) context.error("tojson: separators are two texts");
    style.item_separator = text_of(context, separators[0]);
    style.key_separator = text_of(context, separators[1]);
  }
  style.sort_keys = is_true(arguments[3]);
  return context.text(json_of(context, subject, style));
}

constexpr Routine kRows[] = {
    {"capitalize", "", 0, changed<capitalized>},
    {"center", "width", 0, center},
    {"e", "", 0, escape},
    {"escape", "", 0, escape},
    {"forceescape", "", 0, force_escape},
    {"format", "*", 0, format},
    {"indent", "width first blank", 0, indent},
    {"join", "d attribute", 0, join},
    {"lower", "", 0, changed<lower>},
    {"replace", "old new count", 2, replace},
    {"safe", "", 0, safe},
    {"string", "", 0, as_string},
    {"title", "", 0, changed<title_words>},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, to_json},
    {"trim", "chars", 0, trim},
    {"upper", "", 0, changed<upper>},
    {"wordcount", "", 0, word_count},
};

}  // namespace

std::span<const Routine> text_filters() { return kRows; }

}  // namespace lathe::jinja
