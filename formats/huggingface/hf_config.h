#pragma once
// config.json of a model folder: typed fields with bounds.

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "formats/json.h"

namespace lathe {

struct ConfigOptions {
  /// Accept a model that says it is already quantized.
  bool allow_requantize = false;
};

/// Fields are found under the first of several accepted spellings; a spelling with dots ("rope_parameters.rope_theta")
/// looks inside objects. null counts as absent. Two spellings that are present with different values contradict each
/// other: Error{malformed}. Errors name file, field, value and bound.
class ConfigFile {
 public:
  using Names = std::initializer_list<std::string_view>;

  /// Reads a config.json, or the one in a folder. Throws Error{no_input} when it is absent, Error{malformed} when it is
  /// not a JSON object, Error{unsupported} when it has a quantization_config that the options do not allow.
  explicit ConfigFile(const std::filesystem::path& file_or_folder, ConfigOptions options = {});
  static ConfigFile parse(std::string_view text, std::string_view path, ConfigOptions options = {});

  bool has(Names names) const;
  /// Error{malformed} when absent (unless a fallback is given), not an integer, or below min; Error{limit} above max.
  uint64_t integer(Names names, uint64_t min, uint64_t max) const;
  uint64_t integer(Names names, uint64_t min, uint64_t max, uint64_t fallback) const;
  /// Finite and within [min, max], otherwise Error{malformed}.
  double number(Names names, double min, double max) const;
  double number(Names names, double min, double max, double fallback) const;
  std::string text(Names names) const;
  std::string text(Names names, std::string_view fallback) const;
  bool boolean(Names names) const;
  bool boolean(Names names, bool fallback) const;

  /// Error{malformed} when the config has none.
  std::string model_type() const;
  /// Throws Error{unsupported} that names the model_type and lists what is supported.
  [[noreturn]] void fail_model_type(std::span<const std::string_view> supported) const;
  /// For what the getters cannot say: "<file>: <field> is <value>, <expected>".
  [[noreturn]] void fail_field(Errc code, std::string_view field, std::string_view expected) const;

  /// The whole object, and the file's path for messages.
  const Json& json() const { return root_; }
  const std::string& path() const { return path_; }

 private:
  ConfigFile(Json root, std::string path, ConfigOptions options);

  const Json* find(std::string_view name) const;
  struct Field {
    std::string_view name;
    const Json* value = nullptr;
  };
  Field find_any(Names names) const;
  Field get(Names names) const;
  uint64_t checked_integer(const Field& field, uint64_t min, uint64_t max) const;
  double checked_number(const Field& field, double min, double max) const;
  std::string subject(std::string_view name) const;

  Json root_;
  std::string path_;
};

}  // namespace lathe
