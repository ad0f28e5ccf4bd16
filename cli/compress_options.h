#pragma once
// What `compress MODEL` can be asked, and what that means as a recipe.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/evaluation.h"
#include "cli/options.h"
#include "compress/pipeline/recipe.h"

namespace lathe::cli {

struct TrainingArguments {
  std::string recover = "none", train = "all", prune_schedule = "one-shot", precision = "auto", device = "auto";
  std::optional<std::string> distill, student, resume;
  std::optional<uint64_t> steps, adapter_rank, batch, train_length;
  std::optional<double> minutes, learning_rate, weight_decay, clip, warmup, held_out, temperature, alpha, hidden_weight,
      relation_weight;
};

struct CompressArguments {
  std::vector<std::string> models;
  std::optional<std::string> output;
  std::optional<double> prune;
  std::optional<std::string> quant, calibrate, eval, texts, report, max_size;
  std::string prune_method = "auto", prune_scope = "layer", quant_method = "auto", input_bits = "auto";
  uint64_t group = kDefaultGroup;
  std::optional<uint64_t> low_rank;
  std::vector<std::string> layers;
  TrainingArguments training;
  uint64_t calibration_tokens = 0, seed = 0, threads = 0, first = 0;
  std::optional<uint64_t> calibration_length;  // absent: the default of the kind of model
  WindowArguments windows;
  std::optional<double> max_drop, min_speedup;
  bool strict = false, dry_run = false, json = false, quiet = false, no_bench = false, allow_requantize = false;
};

/// Declares every option; `arguments` outlives `options`.
void add_compress_options(Options& options, CompressArguments& arguments);
/// With the defaults for encoders. Throws Error{usage} for options that contradict each other or do nothing,
/// Error{bad_recipe} as validate() does.
Recipe make_recipe(const CompressArguments& arguments);
/// Gives the recipe the defaults for models like `task`. Throws Error{usage} for options that are not for them.
void fit_recipe(const CompressArguments& arguments, const Task& task, Recipe& recipe);

}  // namespace lathe::cli
