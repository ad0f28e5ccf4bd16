// compress train MODEL: fine-tunes a classifier on labelled texts and writes it as a model folder.

#include <algorithm>

#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/text.h"
#include "compress/evaluation/evaluate.h"
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
  std::optional<std::string> data, output, eval, resume;
  std::optional<uint64_t> steps;
  std::optional<double> minutes, learning_rate, held_out;
  uint64_t batch = 32, length = 128, seed = 0, threads = 0;
  std::string device = "auto";
  bool json = false, quiet = false;
};

const std::vector<std::string> kDevices = {"auto", "cpu", "cuda"};  // in the order of TrainingDevice

bool parse(const std::vector<std::string>& args, TrainArguments& train) {
  Options options("compress train", "MODEL --data cls:FILE -o FOLDER",
                  "Fine-tunes an encoder on texts with labels. MODEL is a folder with a classifier, or with a plain or "
                  "sentence encoder, which gets a head for the labels of FILE. Writes a model folder that 'compress' "
                  "and Hugging Face's libraries read.");
  options.text("data", "cls:FILE", "lines of text TAB label", train.data)
      .text("output,o", "FOLDER", "the model folder to write", train.output)
      .text("eval", "cls:FILE", "other labelled texts on which the trained model is measured", train.eval);
  options.group("Training")
      .integer("steps", "N", "steps to train (default 300)", 1, 100'000'000, train.steps)
      .number("minutes", "M", "time to train, instead of --steps", 0.01, 525'600, train.minutes)
      .number("learning-rate", "X", "at its peak (default 0.0001)", 1e-9, 1, train.learning_rate)
      .integer("batch", "N", "texts of one step (default 32)", 1, 65536, train.batch)
      .integer("length", "N", "tokens of one text at most (default 128)", 3, 65536, train.length)
      .number("held-out", "S", "share of the texts to check on (default 0.05)", 0, 0.25, train.held_out)
      .integer("seed", "N", "of the head's first weights and the order of texts (default 0)", 0, UINT32_MAX, train.seed)
      .text("resume", "DIR", "keep the state of training there, and go on from it if there is one", train.resume)
      .choice("device", "what to train on", kDevices, train.device);
  options.group("Running")
      .integer("threads", "N", "threads to use (default: all cores)", 1, 1024, train.threads)
      .flag("json", "one JSON object on standard output", train.json)
      .flag("quiet,q", "no progress and no text", train.quiet)
      .operands(1, 1, train.models);
  if (!options.parse(args)) return false;
  if (!train.data) fail(Errc::usage, "expected --data cls:FILE; 'compress train --help' explains");
  if (!train.output) fail(Errc::usage, "expected -o FOLDER");
  if (train.steps && train.minutes) fail(Errc::usage, "--steps cannot go with --minutes: only one ends the training");
  return true;
}

TaskSpec labelled_file(const std::string& text, const std::string& option) {
  TaskSpec spec = parse_task_spec(text, option);
  if (spec.task != "cls") fail(Errc::usage, message(option, ": a classifier takes cls:FILE, not ", spec.task));
  return spec;
}

TrainingRecipe make_recipe(const TrainArguments& train, const std::string& data_file) {
  TrainingRecipe recipe;
  recipe.data_file = data_file;
  recipe.steps = static_cast<uint32_t>(train.steps.value_or(0));
  recipe.minutes = train.minutes.value_or(0);
  recipe.learning_rate = train.learning_rate.value_or(0);
  recipe.held_out = train.held_out.value_or(recipe.held_out);
  recipe.batch = static_cast<uint32_t>(train.batch);
  recipe.length = static_cast<uint32_t>(train.length);
  recipe.seed = train.seed;
  recipe.state_folder = train.resume.value_or("");
  recipe.device =
      static_cast<TrainingDevice>(std::find(kDevices.begin(), kDevices.end(), train.device) - kDevices.begin());
  validate(recipe);
  return recipe;
}

TaskResult measure(const SourceModel& model, const LabelledTask& task, size_t threads) {
  const Model runnable = Model::build(
      model.program, [&](const std::string& name) { return model.weight(name); }, model.path.string());
  Embedder embedder(runnable, model.tokenizer, threads);
  return task.evaluate(embedder.embed(task.texts), embedder.dimension());
}

Json to_json(const TrainArguments& train, const SourceModel& model, const FinetuneResult& result,
             const std::optional<TaskResult>& measured) {
  Json out = Json::object({{"schema", kJsonSchema},
                           {"command", "train"},
                           {"model", train.models[0]},
                           {"output", *train.output},
                           {"labels", strings_json(model.task.labels)},
                           {"training", training_json(result.data, {result.curve})}});
  if (measured) out.set("task", task_json(*measured));
  return out;
}

std::string to_lines(const TrainArguments& train, const SourceModel& model, const FinetuneResult& result,
                     const std::optional<TaskResult>& measured) {
  Report report;
  report.training = {result.curve};
  std::string out =
      message(*train.output, ": a classifier of ", model.task.labels.size(), " labels\n", result.data, "\n");
  for (const std::string& sentence : reporting::training_sentences(report)) out += sentence + "\n";
  if (!measured) return out;
  out += message(measured->file, " (", count_text(measured->items), " ", measured->unit, ")\n");
  std::vector<std::vector<std::string>> rows;
  for (const TaskMetric& metric : measured->metrics)
    rows.push_back({metric.name, fixed_text(metric.value, metric.decimals)});
  return out + table(rows, "lr");
}

}  // namespace

int train_command(const std::vector<std::string>& args) {
  TrainArguments train;
  if (!parse(args, train)) return kExitDone;
  const TaskSpec data = labelled_file(*train.data, "--data");
  const std::optional<TaskSpec> proof = train.eval ? std::optional(labelled_file(*train.eval, "--eval")) : std::nullopt;
  const TrainingRecipe recipe = make_recipe(train, data.file);
  SourceModel model = make_classifier(train.models[0], data.file, train.seed);
  std::optional<LabelledTask> task;
  if (proof) {
    task = read_task(*proof, model.task, model.name);
    check_proof_is_unseen(model, recipe, proof->file, task->texts);
  }
  check_classifier_folder(model, *train.output);

  const StopRequests stoppable;
  TerminalProgress progress(train.quiet);
  const std::unique_ptr<TrainingEngine> engine = load_training_engine(recipe.device);
  for (const std::string& note : model.notes) progress.note(note);
  const FinetuneResult result = finetune(model, recipe, *engine, progress, train.threads);
  write_classifier(model, *train.output);
  std::optional<TaskResult> measured;
  if (task) measured = measure(model, *task, train.threads);
  progress.finish();
  if (train.json) {
    write_json(to_json(train, model, result, measured));
  } else if (!train.quiet) {
    write_stdout(to_lines(train, model, result, measured));
  }
  return kExitDone;
}

}  // namespace lathe::cli
