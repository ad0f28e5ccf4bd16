#include "cli/compress_options.h"

#include "compress/calibration/samples.h"
#include "compress/evaluation/eval_task.h"
#include "formats/artifact/mapped_file.h"
#include "formats/text.h"

namespace lathe::cli {
namespace {

constexpr const char* kProof = "Proof";
constexpr const char* kBounds = "Bounds (exit code 2 when one is missed; the artifact is kept)";

void add_proof_options(Options& options, CompressArguments& a) {
  options.group(kProof)
      .text("eval", "TASK:FILE", eval_spec_help(), a.eval)
      .text("texts", "FILE", "texts on which the artifact is compared with the original, one a line, or one text",
            a.texts)
      .integer("first", "N", "only the first N of them", 1, UINT32_MAX, a.first);
  add_window_options(options, a.windows);
  options.device(a.proof_device, "proof-device")
      .text("report", "DIR", "write report.html, report.md and report.json there", a.report)
      .flag("no-bench", "do not measure speed", a.no_bench);
  options.group(kBounds)
      .number("max-drop", "X",
              "largest loss of Pearson or accuracy, or of the mean cosine without --eval; of a decoder, "
              "largest increase of perplexity, where 0.01 is one per cent",
              0, 2, a.max_drop)
      .number("min-speedup", "X", "over the original at 1 x 128 tokens, of a decoder a prompt", 0, 1e6, a.min_speedup)
      .bytes("max-size", "of the artifact: bytes, or like 12MB", a.max_size);
}

void add_running_options(Options& options, CompressArguments& a) {
  options.group(kSettingGroups.name(SettingGroup::running))
      .integer("threads", "N", "threads to use (default: all cores); does not change a byte", 1, 1024, a.threads)
      .flag("dry-run", "print what would be done and stop", a.dry_run)
      .flag("allow-requantize", "accept a checkpoint that says it is quantized already", a.allow_requantize)
      .text("chat-template", "FILE", "the chat template (Jinja) to store instead of the model's; none: no template",
            a.chat_template)
      .flag("json", "one JSON object on standard output", a.json)
      .flag("quiet,q", "no progress and no table", a.quiet);
}

// An option that would do nothing was meant to do something.
void check_effects(const CompressArguments& a) {
  for (const Setting<Recipe>& setting : recipe_settings()) {
    if (!a.given.contains(setting.name) || !setting.need.is_met || setting.need.is_met(a.recipe)) continue;
    fail(Errc::usage, message("--", setting.name, " does nothing without ", setting.need.what));
  }
  if (a.given.contains("steps") && a.given.contains("minutes")) {
    fail(Errc::usage, "--steps cannot go with --minutes: only one of them ends the training");
  }
}

}  // namespace

void add_compress_options(Options& options, CompressArguments& a) {
  using enum SettingGroup;
  // The headings in the order of the help.
  for (const SettingGroup group : {methods, recovery, recovery_details, calibration}) {
    options.group(kSettingGroups.name(group));
  }
  options.group(kProof).group(kBounds).group(kSettingGroups.name(running));
  options.group(kSettingGroups.name(methods))
      .text("output,o", "FILE", "the artifact to write; needed unless --dry-run", a.output);
  for (const Setting<Recipe>& setting : recipe_settings()) options.setting(setting, a.recipe);
  add_proof_options(options, a);
  add_running_options(options, a);
  options.operands(1, 1, a.models).given(a.given);
}

std::optional<std::string> read_chat_template(const CompressArguments& a) {
  if (!a.chat_template) return std::nullopt;
  if (*a.chat_template == "none") return "";
  const MappedFile file(*a.chat_template);
  std::string text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  if (text.empty() || !is_utf8(text)) {
    fail(Errc::malformed, message(*a.chat_template, text.empty() ? ": is empty" : ": is not UTF-8"));
  }
  return text;
}

Recipe make_recipe(const CompressArguments& a) {
  check_effects(a);
  Recipe recipe = a.recipe;
  recipe.training.seed = recipe.seed;
  validate(recipe);
  return recipe;
}

void fit_recipe(const CompressArguments& a, const Task& task, Recipe& recipe) {
  check_accuracy_options(task, a.first, a.windows);
  if (task.generates() && a.eval && a.texts) {
    fail(Errc::usage,
         "--eval and --texts cannot be given together for models that generate text: one text serves both");
  }
  if (task.generates() && !a.given.contains("calibration-length")) {
    recipe.calibration_length = kDefaultDecoderCalibrationLength;
  }
}

}  // namespace lathe::cli
