#pragma once
// Groups of finished layers in the order of the work, with a number each.

#include <filesystem>
#include <optional>
#include <vector>

#include "compress/pipeline/finished_layer.h"
#include "compress/pipeline/tensor_store.h"

namespace lathe {

/// Gives each group its name in the tensor store. A run that continues an earlier one asks for the groups in the same
/// order and so finds those that are finished. Not for use by several threads.
class GroupStore {
 public:
  /// Throws the errors of TensorStore.
  GroupStore(const std::filesystem::path& folder, const Json& job) : tensors_(folder, job) {}

  /// The next group, when an earlier run of the same job has finished it. Throws the errors of TensorStore::find.
  std::optional<std::vector<FinishedLayer>> restore();
  /// Stores that group when restore() found none; its tensors are then in the tensor store. Returns its layers.
  std::vector<FinishedLayer> keep(FinishedGroup group);

  TensorStore& tensors() { return tensors_; }
  const TensorStore& tensors() const { return tensors_; }

 private:
  TensorStore tensors_;
  size_t next_ = 0;
};

}  // namespace lathe
