#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "formats/json.h"
#include "formats/text.h"

namespace lathe {
namespace {

[[noreturn]] void fail_kind(const Json& value, std::string_view what, std::string_view expected) {
  fail(Errc::malformed, message(what, " is ", value.excerpt(), ", expected ", expected));
}

void write_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  constexpr std::string_view kEscaped = "\"\\\b\f\n\r\t";
  constexpr std::string_view kLetters = "\"\\bfnrt";
  out += '"';
  for (size_t at = 0; at < text.size();) {
    const auto byte = static_cast<uint8_t>(text[at]);
    const size_t length = utf8_length_at(text, at);
    if (const size_t short_form = kEscaped.find(text[at]); short_form != kEscaped.npos) {
      out.append(1, '\\').append(1, kLetters[short_form]);
    } else if (byte < 0x20 || byte == 0x7f) {
      out.append("\\u00").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    } else if (length == 0) {
      out += "\xef\xbf\xbd";
    } else {
      out.append(text.substr(at, length));
    }
    at += std::max<size_t>(length, 1);
  }
  out += '"';
}

void write_double(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  std::array<char, 32> digits{};
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  const std::string_view text(digits.data(), static_cast<size_t>(result.ptr - digits.data()));
  out += text;
  if (text.find_first_of(".e") == text.npos) out += ".0";
}

void new_line(std::string& out, int indent, int depth) {
  if (indent > 0) out.append(1, '\n').append(static_cast<size_t>(indent) * static_cast<size_t>(depth), ' ');
}

}  // namespace

Json::Json() noexcept = default;
Json::Json(const Json& other) = default;
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(const Json& other) = default;
Json& Json::operator=(Json&& other) noexcept = default;
Json::~Json() = default;
Json::Json(std::nullptr_t) {}
Json::Json(bool value) : value_(value) {}
Json::Json(uint64_t bits, bool is_negative) : value_(bits) {
  if (is_negative) value_ = static_cast<int64_t>(bits);
}
Json::Json(double value) : value_(value) {}
Json::Json(BigInteger value) : value_(std::move(value)) {}
Json::Json(std::string value) : value_(std::move(value)) {}
Json::Json(std::string_view value) : value_(std::string(value)) {}
Json::Json(const char* value) : value_(std::string(value)) {}
Json::Json(Array values) : value_(std::move(values)) {}
Json::Json(Object members) : value_(std::move(members)) {}

Json Json::array(std::initializer_list<Json> values) { return Json(Array(values)); }

Json Json::object(std::initializer_list<std::pair<std::string_view, Json>> members) {
  Json result(Object{});
  for (const auto& [key, value] : members) result.set(key, value);
  return result;
}

bool Json::is_integer() const {
  return is_u64() || std::holds_alternative<int64_t>(value_) || std::holds_alternative<BigInteger>(value_);
}

bool Json::as_bool(std::string_view what) const {
  if (const auto* value = std::get_if<bool>(&value_)) return *value;
  fail_kind(*this, what, "true or false");
}

uint64_t Json::as_u64(std::string_view what) const {
  if (const auto* value = std::get_if<uint64_t>(&value_)) return *value;
  fail_kind(*this, what, "an integer from 0 to 2^64-1");
}

int64_t Json::as_i64(std::string_view what) const {
  if (const auto* value = std::get_if<int64_t>(&value_)) return *value;
  const auto* value = std::get_if<uint64_t>(&value_);
  if (value != nullptr && *value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return static_cast<int64_t>(*value);
  }
  fail_kind(*this, what, "an integer from -2^63 to 2^63-1");
}

double Json::as_f64(std::string_view what) const {
  if (const auto* value = std::get_if<double>(&value_)) return *value;
  if (const auto* value = std::get_if<uint64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<int64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<BigInteger>(&value_)) return std::strtod(value->digits.c_str(), nullptr);
  fail_kind(*this, what, "a number");
}

