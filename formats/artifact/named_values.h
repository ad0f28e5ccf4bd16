#pragma once
// The names of an enumeration's values, in one table beside the enumeration.

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lathe {

/// A value and what it is called on the command line and in messages.
template <class V>
struct NamedValue {
  V value;
  const char* name;
  const char* stored = nullptr;  // what files call it, where that is not the name
};

/// The name that the command line uses; nullptr where no row has the value.
template <class V>
constexpr const char* find_name(std::span<const NamedValue<V>> rows, V value) {
  for (const NamedValue<V>& row : rows) {
    if (row.value == value) return row.name;
  }
  return nullptr;
}

/// The value that the command line calls `name`.
template <class V>
constexpr std::optional<V> find_value(std::span<const NamedValue<V>> rows, std::string_view name) {
  for (const NamedValue<V>& row : rows) {
    if (name == row.name) return row.value;
  }
  return std::nullopt;
}

/// All names with `separator` between them: "layer|global".
template <class V>
std::string join_names(std::span<const NamedValue<V>> rows, std::string_view separator) {
  std::string text;
  for (const NamedValue<V>& row : rows) text.append(text.empty() ? "" : separator).append(row.name);
  return text;
}

/// Whether an enumeration has an enumerator for the value. Compilers spell a template argument as the enumerator's
/// name, and as a cast of a number where there is none: "E value = (E)3".
template <class E, E value>
consteval bool is_enumerator() {
  const std::string_view text = __PRETTY_FUNCTION__;
  const size_t cast = text.rfind(')');
  return cast == text.npos || cast + 1 == text.size() || text[cast + 1] < '0' || text[cast + 1] > '9';
}

/// One row for each value of an enumeration whose values are 0, 1, 2 and so on. `Row` has the value in its member
/// `value`. It compiles only when there is one row for each enumerator, in their order.
template <class Row, size_t count>
class EnumTable {
 public:
  using E = decltype(Row::value);

  consteval EnumTable(const Row (&rows)[count]) {  // NOLINT(google-explicit-constructor)
    static_assert(is_enumerator<E, static_cast<E>(count - 1)>(), "a row has no enumerator");
    static_assert(!is_enumerator<E, static_cast<E>(count)>(), "an enumerator has no row");
    for (size_t i = 0; i < count; ++i) {
      if (static_cast<size_t>(rows[i].value) != i) throw "the rows are not in the order of the enumerators";
      rows_[i] = rows[i];
    }
  }

  constexpr const Row& operator[](E value) const { return rows_[static_cast<size_t>(value)]; }
  constexpr std::span<const Row> rows() const { return rows_; }

 private:
  std::array<Row, count> rows_{};
};

/// The names of an enumeration's values, one for each.
template <class E, size_t count>
class NamedValues {
 public:
  consteval NamedValues(const NamedValue<E> (&rows)[count]) : table_(rows) {}  // NOLINT(google-explicit-constructor)

  constexpr const char* name(E value) const { return table_[value].name; }
  constexpr const char* stored(E value) const {
    return table_[value].stored != nullptr ? table_[value].stored : name(value);
  }
  constexpr std::optional<E> find(std::string_view name) const { return find_value(rows(), name); }
  constexpr std::span<const NamedValue<E>> rows() const { return table_.rows(); }
  /// "layer|global", with another separator.
  std::string list(std::string_view separator) const { return join_names(rows(), separator); }

 private:
  EnumTable<NamedValue<E>, count> table_;
};

}  // namespace lathe
