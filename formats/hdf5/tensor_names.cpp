#include "formats/hdf5/tensor_names.h"

#include <algorithm>
#include <array>
#include <set>

#include "formats/hdf5/model_config.h"
#include "formats/tensor_name.h"
#include "formats/text.h"

namespace lathe {
namespace {

using Parts = std::vector<std::string>;

Parts split(std::string_view text, char separator) {
  Parts parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string joined(const Parts& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ".") + part;
  return text;
}

// What Keras calls its weights, and what PyTorch does.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kLastParts = {
    {{"kernel", "weight"},
     {"gamma", "weight"},
     {"embeddings", "weight"},
     {"beta", "bias"},
     {"moving_mean", "running_mean"},
     {"moving_variance", "running_var"}}};

/// "kernel:0" -> "kernel"
std::string_view without_output(std::string_view weight) {
  const size_t colon = weight.rfind(':');
  const bool has_number = colon != weight.npos && colon + 1 < weight.size() &&
                          weight.find_first_not_of("0123456789", colon + 1) == weight.npos;
  return has_number ? weight.substr(0, colon) : weight;
}

/// How transformers writes a list: "layer_._3" -> "layer.3"; and what only TensorFlow has: "layers___encoder" ->
/// "encoder".
std::string listed(std::string part) {
  const size_t left_out = part.find("___");
  if (left_out != part.npos) part.erase(0, left_out + 3);
  for (size_t at = part.find("_._"); at != part.npos; at = part.find("_._")) part.replace(at, 3, ".");
  return part;
}

Parts without_model(std::string_view layer, Parts parts) {
  const bool has_model = parts.size() > 2 && parts[1] == layer;  // "tf_bert_model/bert/...", or the layer twice
  if (has_model) {
    parts.erase(parts.begin());
    std::transform(parts.begin(), parts.end(), parts.begin(), listed);
  } else if (!layer.empty() && (parts.size() < 2 || parts.front() != layer)) {
    parts.emplace(parts.begin(), layer);
  }
  return parts;
}

class Namer {
 public:
  explicit Namer(const Hdf5Description& file) : file_(file) {}

  Hdf5Names run() {
    for (const std::string_view group : {"model_weights", ""}) {
      if (!has_list(std::string(group), "layer_names")) continue;
      check_model_config();
      keras_group(std::string(group));
      return finish();
    }
    for (const SafetensorsEntry& entry : file_.header.entries) plain(entry);
    return finish();
  }

 private:
  [[noreturn]] void fail_file(Errc code, const std::string& text) const { fail(code, message(file_.path, ": ", text)); }

  const std::vector<std::string>* attribute(const std::string& group, const std::string& name) const {
    const auto found = file_.attributes.find(group);
    if (found == file_.attributes.end()) return nullptr;
    const auto value = found->second.find(name);
    return value == found->second.end() ? nullptr : &value->second;
  }
  bool has_list(const std::string& group, const std::string& name) const {
    return attribute(group, name) != nullptr || attribute(group, name + "0") != nullptr;
  }

  /// A list that may be cut up into name0, name1 and so on, without gaps.
  std::vector<std::string> list(const std::string& group, const std::string& name) const {
    if (const auto* whole = attribute(group, name)) return *whole;
    std::vector<std::string> texts;
    size_t parts = 0;
    while (const auto* part = attribute(group, message(name, parts))) {
      texts.insert(texts.end(), part->begin(), part->end());
      ++parts;
    }
    const auto& attributes = file_.attributes.at(group);
    const auto found = std::count_if(attributes.begin(), attributes.end(),
                                     [&](const auto& other) { return other.first.starts_with(name); });
    if (static_cast<size_t>(found) != parts) {
      fail_file(Errc::malformed, message("group /", printable(group), " has ", found, " attributes ", name,
                                         "0 and so on, but there is no ", name, parts));
    }
    return texts;
  }

  void check_model_config() {
    const auto* config = attribute("", "model_config");
    if (config == nullptr || config->size() != 1) return;
    const std::string warning = check_keras_config(config->front(), message(file_.path, ": model_config"));
    if (!warning.empty()) names_.warnings.push_back(warning);
  }

