#include "formats/huggingface/hf_config.h"

#include <cmath>

#include "formats/text.h"

namespace lathe {
namespace {

std::filesystem::path config_path(const std::filesystem::path& file_or_folder) {
  std::error_code ignored;
  return std::filesystem::is_directory(file_or_folder, ignored) ? file_or_folder / "config.json" : file_or_folder;
}

std::string names_text(ConfigFile::Names names) {
  std::string text;
  for (const std::string_view name : names) text.append(text.empty() ? "" : " or ").append(name);
  return text;
}

}  // namespace

ConfigFile::ConfigFile(Json root, std::string path, ConfigOptions options)
    : root_(std::move(root)), path_(std::move(path)) {
  if (!root_.is_object()) fail(Errc::malformed, message(path_, " is ", root_.excerpt(), ", expected an object"));
  const Json* quantization = find("quantization_config");
  if (quantization == nullptr || options.allow_requantize) return;
  const Json* method = quantization->find("quant_method");
  fail(Errc::unsupported,
       message(path_, ": quantization_config: the model is already quantized (method ",
               method == nullptr ? "unknown" : method->excerpt(), "); pass --allow-requantize to go on"));
}

ConfigFile::ConfigFile(const std::filesystem::path& file_or_folder, ConfigOptions options)
    : ConfigFile(read_json_file(config_path(file_or_folder)), config_path(file_or_folder).string(), options) {}

ConfigFile ConfigFile::parse(std::string_view text, std::string_view path, ConfigOptions options) {
  return {parse_json(text, path), std::string(path), options};
}

/// nullptr when absent or null.
const Json* ConfigFile::find(std::string_view name) const {
  const Json* value = &root_;
  while (value != nullptr) {
    const size_t dot = name.find('.');
    value = value->find(name.substr(0, dot));
    if (dot == name.npos) break;
    name.remove_prefix(dot + 1);
  }
  return value == nullptr || value->is_null() ? nullptr : value;
}

ConfigFile::Field ConfigFile::find_any(Names names) const {
  Field first;
  for (const std::string_view name : names) {
    const Json* value = find(name);
    if (value == nullptr) continue;
    if (first.value == nullptr) {
      first = {name, value};
    } else if (*first.value != *value) {
      fail(Errc::malformed, message(subject(first.name), " is ", first.value->excerpt(), ", but ", name, " is ",
                                    value->excerpt(), ": they mean the same"));
    }
  }
  return first;
}

ConfigFile::Field ConfigFile::get(Names names) const {
  const Field field = find_any(names);
  if (field.value == nullptr) fail(Errc::malformed, message(path_, ": ", names_text(names), " is missing"));
  return field;
}

std::string ConfigFile::subject(std::string_view name) const { return message(path_, ": ", name); }

bool ConfigFile::has(Names names) const { return find_any(names).value != nullptr; }

uint64_t ConfigFile::checked_integer(const Field& field, uint64_t min, uint64_t max) const {
  const auto bound = [&] { return message("an integer from ", min, " to ", max); };
  if (!field.value->is_u64()) fail_field(Errc::malformed, field.name, message("expected ", bound()));
  const uint64_t value = field.value->as_u64();
  if (value < min) fail_field(Errc::malformed, field.name, message("expected ", bound()));
  if (value > max) fail_field(Errc::limit, field.name, message("the limit is ", bound()));
  return value;
}

uint64_t ConfigFile::integer(Names names, uint64_t min, uint64_t max) const {
  return checked_integer(get(names), min, max);
}

uint64_t ConfigFile::integer(Names names, uint64_t min, uint64_t max, uint64_t fallback) const {
  const Field field = find_any(names);
  return field.value == nullptr ? fallback : checked_integer(field, min, max);
}

double ConfigFile::checked_number(const Field& field, double min, double max) const {
  const bool good = field.value->is_number() && field.value->as_f64() >= min && field.value->as_f64() <= max;
  if (!good) {
    fail_field(Errc::malformed, field.name,
               message("expected a number from ", Json(min).excerpt(), " to ", Json(max).excerpt()));
  }
  return field.value->as_f64();
}

double ConfigFile::number(Names names, double min, double max) const { return checked_number(get(names), min, max); }

double ConfigFile::number(Names names, double min, double max, double fallback) const {
  const Field field = find_any(names);
  return field.value == nullptr ? fallback : checked_number(field, min, max);
}

std::string ConfigFile::text(Names names) const {
  const Field field = get(names);
  return field.value->as_string(subject(field.name));
}

std::string ConfigFile::text(Names names, std::string_view fallback) const {
  const Field field = find_any(names);
  return field.value == nullptr ? std::string(fallback) : field.value->as_string(subject(field.name));
}

bool ConfigFile::boolean(Names names) const {
  const Field field = get(names);
  return field.value->as_bool(subject(field.name));
}

bool ConfigFile::boolean(Names names, bool fallback) const {
  const Field field = find_any(names);
  return field.value == nullptr ? fallback : field.value->as_bool(subject(field.name));
}

std::string ConfigFile::model_type() const { return text({"model_type"}); }

void ConfigFile::fail_model_type(std::span<const std::string_view> supported) const {
  std::string list;
  for (const std::string_view name : supported) list.append(list.empty() ? "" : ", ").append(name);
  fail_field(Errc::unsupported, "model_type", message("supported are ", list));
}

void ConfigFile::fail_field(Errc code, std::string_view field, std::string_view expected) const {
  const Json* value = find(field);
  fail(code, message(subject(field), " is ", value == nullptr ? "absent" : value->excerpt(), ", ", expected));
}

}  // namespace lathe
