#pragma once
// The values of templates: those of Python that a template can make and see. Lists and dicts never change once they are
// made, as in Jinja's immutable sandbox; only a namespace does.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace lathe::jinja {

class Value;
using Values = std::vector<Value>;

/// A name, attribute or item that is not there. Printing it gives nothing; most other uses are errors with `what`.
struct Undefined {
  std::shared_ptr<const std::string> what;
};
struct None {};

struct Text {
  std::shared_ptr<const std::string> bytes;  // UTF-8; never null
  bool markup = false;                       // of safe and escape: what is added to it is escaped
};

enum class SequenceKind : uint8_t { list, tuple, range, view, iterator };
struct Sequence;
struct Dict;

/// The one value that can be changed. It is owned by the run of its template, so that it may hold itself.
struct Namespace {
  std::vector<std::pair<std::string, Value>> members;
};

struct LoopState;
struct Callable;

/// Whether T itself is an alternative of a variant, and not only becomes one.
template <class T, class Variant>
struct IsOneOf;
template <class T, class... Types>
struct IsOneOf<T, std::variant<Types...>> : std::bool_constant<(std::is_same_v<T, Types> || ...)> {};

class Value {
 public:
  using Any = std::variant<Undefined, None, bool, int64_t, double, Text, std::shared_ptr<const Sequence>,
                           std::shared_ptr<const Dict>, Namespace*, std::shared_ptr<LoopState>,
                           std::shared_ptr<const Callable>>;

  Value() = default;
  template <class T, class = std::enable_if_t<IsOneOf<T, Any>::value>>
  Value(T value) : any_(std::in_place_type<T>, std::move(value)) {}  // NOLINT(google-explicit-constructor)

  const Any& any() const { return any_; }
  template <class T>
  const T* get() const {
    return std::get_if<T>(&any_);
  }
  template <class T>
  bool is() const {
    return std::holds_alternative<T>(any_);
  }

  /// Null unless it is one.
  const Sequence* sequence() const;
  const Dict* dict() const;
  const std::string* text() const {
    const Text* found = get<Text>();
    return found == nullptr ? nullptr : found->bytes.get();
  }
  bool is_undefined() const { return is<Undefined>(); }
  bool is_none() const { return is<None>(); }

 private:
  Any any_;
};

struct Sequence {
  SequenceKind kind = SequenceKind::list;
  Values items;
  std::string shown;         // of a range or a view: what stands around the list when it is printed
  mutable size_t taken = 0;  // of an iterator, which gives each item once
  uint32_t depth = 1;        // one more than the deepest item

  bool is_iterator() const { return kind == SequenceKind::iterator; }
};

struct Entry {
  Value key, value;
};
/// In the order in which keys came first, each once.
struct Dict {
  std::vector<Entry> entries;
  uint32_t depth = 1;
};

/// What `loop` says inside a loop.
struct LoopState {
  Values items;
  size_t index = 0;
};

Value make_text(std::string bytes, bool markup = false);
Value make_undefined(std::string what);

/// The name of its type in Python, for messages.
std::string_view type_name(const Value& value);
/// Whether a condition takes it for true.
bool is_true(const Value& value);
/// The number of a bool, an integer or a float; false when it is none of them.
bool as_number(const Value& value, double& number);
/// The same of a bool or an integer alone.
bool as_integer(const Value& value, int64_t& number);
/// 0 for all but lists and dicts.
uint32_t depth_of(const Value& value);

}  // namespace lathe::jinja
