#include "formats/pytorch/state_dict.h"

#include <algorithm>
#include <array>

#include "formats/tensor_name.h"
#include "formats/text.h"

namespace lathe {
namespace {

// Where training scripts put the weights beside an optimizer and their progress.
constexpr std::array<std::string_view, 4> kWeightEntries = {"state_dict", "model_state_dict", "model", "module"};
constexpr std::string_view kModulePrefix = "module.";
constexpr size_t kShownNames = 8;

struct DictEntry {
  std::string_view key;
  PickleValue value;
};

/// Sorted by key. Throws unless keys are texts, each there once.
std::vector<DictEntry> entries_of(const PickleGraph& graph, const PickleValue& dict, std::string_view path) {
  const std::vector<PickleValue>& items = graph.items(dict);
  std::vector<DictEntry> entries;
  entries.reserve(items.size() / 2);
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].kind != PickleKind::text) {
      fail(Errc::malformed, message(path, ": key ", i / 2, " of a dict is ", kind_text(items[i].kind),
                                    ", expected the name of a tensor"));
    }
    entries.push_back({graph.text(items[i]), items[i + 1]});
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  const auto twice =
      std::adjacent_find(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.key == b.key; });
  if (twice != entries.end()) {
    fail(Errc::malformed, message(path, ": key ", printable(twice->key), " appears twice in a dict"));
  }
  return entries;
}

bool is_tensor(const DictEntry& entry) { return entry.value.kind == PickleKind::tensor; }

/// Whether a value of the dict is a tensor.
bool holds_tensors(const PickleGraph& graph, const PickleValue& value) {
  if (value.kind != PickleKind::dict) return false;
  const std::vector<PickleValue>& items = graph.items(value);
  for (size_t i = 1; i < items.size(); i += 2) {
    if (items[i].kind == PickleKind::tensor) return true;
  }
  return false;
}

template <class Select>
std::string names_of(const std::vector<DictEntry>& entries, Select select) {
  std::string text;
  size_t count = 0;
  for (const DictEntry& entry : entries) {
    if (!select(entry)) continue;
    if (++count <= kShownNames) text += message(text.empty() ? "" : ", ", printable(entry.key));
  }
  if (count > kShownNames) text += message(" and ", count - kShownNames, " more");
  return text;
}

void add_tensor(StateDict& state, std::string name, const PickleValue& value, std::string_view path) {
  check_tensor_name(name, path);
  if (!is_utf8(name)) fail(Errc::malformed, message(path, ": tensor name ", printable(name), " is not UTF-8"));
  state.tensors.push_back({std::move(name), value.index});
}

/// The tensors among the entries, in their order.
void take_tensors(const std::vector<DictEntry>& entries, StateDict& state, std::string_view path) {
  for (const DictEntry& entry : entries) {
    if (is_tensor(entry)) add_tensor(state, std::string(entry.key), entry.value, path);
  }
  if (state.tensors.size() == entries.size()) return;
  state.notes.push_back(message(path, ": entries of the state dict that are no tensors are ignored: ",
                                names_of(entries, [](const DictEntry& entry) { return !is_tensor(entry); })));
}

/// An object of TorchScript that is yet to be looked at.
struct ScriptObject {
  std::string prefix;  // of the names of its attributes
  PickleValue value;
};

}  // namespace

