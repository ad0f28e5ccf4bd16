#include "formats/pytorch/torch_contents.h"

#include <algorithm>
#include <utility>

namespace lathe {

const TorchTensor* TorchContents::find(std::string_view name) const {
  const auto found = std::lower_bound(tensors.begin(), tensors.end(), name,
                                      [](const TorchTensor& tensor, std::string_view n) { return tensor.name < n; });
  return found == tensors.end() || found->name != name ? nullptr : &*found;
}

void take_state(TorchContents& contents, StateDict state, const PickleGraph& graph, TorchNames names,
                std::string_view path) {
  if (names == TorchNames::without_module) strip_module_prefix(state, path);
  contents.tensors.reserve(state.tensors.size());
  for (NamedTensor& tensor : state.tensors) {
    contents.tensors.push_back({std::move(tensor.name), graph.tensors[tensor.tensor]});
  }
  contents.notes = std::move(state.notes);
}

}  // namespace lathe
