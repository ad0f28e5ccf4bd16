// compress eval FILE: accuracy alone.

#include "cli/commands.h"
#include "cli/evaluation.h"
#include "cli/exit_codes.h"
#include "cli/language_evaluation.h"
#include "cli/options.h"
#include "cli/terminal/progress.h"
#include "cli/text.h"
#include "compress/evaluation/describe.h"
#include "compress/facts/facts_json.h"
#include "compress/facts/number_text.h"
#include "runtime/text/embedder.h"

namespace lathe::cli {
namespace {

struct EvalArguments {
  std::vector<std::string> files;
  std::optional<std::string> task;
  std::optional<std::string> against;
  std::optional<std::string> texts;
  uint64_t first = 0;
  WindowArguments windows;
  uint64_t threads = 0;
  DeviceRequest device;
  bool json = false;
  bool quiet = false;
};

bool parse(const std::vector<std::string>& args, EvalArguments& eval) {
  Options options(
      "compress eval", "FILE",
      "Measures accuracy on a task with human scores or labels, and how closely an artifact follows another one, "
      "such as the uncompressed model written by 'compress MODEL -o original.lathe'.");
  options
      .text("eval,e", "TASK:FILE", eval_spec_help() + "; gives Pearson and Spearman, accuracy and F1, or perplexity",
            eval.task)
      .text("against,a", "OTHER",
            "an artifact; gives the cosine between its output for each text and FILE's, or of models that generate how "
            "far their predictions differ",
            eval.against)
      .text("texts", "FILE", "texts for --against, one a line, or one text (default: those of --eval)", eval.texts)
      .integer("first", "N", "only the first N of the texts for --against", 1, UINT32_MAX, eval.first);
  add_window_options(options, eval.windows);
  options.integer("threads", "N", "threads to use (default: all cores)", 1, 1024, eval.threads)
      .device(eval.device)
      .flag("json", "one JSON object on standard output", eval.json)
      .flag("quiet,q", "no progress", eval.quiet)
      .operands(1, 1, eval.files);
  if (!options.parse(args)) return false;
  if (!eval.task && !eval.against) fail(Errc::usage, "expected --eval or --against; 'compress eval --help' explains");
  if (eval.against && !eval.task && !eval.texts) fail(Errc::usage, "--against needs texts: give --texts or --eval");
  if (eval.texts && !eval.against) fail(Errc::usage, "--texts is for --against, which is not given");
  return true;
}

FidelityResult measure_fidelity(Embedder& embedder, const Task& task, const Model& other, uint64_t threads,
                                const std::vector<std::string>& texts) {
  const std::string& other_path = other.artifact()->file().path();
  Embedder reference(other, threads);
  if (reference.dimension() != embedder.dimension()) {
    fail(Errc::usage, message("--against: ", other_path, " gives ", reference.dimension(),
                              " numbers for a text, the model ", embedder.dimension()));
  }
  if (stored_task(*other.artifact()).labels != task.labels) {
    fail(Errc::usage, message("--against: ", other_path, " has other labels than the model"));
  }
  return fidelity(reference.embed(texts), embedder.embed(texts), embedder.dimension(), task.classifies());
}

Json to_json(const EvalArguments& eval, const Model& model, const std::optional<EvalResult>& task,
             const std::optional<FidelityResult>& close) {
  Json out = Json::object({{"schema", kJsonSchema},
                           {"command", "eval"},
                           {"file", eval.files[0]},
                           {"device", model.description().device_text()}});
  if (task) out.set("task", task_json(*task));
  if (close) out.set("fidelity", fidelity_json(*close).set("against", *eval.against));
  return out;
}

std::string to_table(const EvalArguments& eval, const std::optional<EvalResult>& task,
                     const std::optional<FidelityResult>& close) {
  std::string out;
  if (task) {
    out += message(task->task, " ", task->file, " (", count_text(task->items), " ", task->unit, ")\n");
    std::vector<std::vector<std::string>> rows;
    for (const EvalMetric& metric : task->metrics)
      rows.push_back({metric.name, fixed_text(metric.value, metric.decimals)});
    out += table(rows, "lr");
  }
  if (close) {
    out += message("cosine to ", *eval.against, " (", count_text(close->texts), " texts)\n");
    std::vector<std::vector<std::string>> rows = {{"mean", fixed_text(close->mean, 5)},
                                                  {"5 % below", fixed_text(close->p05, 5)},
                                                  {"minimum", fixed_text(close->minimum, 5)}};
    if (close->agreement) rows.push_back({"same label", fixed_text(*close->agreement, 5)});
    out += table(rows, "lr");
  }
  return out;
}

}  // namespace

int eval_command(const std::vector<std::string>& args) {
  EvalArguments eval;
  if (!parse(args, eval)) return kExitDone;
  const std::optional<EvalSpec> spec = eval.task ? std::optional(parse_eval_spec(*eval.task, "--eval")) : std::nullopt;
  const MakeExecutor on_device = executor_for(eval.device);
  const Model model = Model::open(eval.files[0], on_device);
  const Task model_task = stored_task(*model.artifact());
  check_accuracy_options(model_task, eval.first, eval.windows);
  TerminalProgress progress(eval.quiet);
  if (model_task.generates()) {
    evaluate_language(model,
                      {eval.files[0], spec, eval.against, eval.texts, eval.windows, eval.threads, eval.json, on_device},
                      progress);
    return kExitDone;
  }
  const std::optional<LabelledTexts> data =
      spec ? std::optional(read_labelled_texts(*spec, model_task, eval.files[0])) : std::nullopt;
  Embedder embedder(model, eval.threads);

  std::optional<EvalResult> task;
  if (data) {
    progress.stage("evaluate", 0);
    task = data->evaluate(embedder.embed(data->texts), embedder.dimension());
  }
  std::optional<FidelityResult> close;
  if (eval.against) {
    progress.stage("compare embeddings", 0);
    close = measure_fidelity(embedder, model_task, Model::open(*eval.against, on_device), eval.threads,
                             fidelity_texts(eval.texts, data, eval.first));
  }
  progress.finish();
  if (eval.json) {
    write_json(to_json(eval, model, task, close));
  } else {
    write_stdout(to_table(eval, task, close));
  }
  return kExitDone;
}

}  // namespace lathe::cli
