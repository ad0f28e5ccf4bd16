#include "cli/compress_options.h"

#include <algorithm>

#include "compress/calibration/samples.h"
#include "compress/evaluation/evaluate.h"

namespace lathe::cli {
namespace {

const std::vector<std::string> kPruneMethods = {"auto", "magnitude", "error-feedback"};
const std::vector<std::string> kQuantMethods = {"auto", "nearest", "error-feedback"};
// In the order of the enums that they choose from.
const std::vector<std::string> kRecoveries = {"none", "blocks"};
const std::vector<std::string> kTrainables = {"all", "norms", "adapters"};
const std::vector<std::string> kSchedules = {"one-shot", "cubic"};
const std::vector<std::string> kPrecisions = {"auto", "f32", "bf16"};
const std::vector<std::string> kDevices = {"auto", "cpu", "cuda"};

void add_method_options(Options& options, CompressArguments& a) {
  options.group("What to do")
      .text("output,o", "FILE", "the artifact to write; needed unless --dry-run", a.output)
      .number("prune", "S", "share of the linear weights to remove, such as 0.5", 0, 0.99, a.prune)
      .choice("prune-method", "auto takes error feedback where there is calibration", kPruneMethods, a.prune_method)
      .choice("prune-scope", "the share holds in each layer, or over all of them", {"layer", "global"}, a.prune_scope)
      .text("quant", "ENC", "f32, f16, int8 or int4; embeddings too", a.quant)
      .integer("group", "N", "columns that share a scale in int4 (default 32)", 1, 65536, a.group)
      .choice("quant-method", "auto keeps the better one, layer by layer", kQuantMethods, a.quant_method)
      .choice("input-bits", "what layers of int8 and int4 round their inputs to; auto: 16 where a decoder needs it",
              {"auto", "8", "16"}, a.input_bits)
      .integer("low-rank", "K", "factor linear layers to rank K where that is smaller", 1, 65536, a.low_rank)
      .texts("layer", "PATTERN=ENC", "another encoding for weights of that name, or 're:...'; repeatable", a.layers)
      .text("student", "SPEC", "a smaller model first: layers=N[:importance], heads=N, neurons=N, embedding=N",
            a.training.student);
}

void add_recovery_options(Options& options, TrainingArguments& t) {
  options.group("Recovery")
      .choice("recover", "blocks: tune block after block to give the original's outputs", kRecoveries, t.recover)
      .text("distill", "FILE",
            "train end to end to agree with the original: a text a line, or text TAB label for a classifier", t.distill)
      .integer("steps", "N", message("optimizer steps (default ", kDefaultTrainingSteps, ")"), 1, 100'000'000, t.steps)
      .number("minutes", "M", "train for so long instead; another run gives other bytes", 0.001, 525600, t.minutes)
      .choice("train", "all kept weights, norms and biases, or low-rank adapters that are merged", kTrainables, t.train)
      .integer("adapter-rank", "R", "rank of the adapters (default 16)", 1, 65536, t.adapter_rank)
      .choice("prune-schedule", "cubic: remove weights little by little while training", kSchedules, t.prune_schedule);
  options.group("Recovery, in detail")
      .integer("batch", "N", "texts of one step (default 12)", 1, 65536, t.batch)
      .integer("train-length", "N", "tokens of one text at most (default 256)", 3, 65536, t.train_length)
      .number("learning-rate", "X", "at its peak (default: that of what is trained)", 1e-9, 1, t.learning_rate)
      .number("weight-decay", "X", "default 0", 0, 1, t.weight_decay)
      .number("clip", "X", "largest norm of the gradient, 0 for none (default 1)", 0, 1e6, t.clip)
      .number("warmup", "S", "share of the steps with a rising learning rate (default 0.05)", 0, 1, t.warmup)
      .number("held-out", "S", "share of the texts to check on (default 0.05)", 0, 0.25, t.held_out)
      .number("temperature", "T", "of the class probabilities (default 2)", 0.01, 1000, t.temperature)
      .number("alpha", "X", "share of the original's classes against the labels (default 0.7)", 0, 1, t.alpha)
      .number("hidden-weight", "X", "of the difference of hidden states (default 1)", 0, 1e6, t.hidden_weight)
      .number("relation-weight", "X", "of the difference of attention (default 0.1)", 0, 1e6, t.relation_weight)
      .choice("precision", "of the matrix products", kPrecisions, t.precision)
      .choice("device", "what to train on", kDevices, t.device);
}

void add_data_options(Options& options, CompressArguments& a) {
  options.group("Calibration")
      .text("calibrate", "FILE", "text, one sample a line, or of a decoder one text; without it samples are made up",
            a.calibrate)
      .integer("calibration-tokens", "N", "tokens to use (default 24576, of a decoder 32768)", kMinCalibrationTokens,
               10'000'000, a.calibration_tokens)
      .integer("calibration-length", "N", "tokens of one sample at most (default 128, of a decoder 512)", 3, 65536,
               a.calibration_length)
      .integer("seed", "N", "chooses the samples and the order of training (default 0)", 0, UINT32_MAX, a.seed);
  options.group("Proof")
      .text("eval", "TASK:FILE", task_spec_help(), a.eval)
      .text("texts", "FILE", "texts on which the artifact is compared with the original, one a line, or one text",
            a.texts)
      .integer("first", "N", "only the first N of them", 1, UINT32_MAX, a.first);
  add_window_options(options, a.windows);
  options.text("report", "DIR", "write report.html, report.md and report.json there", a.report)
      .flag("no-bench", "do not measure speed", a.no_bench);
  options.group("Bounds (exit code 2 when one is missed; the artifact is kept)")
      .number("max-drop", "X",
              "largest loss of Pearson or accuracy, or of the mean cosine without --eval; of a decoder, "
              "largest increase of perplexity, where 0.01 is one per cent",
              0, 2, a.max_drop)
      .number("min-speedup", "X", "over the original at 1 x 128 tokens, of a decoder a prompt", 0, 1e6, a.min_speedup)
      .text("max-size", "SIZE", "of the artifact: bytes, or like 12MB", a.max_size);
  options.group("Running")
      .integer("threads", "N", "threads to use (default: all cores); does not change a byte", 1, 1024, a.threads)
      .text("resume", "DIR", "keep what is finished there, and go on from it if there is something", a.training.resume)
      .flag("dry-run", "print what would be done and stop", a.dry_run)
      .flag("strict", "every fallback is an error", a.strict)
      .flag("allow-requantize", "accept a checkpoint that says it is quantized already", a.allow_requantize)
      .flag("json", "one JSON object on standard output", a.json)
      .flag("quiet,q", "no progress and no table", a.quiet)
      .operands(1, 1, a.models);
}

template <class Choice>
Choice chosen(const std::string& name, const std::vector<std::string>& names) {
  return static_cast<Choice>(std::find(names.begin(), names.end(), name) - names.begin());
}

// An option that would do nothing was meant to do something.
void check_training_arguments(const TrainingArguments& t) {
  const bool recovers = t.recover != "none";
  const struct {
    const char* name;
    bool given;
    bool with_recovery;  // also of use with --recover blocks
  } kNeeds[] = {{"steps", t.steps.has_value(), false},
                {"minutes", t.minutes.has_value(), false},
                {"train", t.train != "all", false},
                {"adapter-rank", t.adapter_rank.has_value(), false},
                {"prune-schedule", t.prune_schedule != "one-shot", false},
                {"batch", t.batch.has_value(), false},
                {"train-length", t.train_length.has_value(), false},
                {"learning-rate", t.learning_rate.has_value(), false},
                {"weight-decay", t.weight_decay.has_value(), false},
                {"clip", t.clip.has_value(), false},
                {"warmup", t.warmup.has_value(), false},
                {"held-out", t.held_out.has_value(), false},
                {"temperature", t.temperature.has_value(), false},
                {"alpha", t.alpha.has_value(), false},
                {"hidden-weight", t.hidden_weight.has_value(), false},
                {"relation-weight", t.relation_weight.has_value(), false},
                {"precision", t.precision != "auto", false},
                {"device", t.device != "auto", true}};
  for (const auto& need : kNeeds) {
    if (!need.given || t.distill || (recovers && need.with_recovery)) continue;
    fail(Errc::usage, message("--", need.name, " does nothing without --distill FILE",
                              need.with_recovery ? " or --recover blocks" : ""));
  }
  if (t.steps && t.minutes) fail(Errc::usage, "--steps cannot go with --minutes: only one of them ends the training");
  if (t.adapter_rank && t.train != "adapters")
    fail(Errc::usage, "--adapter-rank does nothing without --train adapters");
}

// Takes what was given; the rest keeps its default.
template <class Target, class Given>
void take(Target& target, const std::optional<Given>& given) {
  if (given) target = static_cast<Target>(*given);
}

TrainingRecipe make_training(const TrainingArguments& t, uint64_t seed) {
  TrainingRecipe recipe;
  recipe.data_file = t.distill.value_or("");
  recipe.state_folder = t.resume.value_or("");
  recipe.trainable = chosen<Trainable>(t.train, kTrainables);
  recipe.schedule = chosen<PruneSchedule>(t.prune_schedule, kSchedules);
  recipe.precision = chosen<TrainingPrecision>(t.precision, kPrecisions);
  recipe.device = chosen<TrainingDevice>(t.device, kDevices);
  recipe.seed = seed;
  take(recipe.steps, t.steps);
  take(recipe.minutes, t.minutes);
  take(recipe.adapter_rank, t.adapter_rank);
  take(recipe.batch, t.batch);
  take(recipe.length, t.train_length);
  take(recipe.learning_rate, t.learning_rate);
  take(recipe.weight_decay, t.weight_decay);
  take(recipe.clip, t.clip);
  take(recipe.warmup, t.warmup);
  take(recipe.held_out, t.held_out);
  take(recipe.temperature, t.temperature);
  take(recipe.alpha, t.alpha);
  take(recipe.hidden_weight, t.hidden_weight);
  take(recipe.relation_weight, t.relation_weight);
  return recipe;
}

}  // namespace

void add_compress_options(Options& options, CompressArguments& arguments) {
  add_method_options(options, arguments);
  add_recovery_options(options, arguments.training);
  add_data_options(options, arguments);
}

Recipe make_recipe(const CompressArguments& a) {
  Recipe recipe;
  recipe.prune = a.prune.value_or(0);
  recipe.prune_method = chosen<MethodChoice>(a.prune_method, kPruneMethods);
  recipe.prune_scope = a.prune_scope == "layer" ? PruneScope::layer : PruneScope::global;
  recipe.quant = a.quant.value_or("f32");
  recipe.group = static_cast<uint32_t>(a.group);
  recipe.input_bits = a.input_bits == "auto" ? 0 : static_cast<uint32_t>(std::stoul(a.input_bits));
  recipe.quant_method = chosen<MethodChoice>(a.quant_method, kQuantMethods);
  if (a.low_rank) recipe.low_rank = static_cast<uint32_t>(*a.low_rank);
  for (const std::string& rule : a.layers) {
    const size_t equals = rule.rfind('=');
    if (equals == std::string::npos) fail(Errc::usage, message("--layer ", rule, ": expected PATTERN=ENCODING"));
    recipe.layers.push_back({rule.substr(0, equals), rule.substr(equals + 1)});
  }
  recipe.calibration_file = a.calibrate.value_or("");
  recipe.calibration_tokens = static_cast<uint32_t>(a.calibration_tokens);
  take(recipe.calibration_length, a.calibration_length);
  check_training_arguments(a.training);
  if (a.training.student) recipe.student = parse_student(*a.training.student);
  recipe.recovery = chosen<Recovery>(a.training.recover, kRecoveries);
  recipe.training = make_training(a.training, a.seed);
  recipe.seed = a.seed;
  recipe.strict = a.strict;
  validate(recipe);
  return recipe;
}

void fit_recipe(const CompressArguments& a, const Task& task, Recipe& recipe) {
  check_accuracy_options(task, a.first, a.windows);
  if (task.generates() && a.eval && a.texts) {
    fail(Errc::usage,
         "--eval and --texts cannot be given together for models that generate text: one text serves both");
  }
  if (task.generates() && !a.calibration_length) recipe.calibration_length = kDefaultDecoderCalibrationLength;
}

}  // namespace lathe::cli
