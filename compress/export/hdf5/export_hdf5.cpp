#include "compress/export/hdf5/export_hdf5.h"

#include <map>
#include <utility>

#include "compress/export/dense_weights.h"
#include "compress/source/task.h"
#include "formats/hdf5/hdf5_writer.h"

namespace lathe {
namespace {

// The library looks through all attributes before it adds one.
constexpr size_t kMaxAttributes = 1000;

}  // namespace

Hdf5Export export_hdf5(const Artifact& artifact, const std::filesystem::path& output) {
  check_intact(artifact);
  Hdf5Export result;
  std::vector<Hdf5Output> outputs;
  for (DenseWeight& weight : dense_weights(artifact)) {
    outputs.push_back({weight.name, weight.shape, {{"encoding", weight.encoding}}, std::move(weight.write)});
  }
  std::map<std::string, std::string> attributes;
  for (const auto& [key, value] : task_fields(artifact)) {
    if (key.size() + value.size() <= kMaxHdf5Attribute && attributes.size() < kMaxAttributes) {
      attributes[key] = value;
    } else if (result.notes.empty()) {
      result.notes.push_back(message("the task has more than an HDF5 file can hold as attributes; ", key,
                                     " is the first that is left out"));
    }
  }
  result.tensors = outputs.size();
  result.bytes = write_hdf5(output, outputs, attributes);
  return result;
}

}  // namespace lathe
