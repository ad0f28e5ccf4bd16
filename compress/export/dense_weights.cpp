#include "compress/export/dense_weights.h"

#include <map>
#include <set>
#include <utility>

#include "compress/export/product_rows.h"

namespace lathe {
namespace {

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

DenseWeight plain(const StoredTensor& stored) {
  const EncodedTensor& tensor = stored.tensor;
  const auto write = [&tensor](const auto& sink) {
    const std::vector<uint64_t> starts = row_starts(tensor);
    std::vector<float> values(tensor.cols());
    for (uint64_t row = 0; row < tensor.rows(); ++row) {
      decode_row(tensor, row, starts[row], values.data());
      sink(values);
    }
  };
  return {stored.name, tensor.shape, encoding_name(tensor.encoding), write};
}

DenseWeight product(const std::string& name, const EncodedTensor& up, const EncodedTensor& down) {
  const auto write = [&up, &down](const auto& sink) {
    ProductRows product(up, down);
    for (uint64_t row = 0; row < up.rows(); ++row) sink(product.row(row));
  };
  const std::string encoding =
      message("rank ", up.cols(), ": ", encoding_name(up.encoding), " x ", encoding_name(down.encoding));
  return {name, {up.rows(), down.cols()}, encoding, write};
}

}  // namespace

void check_intact(const Artifact& artifact) {
  const std::vector<std::string> faults = artifact.verify();
  if (!faults.empty()) fail(Errc::malformed, message(artifact.file().path(), ": ", faults.front()));
}

std::vector<DenseWeight> dense_weights(const Artifact& artifact) {
  std::vector<DenseWeight> weights;
  std::set<std::string> used;
  for (const auto& [name, factors] : find_factors(artifact.program())) {
    weights.push_back(product(name, artifact.tensor(factors.first).tensor, artifact.tensor(factors.second).tensor));
    used.insert({factors.first, factors.second});
  }
  for (const StoredTensor& stored : artifact.tensors()) {
    if (!used.contains(stored.name)) weights.push_back(plain(stored));
  }
  return weights;
}

}  // namespace lathe
