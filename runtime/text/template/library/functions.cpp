// What can be called by its name.

#include <algorithm>
#include <array>
#include <iterator>

#include "runtime/text/template/library/library.h"
#include "runtime/text/template/values/text_of.h"

namespace lathe::jinja {
namespace {

int64_t bound_of(const Context& context, const Value& value) {
  int64_t number = 0;
  if (const Undefined* none = value.get<Undefined>()) context.error(undefined_message(*none));
  if (!as_integer(value, number)) context.error("range: an integer is required, not ", type_name(value));
  return number;
}

Value range(Context& context, const Value&, const Bound& arguments) {
  const Values& given = arguments.rest().positional;
  if (given.empty() || given.size() > 3 || !arguments.rest().named.empty()) {
    context.error("range takes one to three integers");
  }
  const int64_t start = given.size() > 1 ? bound_of(context, given[0]) : 0;
  const int64_t stop = bound_of(context, given.size() > 1 ? given[1] : given[0]);
  const int64_t step = given.size() > 2 ? bound_of(context, given[2]) : 1;
  if (step == 0) context.error("range: the step must not be 0");
  Values items;
  for (int64_t at = start; step > 0 ? at < stop : at > stop;) {
    if (items.size() == kMaxRange) {
      context.fail_here(Errc::limit, message("a range of more than ", kMaxRange, " numbers"));
    }
    items.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  const std::string shown = given.size() > 2 ? message("range(", start, ", ", stop, ", ", step, ")")
                                             : message("range(", start, ", ", stop, ")");
  return context.sequence(SequenceKind::range, std::move(items), shown);
}

/// The entries that dict() and namespace() are given: those of a dict, and named ones.
std::vector<Entry> entries_of(const Context& context, const Bound& arguments, const char* name) {
  std::vector<Entry> out;
  const Values& given = arguments.rest().positional;
  if (given.size() > 1 || (given.size() == 1 && given[0].dict() == nullptr)) {
    context.error(name, " takes a dict and named values");
  }
  if (given.size() == 1) out = given[0].dict()->entries;
  for (const auto& [key, value] : arguments.rest().named) out.push_back({make_text(key), value});
  return out;
}

Value make_dict(Context& context, const Value&, const Bound& arguments) {
  return context.dict(entries_of(context, arguments, "dict"));
}

Value make_space(Context& context, const Value&, const Bound& arguments) {
  Namespace* space = context.make_namespace();
  const Value members = make_dict(context, {}, arguments);
  for (const Entry& entry : members.dict()->entries) {
    space->members.emplace_back(text_of(context, entry.key), entry.value);
  }
  return space;
}

Value raise(Context& context, const Value&, const Bound& arguments) {
  // The template refuses the conversation: a fault of what it was given, not of the template.
  context.fail_here(Errc::usage, message("the chat template says: ", text_of(context, arguments[0])));
}

constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};

/// 0 for Sunday; the rule of Sakamoto.
size_t day_of_week(const Moment& now) {
  constexpr std::array<int, 12> kShifts = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
  const int year = now.month < 3 ? now.year - 1 : now.year;
  return static_cast<size_t>(
      (year + year / 4 - year / 100 + year / 400 + kShifts[static_cast<size_t>(now.month - 1)] + now.day) % 7);
}

int day_of_year(const Moment& now) {
  constexpr std::array<int, 12> kBefore = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  const bool leap = (now.year % 4 == 0 && now.year % 100 != 0) || now.year % 400 == 0;
  return kBefore[static_cast<size_t>(now.month - 1)] + now.day + (leap && now.month > 2 ? 1 : 0);
}

std::string padded(int number, size_t digits) {
  const std::string text = message(number);
  return text.size() < digits ? std::string(digits - text.size(), '0') + text : text;
}

std::string month_name(const Moment& now) { return std::string(kMonths[static_cast<size_t>(now.month - 1)]); }
std::string day_name(const Moment& now) { return std::string(kDays[day_of_week(now)]); }
int hour_of_twelve(const Moment& now) { return (now.hour + 11) % 12 + 1; }

struct DateRow {
  char letter;
  std::string (*text)(const Moment&);
};
constexpr DateRow kDates[] = {
    {'Y', [](const Moment& now) { return message(now.year); }},
    {'y', [](const Moment& now) { return padded(now.year % 100, 2); }},
    {'m', [](const Moment& now) { return padded(now.month, 2); }},
    {'d', [](const Moment& now) { return padded(now.day, 2); }},
    {'e', [](const Moment& now) { return (now.day < 10 ? " " : "") + message(now.day); }},
    {'j', [](const Moment& now) { return padded(day_of_year(now), 3); }},
    {'B', month_name},
    {'b', [](const Moment& now) { return month_name(now).substr(0, 3); }},
    {'h', [](const Moment& now) { return month_name(now).substr(0, 3); }},
    {'A', day_name},
    {'a', [](const Moment& now) { return day_name(now).substr(0, 3); }},
    {'w', [](const Moment& now) { return message(day_of_week(now)); }},
    {'H', [](const Moment& now) { return padded(now.hour, 2); }},
    {'I', [](const Moment& now) { return padded(hour_of_twelve(now), 2); }},
    {'M', [](const Moment& now) { return padded(now.minute, 2); }},
    {'S', [](const Moment& now) { return padded(now.second, 2); }},
    {'p', [](const Moment& now) { return std::string(now.hour < 12 ? "AM" : "PM"); }},
    {'F', [](const Moment& now) { return message(now.year, "-", padded(now.month, 2), "-", padded(now.day, 2)); }},
    {'T',
     [](const Moment& now) {
       return message(padded(now.hour, 2), ":", padded(now.minute, 2), ":", padded(now.second, 2));
     }},
    {'R', [](const Moment& now) { return message(padded(now.hour, 2), ":", padded(now.minute, 2)); }},
    {'D',
     [](const Moment& now) {
       return message(padded(now.month, 2), "/", padded(now.day, 2), "/", padded(now.year % 100, 2));
     }},
    {'%', [](const Moment&) { return std::string("%"); }},
};

/// The text of one letter, without its leading zeros or blank after a hyphen.
std::string date_part(const Context& context, char letter, bool bare) {
  const auto* row =
      std::find_if(std::begin(kDates), std::end(kDates), [&](const DateRow& one) { return one.letter == letter; });
  if (row == std::end(kDates)) {
    context.fail_here(Errc::unsupported, message("strftime_now: %", letter, " is not supported in chat templates"));
  }
  std::string text = row->text(context.now());
  while (bare && text.size() > 1 && (text[0] == '0' || text[0] == ' ')) text.erase(0, 1);
  return text;
}

Value strftime_now(Context& context, const Value&, const Bound& arguments) {
  const std::string format = text_of(context, arguments[0]);
  std::string out;
  for (size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%' || at + 1 == format.size()) {
      out += format[at];
      continue;
    }
    const bool bare = format[at + 1] == '-' && at + 2 < format.size();
    at += bare ? 2 : 1;
    out += date_part(context, format[at], bare);
  }
  return context.text(std::move(out));
}

constexpr Routine kRows[] = {
    {"dict", "*", 0, make_dict}, {"namespace", "*", 0, make_space},           {"raise_exception", "message", 1, raise},
    {"range", "*", 0, range},    {"strftime_now", "format", 1, strftime_now},
};

}  // namespace

const Routine* find_function(std::string_view name) {
  const auto* row =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const Routine& one) { return one.name == name; });
  return row == std::end(kRows) ? nullptr : row;
}

}  // namespace lathe::jinja
