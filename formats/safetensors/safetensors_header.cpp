#include "formats/safetensors/safetensors_header.h"

#include <algorithm>
#include <array>
#include <optional>

#include "formats/json.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr std::array<SafetensorsType, 22> kTypes = {{
    {"F32", 32, true, DType::f32},         {"F16", 16, true, DType::f16},     {"BF16", 16, true, DType::bf16},
    {"F64", 64, true, DType::f64},         {"I8", 8, true, DType::i8},        {"I16", 16, true, DType::i16},
    {"I32", 32, true, DType::i32},         {"I64", 64, true, DType::i64},     {"U8", 8, true, DType::u8},
    {"U16", 16, true, DType::u16},         {"U32", 32, true, DType::u32},     {"U64", 64, true, DType::u64},
    {"BOOL", 8, true, DType::boolean},     {"C64", 64, false, DType::f32},    {"F8_E4M3", 8, false, DType::f32},
    {"F8_E5M2", 8, false, DType::f32},     {"F8_E8M0", 8, false, DType::f32}, {"F8_E4M3FNUZ", 8, false, DType::f32},
    {"F8_E5M2FNUZ", 8, false, DType::f32}, {"F4", 4, false, DType::f32},      {"F6_E2M3", 6, false, DType::f32},
    {"F6_E3M2", 6, false, DType::f32},
}};

const SafetensorsType* find_type(std::string_view name) {
  const auto found = std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& type) { return type.name == name; });
  return found == kTypes.end() ? nullptr : &*found;
}

std::string upper_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

/// Follows the events of the header; `where_` is the place in its fixed structure.
class HeaderEvents : public JsonEvents {
 public:
  explicit HeaderEvents(std::string_view path) : path_(path) {}

  SafetensorsHeader take() {
    check_metadata_keys();
    return std::move(header_);
  }

  void begin_object() override {
    if (where_ == Where::start) {
      where_ = Where::root;
    } else if (where_ == Where::root_value && key_ == kMetadata) {
      if (std::exchange(has_metadata_, true)) fail_at(message("\"", kMetadata, "\" appears twice"));
      where_ = Where::metadata;
    } else if (where_ == Where::root_value) {
      begin_entry();
    } else {
      fail_expected("an object");
    }
  }
  void end_object() override {
    if (where_ == Where::entry) end_entry();
    where_ = Where::root;  // also of the root itself: the parser lets nothing follow
  }
  void key(std::string key) override {
    if (where_ == Where::root) {
      where_ = Where::root_value;
      key_ = std::move(key);
      return;
    }
    if (where_ == Where::metadata) {
      metadata_key_ = std::move(key);
      return;
    }
    begin_field(key);
  }
  void begin_array() override {
    if (where_ == Where::field && field_ != Field::dtype) {
      where_ = Where::list;
    } else {
      fail_expected("an array");
    }
  }
  void end_array() override { where_ = Where::entry; }
  void scalar(Json value) override {
    if (where_ == Where::list) {
      add_number(value);
    } else if (where_ == Where::field && field_ == Field::dtype) {
      set_type(value);
      where_ = Where::entry;
    } else if (where_ == Where::metadata) {
      if (!value.is_string()) {
        fail_at(message(kMetadata, " \"", printable(metadata_key_), "\" is ", value.excerpt(), ", expected a string"));
      }
      header_.metadata.emplace_back(std::move(metadata_key_), value.as_string());
    } else if (where_ == Where::root_value && key_ == kMetadata && value.is_null()) {
      if (std::exchange(has_metadata_, true)) fail_at(message("\"", kMetadata, "\" appears twice"));
      where_ = Where::root;
    } else {
      fail_expected(value.excerpt());
    }
  }

 private:
  static constexpr std::string_view kMetadata = kSafetensorsMetadata;
  enum class Where { start, root, root_value, metadata, entry, field, list };
  enum class Field { dtype, shape, data_offsets };
  static constexpr std::array<std::string_view, 3> kFields = {"dtype", "shape", "data_offsets"};

