#include "formats/huggingface/hf_chat_template.h"

#include <optional>
#include <utility>

#include "formats/artifact/mapped_file.h"
#include "formats/bpe_tokenizer.h"
#include "formats/huggingface/hf_tokenizer_parts.h"
#include "formats/text.h"

namespace lathe {
namespace {

using detail::Part;
using detail::TokenizerConfig;
using std::filesystem::path;

constexpr const char* kDefault = "default";

/// A template as it was found, and the names of those beside it.
struct Found {
  std::string text;
  std::string subject;  // the file and the field
  std::vector<std::string> others;
};

bool is_present(const path& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

void take_named(const std::string& name, const Part& text, Found& out) {
  if (name == kDefault) {
    out.text = text.text();
    out.subject = text.subject;
  } else {
    out.others.push_back(name);
  }
}

/// A text, a list of objects with a name and a template, or an object of templates by their names.
Found read_field(const Part& field) {
  Found out{{}, field.subject, {}};
  if (field.json->is_array()) {
    for (const Part& item : field.items()) take_named(item.at("name").text(), item.at("template"), out);
  } else if (field.json->is_object()) {
    for (const Json::Member& member : field.json->members(field.subject)) {
      take_named(member.key, {&member.value, message(field.subject, ": ", printable(member.key))}, out);
    }
  } else {
    out.text = field.text();
  }
  return out;
}

Found find_template(const path& folder, const TokenizerConfig& config) {
  if (const path file = folder / "chat_template.jinja"; is_present(file)) {
    const MappedFile mapped(file);
    return {{reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size()}, file.string(), {}};
  }
  if (const Json* field = config.find("chat_template")) return read_field({field, config.subject("chat_template")});
  const path file = folder / "chat_template.json";
  const std::optional<Json> json = find_json_file(file);
  const Json* field = json ? json->find("chat_template") : nullptr;
  if (field == nullptr || field->is_null()) return {};
  return read_field({field, message(file.string(), ": chat_template")});
}

}  // namespace

std::vector<std::string> hf_chat_template_notes(const path& model_folder) {
  const Found found = find_template(model_folder, detail::read_tokenizer_config(model_folder));
  if (found.others.empty()) return {};
  std::string names;
  for (const std::string& name : found.others) names += (names.empty() ? "" : ", ") + printable(name);
  if (found.text.empty()) {
    return {message("no chat template is used, because none is called \"", kDefault, "\"; the model has ", names)};
  }
  return {message("of the chat templates, \"", kDefault, "\" is used; left out: ", names)};
}

namespace detail {

void read_hf_chat_template(const path& model_folder, const TokenizerConfig& config, TokenizerSpec& spec) {
  Found found = find_template(model_folder, config);
  set_chat_template(std::move(found.text), found.subject, spec);
  if (spec.chat != ChatForm::jinja) return;
  TokenizerConfig map;
  map.path = (model_folder / "special_tokens_map.json").string();
  if (std::optional<Json> json = find_json_file(map.path)) map.json = std::move(*json);
  for (const char* name :
       {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
    const TokenizerConfig& source = config.find(name) != nullptr ? config : map;
    if (source.find(name) != nullptr) add_chat_variable(name, source.token(name, ""), spec);
  }
}

}  // namespace detail
}  // namespace lathe