StateDict find_state_dict(const PickleGraph& graph, std::string_view path) {
  if (graph.root.kind != PickleKind::dict) {
    fail(Errc::unsupported,
         message(path, ": the file holds ", kind_text(graph.root.kind), ", expected a state dict: save state_dict()"));
  }
  const std::vector<DictEntry> entries = entries_of(graph, graph.root, path);
  const auto is_candidate = [&](const DictEntry& entry) {
    return std::find(kWeightEntries.begin(), kWeightEntries.end(), entry.key) != kWeightEntries.end() &&
           holds_tensors(graph, entry.value);
  };
  StateDict state;
  const auto candidates = std::count_if(entries.begin(), entries.end(), is_candidate);
  if (candidates > 1) {
    fail(Errc::unsupported, message(path, ": the file holds several state dicts: ", names_of(entries, is_candidate),
                                    "; save the one to be read alone"));
  }
  if (candidates == 1) {
    const auto chosen = std::find_if(entries.begin(), entries.end(), is_candidate);
    const std::string others = names_of(entries, [&](const DictEntry& entry) { return !is_candidate(entry); });
    state.notes.push_back(message(path, ": the tensors are those of its entry ", chosen->key,
                                  others.empty() ? "" : "; ignored are ", others));
    take_tensors(entries_of(graph, chosen->value, path), state, path);
    return state;
  }
  if (std::none_of(entries.begin(), entries.end(), is_tensor)) {
    fail(Errc::unsupported,
         message(path, ": the file holds a dict without tensors, and none of its entries is a state dict with one of ",
                 "the names state_dict, model_state_dict, model and module; it has ",
                 entries.empty() ? "none" : names_of(entries, [](const DictEntry&) { return true; })));
  }
  take_tensors(entries, state, path);
  return state;
}

StateDict find_script_tensors(const PickleGraph& graph, std::string_view path) {
  if (graph.root.kind != PickleKind::object) {
    fail(Errc::malformed, message(path, ": the pickle of TorchScript holds ", kind_text(graph.root.kind),
                                  ", expected the object of a module"));
  }
  StateDict state;
  uint64_t seen = 0;  // an object that is held in several places is looked at in each, and so may its attributes be
  std::vector<ScriptObject> left = {{"", graph.root}};
  while (!left.empty()) {
    const ScriptObject object = std::move(left.back());
    left.pop_back();
    const std::vector<PickleValue>& held = graph.items(object.value);  // its state, once it has one
    const bool has_attributes = !held.empty() && held.front().kind == PickleKind::dict;
    seen += 1 + (has_attributes ? graph.items(held.front()).size() / 2 : 0);
    if (seen > kMaxTensors) {
      fail(Errc::limit, message(path, ": the objects have more than ", kMaxTensors, " attributes, which is the limit"));
    }
    if (!has_attributes) continue;
    for (const DictEntry& entry : entries_of(graph, held.front(), path)) {
      if (!is_tensor(entry) && entry.value.kind != PickleKind::object) continue;
      std::string name = object.prefix + std::string(entry.key);
      if (is_tensor(entry)) {
        add_tensor(state, std::move(name), entry.value, path);
      } else {
        check_tensor_name(name, path);
        left.push_back({name + ".", entry.value});
      }
    }
  }
  if (state.tensors.empty()) {
    fail(Errc::unsupported,
         message(path, ": the module of TorchScript has no parameters (one that is frozen keeps them ",
                 "in its code, which is not read): save its state_dict()"));
  }
  std::sort(state.tensors.begin(), state.tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(state.tensors.begin(), state.tensors.end(),
                                        [](const auto& a, const auto& b) { return a.name == b.name; });
  if (twice != state.tensors.end()) {
    fail(Errc::malformed, message(path, ": tensor ", printable(twice->name), " appears twice"));
  }
  state.notes.push_back(message(path, ": this is TorchScript; its tensors are read and its code is not"));
  return state;
}

void strip_module_prefix(StateDict& state, std::string_view path) {
  const auto has_prefix = [](const NamedTensor& tensor) {
    return tensor.name.starts_with(kModulePrefix) && tensor.name.size() > kModulePrefix.size();
  };
  if (state.tensors.empty() || !std::all_of(state.tensors.begin(), state.tensors.end(), has_prefix)) return;
  for (NamedTensor& tensor : state.tensors) tensor.name.erase(0, kModulePrefix.size());
  state.notes.push_back(message(path, ": all names begin with module., which is left out"));
}

}  // namespace lathe
