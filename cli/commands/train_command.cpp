// compress train MODEL: fine-tunes a classifier on labelled texts and writes it as a model folder.

#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/options.h"
#include "cli/terminal/progress.h"
#include "cli/terminal/signals.h"
#include "cli/text.h"
#include "compress/evaluation/eval_task.h"
#include "compress/facts/facts_json.h"
#include "compress/facts/number_text.h"
#include "compress/report/report_training.h"
#include "compress/training/finetune.h"
#include "compress/training/training_data.h"
#include "runtime/text/embedder.h"

namespace lathe::cli {
namespace {

struct TrainArguments {
  std::vector<std::string> models;
  std::optional<std::string> data, output, eval;
  TrainingRecipe recipe;
  std::set<std::string> given;  // names of the options
  uint64_t threads = 0;
  bool json = false, quiet = false;

  TrainArguments() {
    recipe.batch = 32;
    recipe.length = 128;
  }
};

// The settings of training that this command takes, and the names that it has for them.
constexpr std::pair<const char*, const char*> kSettings[] = {
    {"steps", "steps"},   {"minutes", "minutes"},     {"learning-rate", "learning-rate"},
    {"batch", "batch"},   {"train-length", "length"}, {"held-out", "held-out"},
    {"resume", "resume"}, {"device", "device"}};

void add_settings(Options& options, TrainingRecipe& recipe) {
  for (const auto& [name, here] : kSettings) {
    for (const Setting<TrainingRecipe>& setting : training_settings()) {
      if (setting.name == name) options.setting(setting, recipe, here);
    }
  }
}

bool parse(const std::vector<std::string>& args, TrainArguments& train) {
  Options options("compress train", "MODEL --data cls:FILE -o FOLDER",
                  "Fine-tunes an encoder on texts with labels. MODEL is a folder with a classifier, or with a plain or "
                  "sentence encoder, which gets a head for the labels of FILE. Writes a model folder that 'compress' "
                  "and Hugging Face's libraries read.");
  options.text("data", "cls:FILE", "lines of text TAB label", train.data)
      .text("output,o", "FOLDER", "the model folder to write", train.output)
      .text("eval", "cls:FILE", "other labelled texts on which the trained model is measured", train.eval);
  options.group("Training");
  add_settings(options, train.recipe);
  options.integer("seed", "N", "of the head's first weights and the order of texts (default 0)", 0, UINT32_MAX,
                  train.recipe.seed);
  options.group("Running")
      .integer("threads", "N", "threads to use (default: all cores)", 1, 1024, train.threads)
      .flag("json", "one JSON object on standard output", train.json)
      .flag("quiet,q", "no progress and no text", train.quiet)
      .operands(1, 1, train.models)
      .given(train.given);
  if (!options.parse(args)) return false;
  if (!train.data) fail(Errc::usage, "expected --data cls:FILE; 'compress train --help' explains");
  if (!train.output) fail(Errc::usage, "expected -o FOLDER");
  if (train.given.contains("steps") && train.given.contains("minutes"))
    fail(Errc::usage, "--steps cannot go with --minutes: only one ends the training");
  return true;
}

EvalSpec labelled_file(const std::string& text, const std::string& option) {
  EvalSpec spec = parse_eval_spec(text, option);
  if (spec.task != "cls") fail(Errc::usage, message(option, ": a classifier takes cls:FILE, not ", spec.task));
  return spec;
}

TrainingRecipe make_recipe(const TrainArguments& train, const std::string& data_file) {
  TrainingRecipe recipe = train.recipe;
  recipe.data_file = data_file;
  validate(recipe);
  return recipe;
}

EvalResult measure(const SourceModel& model, const LabelledTexts& task, size_t threads) {
  const Model runnable = Model::build(
      model.program, [&](const std::string& name) { return model.weight(name); }, model.path.string());
  Embedder embedder(runnable, model.tokenizer, threads);
  return task.evaluate(embedder.embed(task.texts), embedder.dimension());
}

Json to_json(const TrainArguments& train, const SourceModel& model, const Report& report,
             const std::optional<EvalResult>& measured) {
  Json out = Json::object({{"schema", kJsonSchema},
                           {"command", "train"},
                           {"model", train.models[0]},
                           {"output", *train.output},
                           {"labels", strings_json(model.task.labels)},
                           {"training", training_json(report.training_data, report.training)}});
  if (measured) out.set("task", task_json(*measured));
  return out;
}

std::string to_lines(const TrainArguments& train, const SourceModel& model, const Report& report,
                     const std::optional<EvalResult>& measured) {
  std::string out =
      message(*train.output, ": a classifier of ", model.task.labels.size(), " labels\n", report.training_data, "\n");
  for (const std::string& sentence : reporting::training_sentences(report)) out += sentence + "\n";
  if (!measured) return out;
  out += message(measured->file, " (", count_text(measured->items), " ", measured->unit, ")\n");
  std::vector<std::vector<std::string>> rows;
  for (const EvalMetric& metric : measured->metrics)
    rows.push_back({metric.name, fixed_text(metric.value, metric.decimals)});
  return out + table(rows, "lr");
}

}  // namespace

int train_command(const std::vector<std::string>& args) {
  TrainArguments train;
  if (!parse(args, train)) return kExitDone;
  const EvalSpec data = labelled_file(*train.data, "--data");
  const std::optional<EvalSpec> proof = train.eval ? std::optional(labelled_file(*train.eval, "--eval")) : std::nullopt;
  const TrainingRecipe recipe = make_recipe(train, data.file);
  TextFiles files;
  const TextFile data_file = files.open(data.file);
  SourceModel model = make_classifier(train.models[0], data_file, recipe.seed);
  check_classifier_folder(model, *train.output);
  const TrainingTexts texts = read_training_texts(model, recipe, data_file);
  std::optional<LabelledTexts> task;
  if (proof) {
    task = read_labelled_texts(*proof, files.open(proof->file), model.task, model.name);
    check_proof_is_unseen(texts.trained, proof->file, task->texts);
  }

  const StopRequests stoppable;
  TerminalProgress progress(train.quiet);
  const std::unique_ptr<TrainingEngine> engine = load_training_engine(recipe.device);
  for (const std::string& note : model.notes) progress.note(note);
  Report report;
  report.training = {finetune(model, recipe, texts, *engine, progress, train.threads)};
  report.training_data = texts.data.description;
  write_classifier(model, *train.output);
  std::optional<EvalResult> measured;
  if (task) measured = measure(model, *task, train.threads);
  progress.finish();
  if (train.json) {
    write_json(to_json(train, model, report, measured));
  } else if (!train.quiet) {
    write_stdout(to_lines(train, model, report, measured));
  }
  return kExitDone;
}

}  // namespace lathe::cli
