#include "formats/huggingface/sentence_transformers.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"
#include "formats/text.h"

namespace lathe {
namespace {

using std::filesystem::path;

constexpr std::string_view kModePrefix = "pooling_mode_";

struct PoolingRow {
  std::string_view flag;  // of the older spelling, one boolean for each mode
  std::string_view name;  // of the newer spelling, "pooling_mode": "mean"
  Pooling pooling;
};
constexpr std::array<PoolingRow, 3> kPoolingModes = {{{"pooling_mode_cls_token", "cls", Pooling::first},
                                                      {"pooling_mode_mean_tokens", "mean", Pooling::mean},
                                                      {"pooling_mode_max_tokens", "max", Pooling::max}}};

Pooling find_pooling(std::string_view mode, std::string_view PoolingRow::*column, std::string_view file) {
  const auto found =
      std::find_if(kPoolingModes.begin(), kPoolingModes.end(), [&](const auto& r) { return r.*column == mode; });
  if (found != kPoolingModes.end()) return found->pooling;
  fail(Errc::unsupported,
       message(file, ": ", printable(mode), " is not supported, supported are pooling by cls, mean and max"));
}

Pooling read_pooling(const path& file) {
  const Json config = read_json_file(file);
  const std::string name = file.string();
  std::vector<std::string_view> modes;
  for (const Json::Member& member : config.members(name)) {
    if (!member.key.starts_with(kModePrefix)) continue;
    if (member.value.as_bool(message(name, ": ", printable(member.key)))) modes.push_back(member.key);
  }
  if (modes.size() == 1) return find_pooling(modes.front(), &PoolingRow::flag, name);
  if (modes.size() > 1) {
    std::string list;
    for (const std::string_view mode : modes) list.append(list.empty() ? "" : " with ").append(printable(mode));
    fail(Errc::unsupported, message(name, ": the combination of ", list, " is not supported"));
  }
  const Json* mode = config.find("pooling_mode");
  if (mode == nullptr) fail(Errc::malformed, message(name, ": no pooling mode is set"));
  return find_pooling(mode->as_string(message(name, ": pooling_mode")), &PoolingRow::name, name);
}

/// The last part of a Python class path.
std::string_view class_name(std::string_view type) { return type.substr(type.rfind('.') + 1); }

/// A module's files lie directly in a folder beside modules.json.
path module_folder(const path& folder, const Json& module, std::string_view subject) {
  const std::string& name = module.at("path", subject).as_string(message(subject, ": path"));
  const bool bare = name != "." && name != ".." && name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
  if (!bare) {
    fail(Errc::malformed, message(subject, ": path \"", printable(name), "\", expected the bare name of a folder"));
  }
  return folder / name;
}

/// prompts[default_prompt_name]; empty where no prompt is the default.
std::string read_default_prompt(const path& file) {
  const std::optional<Json> config = find_json_file(file);
  const Json* name = config ? config->find("default_prompt_name") : nullptr;
  if (name == nullptr || name->is_null()) return {};
  const std::string subject = message(file.string(), ": default_prompt_name");
  const std::string& key = name->as_string(subject);
  const std::string prompts = message(file.string(), ": prompts");
  const Json& all = config->at("prompts", file.string());
  static_cast<void>(all.members(prompts));  // an object
  const Json* prompt = all.find(key);
  if (prompt == nullptr) fail(Errc::malformed, message(subject, " is \"", printable(key), "\", which prompts lacks"));
  return prompt->as_string(prompts);
}

void check_prompt_is_pooled(const path& file) {
  const Json config = read_json_file(file);
  const Json* included = config.find("include_prompt");
  const std::string subject = message(file.string(), ": include_prompt");
  if (included == nullptr || included->is_null() || included->as_bool(subject)) return;
  fail(Errc::unsupported, message(subject, " is false, supported with a default prompt is true"));
}

}  // namespace

std::optional<uint32_t> read_max_seq_length(const path& folder) {
  const path file = folder / "sentence_bert_config.json";
  const std::optional<Json> config = find_json_file(file);
  if (!config) return std::nullopt;
  static_cast<void>(config->members(file.string()));  // an object
  const Json* length = config->find("max_seq_length");
  if (length == nullptr || length->is_null()) return std::nullopt;
  constexpr uint64_t kLeast = 2;  // the begin and the end token
  constexpr uint64_t kMost = 1'000'000;
  const bool good = length->is_u64() && length->as_u64() >= kLeast && length->as_u64() <= kMost;
  if (!good) {
    fail(Errc::malformed, message(file.string(), ": max_seq_length is ", length->excerpt(),
                                  ", expected an integer from ", kLeast, " to ", kMost));
  }
  return static_cast<uint32_t>(length->as_u64());
}

std::optional<SentenceTransformer> read_sentence_transformer(const path& folder) {
  const path file = folder / "modules.json";
  const std::optional<Json> root = find_json_file(file);
  if (!root) return std::nullopt;
  const Json::Array& modules = root->items(file.string());
  SentenceTransformer result;
  result.default_prompt = read_default_prompt(folder / "config_sentence_transformers.json");
  constexpr std::array<std::string_view, 3> kChain = {"Transformer", "Pooling", "Normalize"};
  for (size_t i = 0; i < modules.size(); ++i) {
    const std::string subject = message(file.string(), ": module ", i);
    const std::string& type = modules[i].at("type", subject).as_string(message(subject, ": type"));
    if (i >= kChain.size() || class_name(type) != kChain[i]) {
      fail(Errc::unsupported, message(subject, ": \"", printable(type), "\" is not supported here, supported is the ",
                                      "chain Transformer, Pooling and, optionally, Normalize"));
    }
    const path module = module_folder(folder, modules[i], subject);
    if (i == 0 && module != folder / "") {
      fail(Errc::unsupported, message(subject, ": the Transformer is in the folder ", module.string(),
                                      ", supported is beside modules.json"));
    }
    if (i == 1) result.pooling = read_pooling(module / "config.json");
    if (i == 1 && !result.default_prompt.empty()) check_prompt_is_pooled(module / "config.json");
    result.normalize = i == 2;
  }
  if (modules.size() < 2) fail(Errc::unsupported, message(file.string(), ": no Pooling module after the Transformer"));
  result.max_length = read_max_seq_length(folder);
  return result;
}

}  // namespace lathe
