#include "formats/gguf/gguf.h"

#include <cmath>
#include <optional>

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

/// The value where it is an integer that is not negative.
std::optional<uint64_t> natural(const GgufValue& value) {
  if (const auto* number = std::get_if<uint64_t>(&value)) return *number;
  const auto* number = std::get_if<int64_t>(&value);
  if (number == nullptr || *number < 0) return std::nullopt;
  return static_cast<uint64_t>(*number);
}

constexpr const char* kPartKey = "split.no";
constexpr const char* kPartsKey = "split.count";
constexpr const char* kTensorsKey = "split.tensors.count";
constexpr uint64_t kMaxParts = 1000;

// "-00002-of-00003.gguf"
std::string part_ending(size_t part, uint64_t parts) {
  const auto five = [](uint64_t number) {
    const std::string digits = message(number);
    return std::string(5 - std::min<size_t>(digits.size(), 5), '0') + digits;
  };
  return message("-", five(part + 1), "-of-", five(parts), ".gguf");
}

}  // namespace

std::string excerpt(const GgufValue& value) { return std::visit(Excerpt{}, value); }

GgufFile::GgufFile(const std::filesystem::path& path) {
  parts_.emplace_back(path);
  path_ = parts_[0].path();
  read(parts_[0].bytes());
  const uint64_t parts = integer(kPartsKey, 0, kMaxParts, 1);
  if (parts <= 1) return;
  if (const uint64_t part = integer(kPartKey, 0, parts - 1); part != 0) {
    fail(Errc::usage, message(path_, ": key ", kPartKey, " is ", part, ": give the first of the ", parts, " parts"));
  }
  const std::string ending = part_ending(0, parts);
  if (!path_.ends_with(ending)) {
    fail(Errc::usage, message(path_, ": is the first of ", parts, " parts, expected a name that ends in ", ending));
  }
  const std::string stem = path_.substr(0, path_.size() - ending.size());
  for (size_t part = 1; part < parts; ++part) read_part(stem + part_ending(part, parts), part, parts);
  index_.clear();
  for (size_t i = 0; i < tensors_.size(); ++i) {
    if (index_.emplace(tensors_[i].name, i).second) continue;
    fail(Errc::malformed, message(path_of(tensors_[i]), ": tensor ", printable(tensors_[i].name), " is in two parts"));
  }
  const uint64_t expected = integer(kTensorsKey, 0, UINT64_MAX, tensors_.size());
  if (expected != tensors_.size()) {
    fail_value(kTensorsKey, message("the ", tensors_.size(), " tensors that the parts have"));
  }
}

GgufFile::GgufFile(Bytes file, std::string_view path) : path_(path) {
  read(file);
  if (integer(kPartsKey, 0, kMaxParts, 1) > 1) {
    fail(Errc::unsupported, message(path_, ": is one of several parts, which are read from files"));
  }
}

void GgufFile::read(Bytes file) {
  GgufContents contents = parse_gguf(file, path_);
  values_ = std::move(contents.values);
  tensors_ = std::move(contents.tensors);
  for (size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
}

void GgufFile::read_part(const std::filesystem::path& path, size_t part, uint64_t parts) {
  const MappedFile& file = parts_.emplace_back(path);
  GgufContents contents = parse_gguf(file.bytes(), file.path());
  const std::pair<const char*, uint64_t> keys[] = {{kPartsKey, parts}, {kPartKey, part}};
  for (const auto& [key, expected] : keys) {
    const auto found = contents.values.find(key);
    if (found != contents.values.end() && natural(found->second) == expected) continue;
    const std::string is = found == contents.values.end() ? " is missing" : " is " + excerpt(found->second);
    fail(Errc::malformed, message(file.path(), ": key ", key, is, ", expected ", expected, " beside ", path_));
  }
  for (GgufTensor& tensor : contents.tensors) {
    tensor.part = part;
    tensors_.push_back(std::move(tensor));
  }
}

std::vector<SourceFile> GgufFile::files() const {
  std::vector<SourceFile> files;
  for (const MappedFile& part : parts_) files.push_back({part.path(), part.bytes().size()});
  return files;
}

const std::string& GgufFile::path_of(const GgufTensor& tensor) const {
  return tensor.part < parts_.size() ? parts_[tensor.part].path() : path_;
}

bool GgufFile::is_gguf(Bytes beginning) noexcept {
  return beginning.size() >= 4 && std::memcmp(beginning.data(), "GGUF", 4) == 0;
}

const GgufTensor* GgufFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

void GgufFile::release(Bytes range) const noexcept {
  for (const MappedFile& part : parts_) part.release(range);  // only the one that holds it
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
  const std::optional<uint64_t> number = natural(get(key));
  if (!number || *number < min || *number > max) fail_value(key, message("an integer from ", min, " to ", max));
  return *number;
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
