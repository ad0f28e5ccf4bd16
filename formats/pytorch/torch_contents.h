#pragma once
// What a file of torch.save holds, in whichever form it is.

#include <string>
#include <string_view>
#include <vector>

#include "formats/pytorch/pickle_value.h"
#include "formats/pytorch/state_dict.h"
#include "formats/pytorch/zip_directory.h"

namespace lathe {

struct TorchTensor {
  std::string name;
  PickleTensor layout;  // its storage is an index of TorchContents::records
};

/// What a file holds. Every record lies inside the file and has the size that the pickle gives its storage; every
/// tensor lies inside its storage.
struct TorchContents {
  std::vector<TorchTensor> tensors;  // sorted by name, which is unique
  std::vector<ZipMember> records;    // of the legacy form, too, whose records have no checksums
  bool is_big_endian = false;
  std::vector<std::string> notes;  // one sentence each

  /// nullptr when there is no such tensor.
  const TorchTensor* find(std::string_view name) const;
};

/// How tensors are called: as the file has it, or without a "module." that all of them begin with.
enum class TorchNames { as_stored, without_module };

/// Gives the contents the tensors of a state dict, out of the graph that it was found in, and its notes. `path` is the
/// file, for messages.
void take_state(TorchContents& contents, StateDict state, const PickleGraph& graph, TorchNames names,
                std::string_view path);

}  // namespace lathe
