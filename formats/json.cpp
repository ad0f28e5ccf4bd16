#include "formats/json.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "formats/artifact/bytes.h"
#include "formats/artifact/mapped_file.h"
#include "formats/text.h"

namespace lathe {
namespace {

/// Walks over the text and leaves its position where the events can see it.
struct Cursor {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at = nullptr;
  const char** seen = nullptr;

  reference operator*() const { return *at; }
  Cursor& operator++() {
    *seen = ++at;
    return *this;
  }
  Cursor operator++(int) {
    Cursor before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Cursor& other) const { return at == other.at; }
};

/// The library's messages start with an identifier and a line and column; the byte offset says the same.
std::string_view without_prefix(std::string_view text) {
  const size_t column = text.find(", column ");
  const size_t end = column == text.npos ? text.npos : text.find(": ", column);
  if (end != text.npos) return text.substr(end + 2);
  const size_t bracket = text.find("] ");
  return bracket == text.npos ? text : text.substr(bracket + 2);
}

/// Receives the library's events, holds the depth, and passes them on.
class Bridge {
 public:
  Bridge(std::string_view text, std::string_view file, JsonEvents& events, const JsonLimits& limits)
      : text_(text), file_(file), events_(events), limits_(limits), seen_(text.data()) {}

  Cursor begin() { return {text_.data(), &seen_}; }
  Cursor end() { return {text_.data() + text_.size(), &seen_}; }

  bool null() { return scalar(Json()); }
  bool boolean(bool value) { return scalar(Json(value)); }
  bool number_integer(int64_t value) { return scalar(Json(value)); }
  bool number_unsigned(uint64_t value) { return scalar(Json(value)); }
  bool number_float(double value, const std::string& digits) {
    // An integer that fits no integer type arrives here as well.
    if (digits.find_first_of(".eE") == digits.npos) return scalar(Json(Json::BigInteger{digits}));
    return scalar(Json(value));
  }
  bool string(std::string& value) { return scalar(Json(std::move(value))); }
  bool binary(nlohmann::json::binary_t&) { return false; }  // not a thing of JSON text
  bool key(std::string& key) {
    located().key(std::move(key));
    return true;
  }
  bool start_object(size_t) {
    enter();
    located().begin_object();
    return true;
  }
  bool end_object() {
    --depth_;
    located().end_object();
    return true;
  }
  bool start_array(size_t) {
    enter();
    located().begin_array();
    return true;
  }
  bool end_array() {
    --depth_;
    located().end_array();
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) {
    fail(Errc::malformed,
         message(file_, ": not valid JSON at byte ", offset(), ": ", printable(without_prefix(error.what()), 200)));
  }

 private:
  uint64_t offset() const { return static_cast<uint64_t>(seen_ - text_.data()); }
  JsonEvents& located() {
    events_.offset = offset();
    return events_;
  }
  bool scalar(Json value) {
    located().scalar(std::move(value));
    return true;
  }
  void enter() {
    if (++depth_ > limits_.max_depth) {
      fail(Errc::limit, message(file_, ": JSON at byte ", offset(), " is nested deeper than ", limits_.max_depth));
    }
  }

  std::string_view text_;
  std::string_view file_;
  JsonEvents& events_;
  JsonLimits limits_;
  const char* seen_;
  uint32_t depth_ = 0;
};

/// Builds a Json from events.
class Builder : public JsonEvents {
 public:
  Builder(std::string_view file, uint64_t max_values) : file_(file), max_values_(max_values) {}

  void begin_object() override { open_.push_back({Json(Json::Object{}), {}}); }
  void begin_array() override { open_.push_back({Json(Json::Array{}), {}}); }
  void key(std::string key) override { open_.back().key = std::move(key); }
  void end_array() override { close(); }
  void end_object() override {
    reject_duplicates(open_.back().value.members());
    close();
  }
  void scalar(Json value) override { add(std::move(value)); }

  Json take() { return std::move(root_); }

 private:
  struct Open {
    Json value;
    std::string key;  // of the member that is being read
  };

  void close() {
    Json value = std::move(open_.back().value);
    open_.pop_back();
    add(std::move(value));
  }

  void add(Json value) {
    if (++values_ > max_values_) {
      fail(Errc::limit, message(file_, ": JSON holds more than ", max_values_, " values at byte ", offset));
    }
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().value.is_array()) {
      open_.back().value.push(std::move(value));
    } else {
      open_.back().value.append({std::move(open_.back().key), std::move(value)});
    }
  }

  /// Sorting, so that no choice of keys makes it slow.
  void reject_duplicates(const Json::Object& members) const {
    std::vector<std::string_view> keys;
    keys.reserve(members.size());
    for (const Json::Member& member : members) keys.push_back(member.key);
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice == keys.end()) return;
    fail(Errc::malformed,
         message(file_, ": key \"", printable(*twice), "\" appears twice in the object that ends at byte ", offset));
  }

  std::string_view file_;
  uint64_t max_values_;
  uint64_t values_ = 0;
  std::vector<Open> open_;
  Json root_;
};

}  // namespace

void parse_json_events(std::string_view text, std::string_view file, JsonEvents& events, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    fail(Errc::limit, message(file, ": ", text.size(), " bytes of JSON, the limit is ", limits.max_bytes));
  }
  // The library skips a byte order mark and takes a NUL for the end of the text; neither is JSON.
  if (text.starts_with("\xef\xbb\xbf")) {
    fail(Errc::malformed, message(file, ": not valid JSON at byte 0: starts with a byte order mark"));
  }
  if (const size_t nul = text.find('\0'); nul != text.npos) {
    fail(Errc::malformed, message(file, ": not valid JSON at byte ", nul, ": a NUL byte"));
  }
  Bridge bridge(text, file, events, limits);
  constexpr bool kWholeText = true;
  constexpr bool kIgnoreComments = false;
  if (!nlohmann::json::sax_parse(bridge.begin(), bridge.end(), &bridge, nlohmann::json::input_format_t::json,
                                 kWholeText, kIgnoreComments)) {
    fail(Errc::malformed, message(file, ": not valid JSON"));
  }
}

Json parse_json(std::string_view text, std::string_view file, const JsonLimits& limits) {
  Builder builder(file, limits.max_values);
  parse_json_events(text, file, builder, limits);
  return builder.take();
}

Json read_json_file(const std::filesystem::path& path, const JsonLimits& limits) {
  const MappedFile file(path);
  const Bytes bytes = file.bytes();
  return parse_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file.path(), limits);
}

std::optional<Json> find_json_file(const std::filesystem::path& path, const JsonLimits& limits) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  return read_json_file(path, limits);
}

}  // namespace lathe
