#pragma once
// What is known of one weight of a compressed model, and how it stands in JSON.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "formats/json.h"

namespace lathe {

/// One weight of a compressed model.
struct WeightFacts {
  std::string name;
  std::vector<uint64_t> shape;
  std::string role;                        // "linear", "embedding", "head", "other"
  std::string encoding;                    // "int8+bitmask"
  uint64_t bytes = 0;                      // of its planes in the file: values, scales and mask
  double sparsity = 0;                     // share of zeros of a linear or head weight; 0 for the others
  double bits_per_weight = 0;              // scales and mask included
  std::string method;                      // what chose the values, such as "error feedback"; empty when unknown
  std::optional<double> loss;              // relative output error of the layer, see compress/methods/layer.h
  std::optional<double> loss_uncorrected;  // the same error for magnitude pruning and rounding to nearest
  std::vector<std::string> fallbacks;      // sentences on requests that could not be met
};

// The names of the fields, and which of them the results section of an artifact holds, stand once, in a table of
// weight_facts.cpp; everything that writes or reads WeightFacts as JSON calls these functions.

/// Every field; null where a loss is unknown.
Json weight_json(const WeightFacts& facts);
/// Every field except unknown losses and an empty list of fallbacks. parse_weight() reads it back without loss, also
/// where a loss is not a number, which is written as null.
Json known_weight_json(const WeightFacts& facts);
/// What the results section holds of a weight; unknown losses and an empty list of fallbacks are left out.
Json weight_result_json(const WeightFacts& facts);

/// Reads known_weight_json(). Throws Error{malformed} naming `where` and the field.
WeightFacts parse_weight(const Json& json, const std::string& where);
/// Reads the fields of weight_result_json() that are there into `facts`. Throws Error{malformed} naming `where` and the
/// field.
void merge_weight_result(const Json& json, const std::string& where, WeightFacts& facts);

}  // namespace lathe
