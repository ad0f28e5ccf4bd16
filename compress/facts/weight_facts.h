#pragma once
// What is known of one weight of a compressed model.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lathe {

/// One weight of a compressed model.
struct WeightFacts {
  std::string name;
  std::vector<uint64_t> shape;
  std::string role;      // "linear", "embedding", "head", "other"
  std::string encoding;  // "int8+bitmask"
  uint64_t bytes = 0;    // of its planes in the file
  double sparsity = 0;
  double bits_per_weight = 0;
  std::optional<double> loss;              // relative output error of the layer, see compress/methods/layer.h
  std::optional<double> loss_uncorrected;  // the same for magnitude pruning and rounding to nearest
  std::string method;
  std::vector<std::string> fallbacks;
};

}  // namespace lathe
