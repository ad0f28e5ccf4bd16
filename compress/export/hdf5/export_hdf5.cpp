#include "compress/export/hdf5/export_hdf5.h"

#include <map>
#include <set>
#include <utility>

#include "compress/export/product_rows.h"
#include "compress/source/task.h"
#include "formats/hdf5/hdf5_writer.h"

namespace lathe {
namespace {

// The library looks through all attributes before it adds one.
constexpr size_t kMaxAttributes = 1000;

/// Of a linear op behind another one: the names of the two factors.
using Factors = std::map<std::string, std::pair<std::string, std::string>>;  // weight -> up, down

Factors find_factors(const Program& program) {
  std::map<uint32_t, std::string> down;  // by the value between the two
  Factors factors;
  for (const Op& op : program.ops) {
    if (!std::holds_alternative<ops::Linear>(op.attributes)) continue;
    const std::string& name = program.weights[op.weights[0]];
    const auto below = down.find(op.inputs[0]);
    if (name.ends_with(kDownFactor)) {
      down.emplace(op.output, name);
    } else if (below != down.end() && name.ends_with(kUpFactor)) {
      factors[name.substr(0, name.size() - kUpFactor.size())] = {name, below->second};
    }
  }
  return factors;
}

Hdf5Output plain_output(const StoredTensor& stored) {
  const EncodedTensor& tensor = stored.tensor;
  const auto write = [&tensor](const Hdf5Sink& sink) {
    const std::vector<uint64_t> starts = row_starts(tensor);
    std::vector<float> values(tensor.cols());
    for (uint64_t row = 0; row < tensor.rows(); ++row) {
      decode_row(tensor, row, starts[row], values.data());
      sink(values);
    }
  };
  return {stored.name, tensor.shape, {{"encoding", encoding_name(tensor.encoding)}}, write};
}

Hdf5Output product_output(const std::string& name, const EncodedTensor& up, const EncodedTensor& down) {
  const auto write = [&up, &down](const Hdf5Sink& sink) {
    ProductRows product(up, down);
    for (uint64_t row = 0; row < up.rows(); ++row) sink(product.row(row));
  };
  const std::string encoding =
      message("rank ", up.cols(), ": ", encoding_name(up.encoding), " x ", encoding_name(down.encoding));
  return {name, {up.rows(), down.cols()}, {{"encoding", encoding}}, write};
}

}  // namespace

Hdf5Export export_hdf5(const Artifact& artifact, const std::filesystem::path& output) {
  const std::vector<std::string> faults = artifact.verify();
  if (!faults.empty()) fail(Errc::malformed, message(artifact.file().path(), ": ", faults.front()));
  Hdf5Export result;
  std::vector<Hdf5Output> outputs;
  std::set<std::string> used;
  for (const auto& [name, factors] : find_factors(artifact.program())) {
    outputs.push_back(
        product_output(name, artifact.tensor(factors.first).tensor, artifact.tensor(factors.second).tensor));
    used.insert({factors.first, factors.second});
  }
  for (const StoredTensor& stored : artifact.tensors()) {
    if (!used.contains(stored.name)) outputs.push_back(plain_output(stored));
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
