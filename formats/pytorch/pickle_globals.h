#pragma once
// The classes and functions that a pickle of torch.save may name. A pickle is a program: whoever runs it freely runs
// what its author wants. Here a name is a row of a table, and what it does is written in this folder; nothing is
// called.

#include <string_view>

#include "formats/pytorch/torch_types.h"

namespace lathe {

/// What becomes of a name when the pickle calls it or uses it as a value.
enum class GlobalRole : uint8_t {
  ordered_dict,    // collections.OrderedDict
  opaque_call,     // called, and what it returns is never looked at
  first_argument,  // called, and returns its first argument as far as weights are concerned
  tensor,          // the functions that make tensors, by the arguments that they take
  tensor_v2,
  tensor_v3,
  tensor_from_type,     // a tensor by one of the functions above, as a class of its own
  tensor_other_layout,  // tensors that are not one storage with strides
  storage,              // a class of storages of the row's type
  untyped_storage,
  dtype,         // the row's type as a value
  opaque_class,  // a value that is never looked at
  script_class,  // a class of TorchScript, whatever it is called
};

/// Whether a pickle may call a name of this role.
bool is_callable(GlobalRole role) noexcept;

struct PickleGlobal {
  std::string_view module;
  std::string_view name;
  GlobalRole role = GlobalRole::opaque_class;
  const TorchType* type = nullptr;  // of storage and dtype
  uint32_t least = 0, most = 0;     // arguments of a call
};

/// The row that exactly this name has, or one without a name for a class of TorchScript. Throws Error{unsupported}
/// naming it, with advice for those that are often met, when there is none. `where` says file and byte.
PickleGlobal find_pickle_global(std::string_view module, std::string_view name, std::string_view where);

}  // namespace lathe
