#pragma once
// What the user asked for, checked as far as that is possible without the model.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compress/methods/layer.h"
#include "compress/training/training_recipe.h"
#include "formats/json.h"

namespace lathe {

enum class PruneScope { layer, global };
enum class MethodChoice { automatic, magnitude_or_nearest, error_feedback };

/// Encodes the weights whose name matches `pattern` differently from the rest; the first match wins.
struct LayerRule {
  std::string pattern;   // a name, or "re:" and an ECMAScript regular expression that must match the whole name
  std::string encoding;  // "f32", "f16", "int8", "int4" or "int4/64"
};

struct Recipe {
  double prune = 0;  // share of the linear weights that becomes zero
  MethodChoice prune_method = MethodChoice::automatic;
  PruneScope prune_scope = PruneScope::layer;
  std::string quant = "f32";  // "f32", "f16", "int8", "int4"
  uint32_t group = kDefaultGroup;
  MethodChoice quant_method = MethodChoice::automatic;
  /// 8 or 16: what linear layers with integer weights round their inputs to; 0: 16 in the layers of a decoder where 8
  /// would cost accuracy, otherwise 8.
  uint32_t input_bits = 0;
  std::optional<uint32_t> low_rank;  // every linear layer whose product of factors is smaller is factored to this rank
  std::vector<LayerRule> layers;
  std::string calibration_file;       // empty: synthetic
  uint32_t calibration_tokens = 0;    // 0: the default of the kind of calibration
  uint32_t calibration_length = 128;  // tokens of one sample at most
  StudentSpec student;
  Recovery recovery = Recovery::none;
  TrainingRecipe training;
  uint64_t seed = 0;
  bool strict = false;  // every fallback is an error

  bool compresses() const {
    return prune > 0 || quant != "f32" || low_rank.has_value() || !layers.empty() || student.any();
  }
  /// Whether any method looks at what the layers read.
  bool needs_statistics() const;
  /// Whether the training engine is needed.
  bool trains() const { return recovery != Recovery::none || training.distills(); }
  /// Whether samples are needed: for statistics, to choose the parts of a student, or to reconstruct blocks on.
  bool needs_samples() const { return needs_statistics() || student.any() || recovery != Recovery::none; }
};

/// Throws Error{bad_recipe} naming field, value and bound.
void validate(const Recipe& recipe);
/// Keys in fixed order; the paths of this machine are reduced to file names, so that bytes do not depend on them.
Json recipe_json(const Recipe& recipe);
/// "int4/64" and the like; the default group for a bare "int4". Throws Error{bad_recipe}.
Encoding parse_encoding(const std::string& text, uint32_t default_group);

}  // namespace lathe
