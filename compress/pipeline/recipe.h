#pragma once
// What the user asked for, checked as far as that is possible without the model.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compress/job/setting.h"
#include "compress/methods/layer.h"
#include "compress/program/student_spec.h"
#include "compress/training/training_recipe.h"
#include "formats/json.h"
#include "runtime/executor.h"

namespace lathe {

/// Whether the share holds in each layer, or over all of them together.
enum class PruneScope { layer, global };
inline constexpr NamedValues<PruneScope, 2> kPruneScopes = {
    {{PruneScope::layer, "layer"}, {PruneScope::global, "global"}}};

/// Encodes the weights whose name matches `pattern` differently from the rest; the first match wins.
struct LayerRule {
  std::string pattern;   // as LayerPattern takes it
  std::string encoding;  // "f32", "f16", "bf16", "int8", "int4" or "int4/64"
};

struct Recipe {
  double prune = 0;  // share of the linear weights that becomes zero
  PruneMethod prune_method = PruneMethod::automatic;
  PruneScope prune_scope = PruneScope::layer;
  std::string quant = "f32";  // an encoding as in LayerRule
  uint32_t group = kDefaultGroup;
  QuantMethod quant_method = QuantMethod::automatic;
  /// Bits to which linear layers with integer weights round their inputs: 8 or 16. 0 takes 16 in the layers of a
  /// decoder where 8 would cost accuracy, and otherwise 8.
  uint32_t input_bits = 0;
  std::optional<uint32_t> low_rank;  // every linear layer whose product of factors is smaller is factored to this rank
  std::vector<LayerRule> layers;
  std::string calibration_file;             // empty: synthetic
  uint32_t calibration_tokens = 0;          // 0: the default of the kind of calibration
  uint32_t calibration_length = 128;        // tokens of one sample at most
  Device calibration_device = Device::cpu;  // what runs the samples and sums their moments
  StudentSpec student;
  Recovery recovery = Recovery::none;
  TrainingRecipe training;
  uint64_t seed = 0;
  bool strict = false;  // every fallback is an error

  bool compresses() const {
    return prune > 0 || quant != "f32" || low_rank.has_value() || !layers.empty() || student.any();
  }
  /// Whether weights are rounded to integers: quant or a layer rule is int8 or int4.
  bool quantizes() const;
  /// Whether any method looks at what the layers read.
  bool needs_statistics() const;
  /// Whether the training engine is needed.
  bool trains() const { return recovery != Recovery::none || training.distills(); }
  /// Whether samples are needed: for statistics, to choose the parts of a student, or to reconstruct blocks on.
  bool needs_samples() const { return needs_statistics() || student.any() || recovery != Recovery::none; }
};

/// Everything that can be asked of a compression, training included, one row each. What a row needs is about the whole
/// recipe.
const std::vector<Setting<Recipe>>& recipe_settings();
/// Throws Error{bad_recipe} naming setting, value and bound.
void validate(const Recipe& recipe);
/// Keys in the order of recipe_settings(). Paths are reduced to file names, so that bytes do not depend on folders of a
/// machine.
Json recipe_json(const Recipe& recipe);
/// Reads "int8", "int4/64" and the like; "int4" alone has the default group. Throws Error{bad_recipe} listing the
/// encodings there are.
Encoding parse_encoding(const std::string& text, uint32_t default_group);

}  // namespace lathe