const std::string& Json::as_string(std::string_view what) const {
  if (const auto* value = std::get_if<std::string>(&value_)) return *value;
  fail_kind(*this, what, "a string");
}

const Json::Array& Json::items(std::string_view what) const {
  if (const auto* value = std::get_if<Array>(&value_)) return *value;
  fail_kind(*this, what, "an array");
}

const Json::Object& Json::members(std::string_view what) const {
  if (const auto* value = std::get_if<Object>(&value_)) return *value;
  fail_kind(*this, what, "an object");
}

const Json* Json::find(std::string_view key) const {
  const auto* object = std::get_if<Object>(&value_);
  if (object == nullptr) return nullptr;
  const auto found = std::find_if(object->begin(), object->end(), [&](const Member& m) { return m.key == key; });
  return found == object->end() ? nullptr : &found->value;
}

const Json& Json::at(std::string_view key, std::string_view what) const {
  if (!is_object()) fail_kind(*this, what, "an object");
  if (const Json* value = find(key)) return *value;
  fail(Errc::malformed, message(what, " has no \"", key, "\""));
}

Json& Json::set(std::string_view key, Json value) {
  if (const Json* existing = find(key)) {
    *const_cast<Json*>(existing) = std::move(value);
    return *this;
  }
  return append({std::string(key), std::move(value)});
}

Json& Json::append(Member member) {
  if (is_null()) value_ = Object{};
  auto* object = std::get_if<Object>(&value_);
  if (object == nullptr) fail(Errc::internal, message("cannot set \"", member.key, "\" of ", excerpt()));
  object->push_back(std::move(member));
  return *this;
}

Json& Json::push(Json value) {
  if (is_null()) value_ = Array{};
  auto* array = std::get_if<Array>(&value_);
  if (array == nullptr) fail(Errc::internal, message("cannot append to ", excerpt()));
  array->push_back(std::move(value));
  return *this;
}

std::string Json::excerpt() const {
  if (is_array()) return "an array";
  if (is_object()) return "an object";
  if (const auto* text = std::get_if<std::string>(&value_)) return message("\"", printable(*text), "\"");
  return printable(to_text(*this));
}

bool Json::operator==(const Json& other) const { return value_ == other.value_; }

void write_json(std::string& out, const Json& value, int indent, int depth) {
  bool first = true;
  const auto separate = [&] {
    if (!first) out += indent > 0 ? "," : ", ";
    first = false;
    new_line(out, indent, depth + 1);
  };
  if (value.is_null()) {
    out += "null";
  } else if (const auto* flag = std::get_if<bool>(&value.value_)) {
    out += *flag ? "true" : "false";
  } else if (const auto* natural = std::get_if<uint64_t>(&value.value_)) {
    out += std::to_string(*natural);
  } else if (const auto* negative = std::get_if<int64_t>(&value.value_)) {
    out += std::to_string(*negative);
  } else if (const auto* real = std::get_if<double>(&value.value_)) {
    write_double(out, *real);
  } else if (const auto* big = std::get_if<Json::BigInteger>(&value.value_)) {
    out += big->digits;
  } else if (const auto* text = std::get_if<std::string>(&value.value_)) {
    write_string(out, *text);
  } else if (const auto* array = std::get_if<Json::Array>(&value.value_)) {
    out += '[';
    for (const Json& item : *array) {
      separate();
      write_json(out, item, indent, depth + 1);
    }
    if (!array->empty()) new_line(out, indent, depth);
    out += ']';
  } else {
    const auto& object = std::get<Json::Object>(value.value_);
    out += '{';
    for (const Json::Member& member : object) {
      separate();
      write_string(out, member.key);
      out += ": ";
      write_json(out, member.value, indent, depth + 1);
    }
    if (!object.empty()) new_line(out, indent, depth);
    out += '}';
  }
}

std::string to_text(const Json& value, int indent) {
  std::string out;
  write_json(out, value, indent, 0);
  return out;
}

}  // namespace lathe
