#pragma once
// What `compress MODEL` can be asked, and what that means as a recipe.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/evaluation.h"
#include "cli/options.h"
#include "compress/pipeline/recipe.h"

namespace lathe::cli {

struct CompressArguments {
  std::vector<std::string> models;
  Recipe recipe;                // what the settings say, not yet checked: see make_recipe
  std::set<std::string> given;  // names of the options
  std::optional<std::string> output, eval, texts, report, chat_template;
  uint64_t threads = 0, first = 0;
  WindowArguments windows;
  std::optional<double> max_drop, min_speedup;
  std::optional<uint64_t> max_size;  // bytes
  DeviceChoice proof_device = DeviceChoice::cpu;
  bool dry_run = false, json = false, quiet = false, no_bench = false, allow_requantize = false;
};

/// Declares every option; `arguments` outlives `options`.
void add_compress_options(Options& options, CompressArguments& arguments);
/// The text of --chat-template, empty for "none"; absent where the option is. Throws Error{no_input} when it cannot be
/// read.
std::optional<std::string> read_chat_template(const CompressArguments& arguments);
/// The recipe with the defaults for encoders. Throws Error{usage} for options that contradict each other or do nothing,
/// Error{bad_recipe} as validate() does.
Recipe make_recipe(const CompressArguments& arguments);
/// Gives the recipe the defaults for models like `task`. Throws Error{usage} for options that are not for them.
void fit_recipe(const CompressArguments& arguments, const Task& task, Recipe& recipe);

}  // namespace lathe::cli