  [[noreturn]] void fail_at(const std::string& text, Errc code = Errc::malformed) const {
    fail(code, message(path_, ": ", text, " (header byte ", offset, ")"));
  }
  [[noreturn]] void fail_expected(std::string_view found) const {
    constexpr std::string_view kWanted = ", expected an object";
    if (where_ == Where::start) fail_at(message("the header is ", found, kWanted));
    if (where_ == Where::root_value) fail_at(message("tensor ", printable(key_), " is ", found, kWanted));
    if (where_ == Where::metadata) {
      fail_at(message(kMetadata, " \"", printable(metadata_key_), "\" is ", found, ", expected a string"));
    }
    const char* expected = where_ == Where::list ? " has an element that is " : " is ";
    fail_at(message(subject(), expected, found,
                    where_ == Where::list    ? ", expected a non-negative integer"
                    : field_ == Field::dtype ? ", expected a string"
                                             : ", expected an array of integers"));
  }
  /// "tensor a.weight: shape"
  std::string subject() const { return message("tensor ", printable(key_), ": ", kFields[index(field_)]); }
  static size_t index(Field field) { return static_cast<size_t>(field); }

  void begin_entry() {
    check_tensor_name(key_, path_);
    if (header_.entries.size() == kMaxTensors) {
      fail_at(message("more than ", kMaxTensors, " tensors, which is the limit"), Errc::limit);
    }
    where_ = Where::entry;
    seen_ = {};
    entry_ = {};
    offsets_.clear();
  }
  void begin_field(std::string_view name) {
    const auto found = std::find(kFields.begin(), kFields.end(), name);
    if (found == kFields.end()) {
      fail_at(message("tensor ", printable(key_), " has the unknown field \"", printable(name), "\""));
    }
    field_ = static_cast<Field>(found - kFields.begin());
    if (std::exchange(seen_[index(field_)], true)) fail_at(message(subject(), " appears twice"));
    where_ = Where::field;
  }
  void end_entry() {
    for (size_t i = 0; i < kFields.size(); ++i) {
      if (!seen_[i]) fail_at(message("tensor ", printable(key_), " has no ", kFields[i]));
    }
    if (offsets_.size() != 2) {
      fail_at(message("tensor ", printable(key_), ": data_offsets has ", offsets_.size(), " numbers, expected 2"));
    }
    entry_.name = std::move(key_);
    entry_.begin = offsets_[0];
    entry_.end = offsets_[1];
    entry_.shape.shrink_to_fit();
    header_.entries.push_back(std::move(entry_));
  }
  void set_type(const Json& value) {
    if (!value.is_string()) fail_expected(value.excerpt());
    const std::string& name = value.as_string();
    entry_.type = find_type(name);
    if (entry_.type != nullptr) return;
    if (const SafetensorsType* meant = find_type(upper_case(name))) {
      fail_at(message(subject(), " is ", value.excerpt(), ", the format spells it \"", meant->name, "\""));
    }
    fail_at(message(subject(), " ", value.excerpt(), " is not a known type"), Errc::unsupported);
  }
  void add_number(const Json& value) {
    if (!value.is_u64()) fail_expected(value.excerpt());
    const uint64_t number = value.as_u64();
    if (field_ == Field::shape) {
      if (number >= kMaxDim) {
        fail_at(message(subject(), " has dimension ", number, ", expected less than 2^48 (", kMaxDim, ")"));
      }
      if (entry_.shape.size() == kMaxRank) {
        fail_at(message(subject(), " has more than ", kMaxRank, " dimensions"), Errc::unsupported);
      }
      entry_.shape.push_back(number);
    } else {
      if (offsets_.size() == 2) fail_at(message(subject(), " has more than 2 numbers"));
      offsets_.push_back(number);
    }
  }
  void check_metadata_keys() const {
    std::vector<std::string_view> keys;
    for (const auto& [key, value] : header_.metadata) keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) {
      fail(Errc::malformed, message(path_, ": ", kMetadata, " \"", printable(*twice), "\" appears twice"));
    }
  }

  std::string_view path_;
  SafetensorsHeader header_;
  Where where_ = Where::start;
  Field field_ = Field::dtype;
  std::string key_;  // of the root: a tensor's name or kMetadata
  std::string metadata_key_;
  bool has_metadata_ = false;
  std::array<bool, 3> seen_{};
  SafetensorsEntry entry_;
  std::vector<uint64_t> offsets_;
};

}  // namespace

const SafetensorsType& safetensors_type(DType type) {
  return *std::find_if(kTypes.begin(), kTypes.end(),
                       [&](const SafetensorsType& row) { return row.readable && row.dtype == type; });
}

SafetensorsHeader parse_safetensors_header(std::string_view text, std::string_view path) {
  HeaderEvents events(path);
  parse_json_events(text, message(path, ": header"), events);
  return events.take();
}

}  // namespace lathe
