#pragma once
// JSON for the whole project: a value type, a strict parser with limits, and a writer. The parser refuses what a
// lenient one lets pass: duplicate keys, integers that silently become doubles, a byte order mark, comments, anything
// after the value, invalid UTF-8 and lone surrogates.

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "formats/artifact/error.h"

namespace lathe {

/// One JSON value. Object members keep their order. Integers are kept exactly: as u64 when not negative, as i64 when
/// negative, and as their digits when they fit neither. `what` in the accessors is the subject of the error message,
/// such as "config.json: hidden_size"; they throw Error{malformed} saying what the value is and what was expected.
class Json {
 public:
  struct Member;
  using Array = std::vector<Json>;
  using Object = std::vector<Member>;
  /// The digits of an integer that fits neither u64 nor i64.
  struct BigInteger {
    std::string digits;
    bool operator==(const BigInteger&) const = default;
  };

  Json() noexcept;  // null
  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other);
  Json& operator=(Json&& other) noexcept;
  ~Json();
  Json(std::nullptr_t);
  Json(bool value);
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool> && !std::same_as<Integer, char>) Json(Integer value)
      : Json(static_cast<uint64_t>(value), std::cmp_less(value, 0)) {}
  Json(double value);
  Json(BigInteger value);
  Json(std::string value);
  Json(std::string_view value);
  Json(const char* value);
  Json(Array values);
  Json(Object members);

  static Json array(std::initializer_list<Json> values = {});
  /// A key given twice keeps its first place and its last value.
  static Json object(std::initializer_list<std::pair<std::string_view, Json>> members = {});

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_u64() const { return std::holds_alternative<uint64_t>(value_); }
  /// Any integer, also a negative one or one that fits no type.
  bool is_integer() const;
  bool is_number() const { return is_integer() || std::holds_alternative<double>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }

  bool as_bool(std::string_view what = "value") const;
  uint64_t as_u64(std::string_view what = "value") const;
  int64_t as_i64(std::string_view what = "value") const;
  /// Of any number; integers are rounded to the nearest double.
  double as_f64(std::string_view what = "value") const;
  const std::string& as_string(std::string_view what = "value") const;
  const Array& items(std::string_view what = "value") const;
  const Object& members(std::string_view what = "value") const;

  /// The member's value; nullptr when there is none or this is not an object. Looks at one member after the other.
  const Json* find(std::string_view key) const;
  /// Like find, and throws Error{malformed} when the member is missing.
  const Json& at(std::string_view key, std::string_view what = "value") const;

  /// Adds or replaces a member; makes an object of null. Throws Error{internal} on any other value. Returns *this.
  Json& set(std::string_view key, Json value);
  /// set without looking for the key, which the caller knows to be new.
  Json& append(Member member);
  /// Appends an element; makes an array of null. Throws Error{internal} on any other value. Returns *this.
  Json& push(Json value);

  /// A short text of the value for messages: scalars as they are, "an array", "an object".
  std::string excerpt() const;

  bool operator==(const Json& other) const;

 private:
  /// `bits` are those of an int64_t when negative.
  Json(uint64_t bits, bool is_negative);

  friend void write_json(std::string& out, const Json& value, int indent, int depth);

  std::variant<std::monostate, bool, uint64_t, int64_t, double, BigInteger, std::string, Array, Object> value_;
};

struct Json::Member {
  std::string key;
  Json value;
  bool operator==(const Member&) const = default;
};

/// JSON text with keys in their order. indent 0 gives one line, otherwise that many spaces per level. Doubles are the
/// shortest text that reads back as the same double (always with a '.' or an exponent); NaN and infinities are null;
/// bytes that are not UTF-8 become U+FFFD.
std::string to_text(const Json& value, int indent = 0);

struct JsonLimits {
  uint64_t max_bytes = 100'000'000;
  uint32_t max_depth = 16;
  uint64_t max_values = 4'000'000;  // of the whole text, so that memory is bounded; only parse_json counts
};

/// What a text holds, one piece after the other, for readers that must not build the whole value. Handlers may throw.
class JsonEvents {
 public:
  virtual ~JsonEvents() = default;
  virtual void begin_object() = 0;
  virtual void key(std::string key) = 0;
  virtual void end_object() = 0;
  virtual void begin_array() = 0;
  virtual void end_array() = 0;
  /// null, a boolean, a number or a string.
  virtual void scalar(Json value) = 0;

  /// How many bytes of the text have been read when the event arrives.
  uint64_t offset = 0;
};

/// Throws Error{malformed} naming `file` and the byte where the text stops being JSON, Error{limit} beyond
/// max_bytes or max_depth. Duplicate keys are for the handler to find.
void parse_json_events(std::string_view text, std::string_view file, JsonEvents& events, const JsonLimits& limits = {});

/// Same errors, and Error{malformed} for a duplicate key, Error{limit} beyond max_values.
Json parse_json(std::string_view text, std::string_view file, const JsonLimits& limits = {});

/// parse_json of a file; Error{no_input} when it cannot be opened.
Json read_json_file(const std::filesystem::path& path, const JsonLimits& limits = {});
/// nullopt when there is no such file.
std::optional<Json> find_json_file(const std::filesystem::path& path, const JsonLimits& limits = {});

}  // namespace lathe
