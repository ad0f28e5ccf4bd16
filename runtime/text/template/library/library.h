#pragma once
// Filters, tests, methods and functions that templates can use: rows of tables, found by their names.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/text/template/context.h"
#include "runtime/text/template/values/value.h"

namespace lathe::jinja {

/// As they are written in a call.
struct Arguments {
  Values positional;
  std::vector<std::pair<std::string, Value>> named;
};

/// In the order of a routine's parameters.
class Bound {
 public:
  /// Of a parameter that was left out: undefined.
  const Value& operator[](size_t parameter) const { return values_[parameter]; }
  bool has(size_t parameter) const { return given_[parameter]; }
  /// Of a routine that takes any arguments, those beyond its parameters.
  const Arguments& rest() const { return rest_; }

 private:
  friend Bound bind(const Context&, const struct Routine&, Arguments);
  Values values_;
  std::vector<bool> given_;
  Arguments rest_;
};

struct Routine {
  std::string_view name;
  std::string_view parameters;  // their names with blanks between them; a last * takes any others
  size_t required;              // how many of them must be there
  /// `subject` is what stands before the filter, the test or the method; undefined for a function.
  Value (*call)(Context&, const Value& subject, const Bound& arguments);
};

/// Null where there is none of this name.
const Routine* find_filter(std::string_view name);
const Routine* find_test(std::string_view name);
const Routine* find_function(std::string_view name);
/// Of a value of this type.
const Routine* find_method(const Value& subject, std::string_view name);
/// A method of lists and dicts that changes them, which Jinja's sandbox refuses.
bool is_changing_method(const Value& subject, std::string_view name);
/// A function of Jinja that templates here cannot use.
bool is_refused_name(std::string_view name);

/// Why a routine does not take so many arguments and these names; empty where it does.
std::string argument_fault(const Routine& routine, size_t positional, std::span<const std::string_view> named);
/// Throws Error{malformed} with that reason.
Bound bind(const Context& context, const Routine& routine, Arguments arguments);
Value call_routine(Context& context, const Routine& routine, const Value& subject, Arguments arguments);

/// A member by a path such as "function.name", as the filters map, selectattr and sort take it.
Value member_of(Context& context, const Value& object, const Value& path);
/// object.name: a method, else an item of a dict, a member of a namespace or of a loop; undefined where there is none.
Value attribute_of(Context& context, const Value& object, std::string_view name);

/// A routine with what stands before it, or a macro of the template.
struct Callable {
  const Routine* routine = nullptr;
  Value subject;
  const struct Macro* macro = nullptr;
  struct Scope* scope = nullptr;  // in which the macro was made
};

/// The rows of one file each.
std::span<const Routine> text_filters();
std::span<const Routine> number_filters();
std::span<const Routine> list_filters();
std::span<const Routine> choosing_filters();
std::span<const Routine> text_methods();
std::span<const Routine> list_methods();
std::span<const Routine> dict_methods();
std::span<const Routine> loop_methods();

}  // namespace lathe::jinja
