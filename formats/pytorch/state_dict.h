#pragma once
// Which tensors of a pickle are the weights, and what they are called.

#include <string>
#include <string_view>
#include <vector>

#include "formats/pytorch/pickle_value.h"

namespace lathe {

struct NamedTensor {
  std::string name;
  uint32_t tensor = 0;  // of the graph
};

struct StateDict {
  std::vector<NamedTensor> tensors;  // sorted by name, which is unique and fit for a tensor
  std::vector<std::string> notes;    // what was taken and what was left out, one sentence each
};

/// The state dict that a pickle is, or that it has as its entry state_dict, model_state_dict, model or module. Throws
/// Error{unsupported} when there is none or more than one, Error{malformed} for keys that are no text or appear twice,
/// and the errors of check_tensor_name. `path` is the file, for messages.
StateDict find_state_dict(const PickleGraph& graph, std::string_view path);

/// The tensors among the attributes of TorchScript's objects: the parameters and buffers of a module, named with dots.
/// Throws Error{malformed} when the pickle holds no object, Error{unsupported} when there is no tensor, Error{limit}
/// beyond kMaxTensors attributes.
StateDict find_script_tensors(const PickleGraph& graph, std::string_view path);

/// Takes "module." from the names where all of them begin with it, as those of a DataParallel model do, and notes it.
void strip_module_prefix(StateDict& state, std::string_view path);

}  // namespace lathe
