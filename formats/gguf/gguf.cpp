#include "formats/gguf/gguf.h"

#include <cmath>

#include "formats/gguf/gguf_parser.h"
#include "formats/text.h"

namespace lathe {
namespace {

struct Excerpt {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(int64_t value) const { return message(value); }
  std::string operator()(uint64_t value) const { return message(value); }
  std::string operator()(double value) const { return message(value); }
  std::string operator()(const std::string& value) const { return message("\"", printable(value), "\""); }
  template <class T>
  std::string operator()(const std::vector<T>& values) const {
    return message("an array of ", values.size());
  }
};

}  // namespace

std::string excerpt(const GgufValue& value) { return std::visit(Excerpt{}, value); }

GgufFile::GgufFile(const std::filesystem::path& path)
    : file_(std::in_place, path), path_(file_->path()), bytes_(file_->bytes()) {
  read();
}

GgufFile::GgufFile(Bytes file, std::string_view path) : path_(path), bytes_(file) { read(); }

void GgufFile::read() {
  GgufContents contents = parse_gguf(bytes_, path_);
  values_ = std::move(contents.values);
  tensors_ = std::move(contents.tensors);
  for (size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
}

bool GgufFile::is_gguf(Bytes beginning) noexcept {
  return beginning.size() >= 4 && std::memcmp(beginning.data(), "GGUF", 4) == 0;
}

const GgufTensor* GgufFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

void GgufFile::release(Bytes range) const noexcept {
  if (file_.has_value()) file_->release(range);
}

const GgufValue* GgufFile::find_value(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

const GgufValue& GgufFile::get(std::string_view key) const {
  const GgufValue* value = find_value(key);
  if (value == nullptr) fail(Errc::malformed, message(path_, ": key ", key, " is missing"));
  return *value;
}

void GgufFile::fail_value(std::string_view key, std::string_view expected) const {
  fail(Errc::malformed, message(path_, ": key ", key, " is ", excerpt(get(key)), ", expected ", expected));
}

uint64_t GgufFile::integer(std::string_view key, uint64_t min, uint64_t max) const {
  const GgufValue& value = get(key);
  const auto* as_unsigned = std::get_if<uint64_t>(&value);
  const auto* as_signed = std::get_if<int64_t>(&value);
  const bool is_natural = as_unsigned != nullptr || (as_signed != nullptr && *as_signed >= 0);
  const uint64_t number = as_unsigned != nullptr ? *as_unsigned : is_natural ? static_cast<uint64_t>(*as_signed) : 0;
  if (!is_natural || number < min || number > max) fail_value(key, message("an integer from ", min, " to ", max));
  return number;
}

uint64_t GgufFile::integer(std::string_view key, uint64_t min, uint64_t max, uint64_t fallback) const {
  return has(key) ? integer(key, min, max) : fallback;
}

double GgufFile::number(std::string_view key) const {
  const auto* value = std::get_if<double>(&get(key));
  if (value == nullptr || !std::isfinite(*value)) fail_value(key, "a finite number of floating point");
  return *value;
}

double GgufFile::number(std::string_view key, double fallback) const { return has(key) ? number(key) : fallback; }

bool GgufFile::boolean(std::string_view key, bool fallback) const {
  if (!has(key)) return fallback;
  const auto* value = std::get_if<bool>(&get(key));
  if (value == nullptr) fail_value(key, "true or false");
  return *value;
}

const std::string& GgufFile::text(std::string_view key) const {
  const auto* value = std::get_if<std::string>(&get(key));
  if (value == nullptr) fail_value(key, "a string");
  return *value;
}

const std::vector<std::string>& GgufFile::strings(std::string_view key) const {
  const auto* value = std::get_if<GgufStrings>(&get(key));
  if (value == nullptr) fail_value(key, "an array of strings");
  return *value;
}

const std::vector<int64_t>& GgufFile::integers_or_none(std::string_view key) const {
  static const std::vector<int64_t> kEmpty;
  if (!has(key)) return kEmpty;
  const auto* value = std::get_if<GgufIntegers>(&get(key));
  if (value == nullptr) fail_value(key, "an array of integers");
  return *value;
}

}  // namespace lathe