  void keras_group(const std::string& group) {
    const auto inside = [&](const std::string& name) { return group.empty() ? name : message(group, "/", name); };
    for (const std::string& layer : list(group, "layer_names")) keras_layer(layer, inside(layer));
    constexpr const char* kTop = "top_level_model_weights";
    if (has_list(inside(kTop), "weight_names")) keras_layer("", inside(kTop));
    for (const SafetensorsEntry& entry : file_.header.entries) {
      if (!used_.contains(entry.name)) left_out_.push_back(entry.name);
    }
  }

  void keras_layer(const std::string& layer, const std::string& group) {
    if (!has_list(group, "weight_names")) {
      fail_file(Errc::malformed, message("layer_names has ", printable(layer), ", but group /", printable(group),
                                         " has no weight_names"));
    }
    for (const std::string& weight : list(group, "weight_names")) {
      const std::string path = joined_path(group, weight);
      const SafetensorsEntry* entry = file_.header.find(path);
      if (entry == nullptr) fail_listed(weight, group, path);
      used_.insert(path);
      const Parts parts = split(without_output(weight), '/');
      const bool is_kernel = !parts.empty() && parts.back() == "kernel" && entry->shape.size() >= 2 &&
                             entry->type->readable && is_float(entry->type->dtype);
      names_.tensors.push_back({keras_weight_name(layer, weight), entry, is_kernel});
    }
  }

  static std::string joined_path(const std::string& group, const std::string& weight) {
    std::string path = group;
    for (const std::string& part : split(weight, '/')) path += (path.empty() ? "" : "/") + part;
    return path;
  }

  [[noreturn]] void fail_listed(const std::string& weight, const std::string& group, const std::string& path) const {
    const auto ignored = file_.ignored.find(path);
    const bool is_ignored = ignored != file_.ignored.end();
    fail_file(is_ignored ? Errc::unsupported : Errc::malformed,
              message("weight_names of group /", printable(group), " has ", printable(weight), ", which is ",
                      is_ignored ? ignored->second : "not there"));
  }

  /// Keras 3 has the state of its optimizer beside the weights.
  void plain(const SafetensorsEntry& entry) {
    if (entry.name.starts_with("optimizer/") && entry.name.find("vars/") != entry.name.npos) {
      left_out_.push_back(entry.name);
    } else {
      names_.tensors.push_back({joined(split(entry.name, '/')), &entry, false});
    }
  }

  Hdf5Names finish() {
    auto& tensors = names_.tensors;
    std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (const Hdf5Tensor& tensor : tensors) check_tensor_name(tensor.name, file_.path);
    const auto twice = std::adjacent_find(tensors.begin(), tensors.end(),
                                          [](const auto& a, const auto& b) { return a.name == b.name; });
    if (twice != tensors.end()) {
      fail_file(Errc::malformed,
                message("datasets /", printable(twice->entry->name), " and /", printable(std::next(twice)->entry->name),
                        " both come to the name ", printable(twice->name)));
    }
    if (!left_out_.empty()) {
      warn(left_out_.size(), "no weights of the model", left_out_.front(), "");
    }
    if (!file_.ignored.empty()) {
      const auto& [path, what] = *file_.ignored.begin();
      warn(file_.ignored.size(), "not numbers", path, message(" (", what, ")"));
    }
    return std::move(names_);
  }

  void warn(size_t count, const char* why, const std::string& first, const std::string& more) {
    names_.warnings.push_back(message(file_.path, ": ", count, count == 1 ? " dataset is" : " datasets are",
                                      " left out as ", why, ", the first is /", printable(first), more));
  }

  const Hdf5Description& file_;
  Hdf5Names names_;
  std::set<std::string> used_;  // paths
  std::vector<std::string> left_out_;
};

}  // namespace

std::string keras_weight_name(std::string_view layer, std::string_view weight) {
  Parts parts = without_model(layer, split(without_output(weight), '/'));
  if (parts.empty()) return {};
  const auto row = std::find_if(kLastParts.begin(), kLastParts.end(),
                                [&](const auto& names) { return names.first == parts.back(); });
  if (row != kLastParts.end()) parts.back() = row->second;
  return joined(parts);
}

Hdf5Names name_tensors(const Hdf5Description& file) { return Namer(file).run(); }

}  // namespace lathe
