// compress eval FILE: accuracy alone.

#include "cli/commands.h"
#include "cli/evaluation.h"
#include "cli/exit_codes.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/text.h"

namespace lathe::cli {
namespace {

struct EvalArguments {
  std::vector<std::string> files;
  std::optional<std::string> task;
  std::optional<std::string> against;
  std::optional<std::string> texts;
  uint64_t first = 0;
  uint64_t threads = 0;
  bool json = false;
  bool quiet = false;
};

bool parse(const std::vector<std::string>& args, EvalArguments& eval) {
  Options options("compress eval", "FILE",
                  "Measures accuracy on a task with human scores, and how closely an artifact follows another one, "
                  "such as the uncompressed model written by 'compress MODEL -o original.lathe'.");
  options.text("eval,e", "sts:FILE", "lines of text_a TAB text_b TAB score; gives Pearson and Spearman", eval.task)
      .text("against,a", "OTHER", "an artifact; gives the cosine between its embedding of each text and FILE's",
            eval.against)
      .text("texts", "FILE", "texts for --against, one a line (default: those of --eval)", eval.texts)
      .integer("first", "N", "only the first N of the texts for --against", 1, UINT32_MAX, eval.first)
      .integer("threads", "N", "threads to use (default: all cores)", 1, 1024, eval.threads)
      .flag("json", "one JSON object on standard output", eval.json)
      .flag("quiet,q", "no progress", eval.quiet)
      .operands(1, 1, eval.files);
  if (!options.parse(args)) return false;
  if (!eval.task && !eval.against) fail(Errc::usage, "expected --eval or --against; 'compress eval --help' explains");
  if (eval.against && !eval.task && !eval.texts) fail(Errc::usage, "--against needs texts: give --texts or --eval");
  if (eval.texts && !eval.against) fail(Errc::usage, "--texts is for --against, which is not given");
  return true;
}

FidelityResult measure_fidelity(Embedder& embedder, const std::string& other_path, uint64_t threads,
                                const std::vector<std::string>& texts) {
  const Model other = Model::open(other_path);
  Embedder reference(other, threads);
  if (reference.dimension() != embedder.dimension()) {
    fail(Errc::usage, message("--against: ", other_path, " gives ", reference.dimension(),
                              " numbers for a text, the model ", embedder.dimension()));
  }
  return fidelity(reference.embed(texts), embedder.embed(texts), embedder.dimension());
}

Json to_json(const EvalArguments& eval, const std::optional<TaskResult>& task,
             const std::optional<FidelityResult>& close) {
  Json out = Json::object({{"schema", 1}, {"command", "eval"}, {"file", eval.files[0]}});
  if (task) {
    out.set("task", Json::object({{"task", task->task},
                                  {"file", task->file},
                                  {"pairs", task->pairs},
                                  {"pearson", task->pearson},
                                  {"spearman", task->spearman}}));
  }
  if (close) {
    out.set("fidelity", Json::object({{"against", *eval.against},
                                      {"texts", close->texts},
                                      {"mean", close->mean},
                                      {"minimum", close->minimum},
                                      {"p05", close->p05}}));
  }
  return out;
}

std::string to_table(const EvalArguments& eval, const std::optional<TaskResult>& task,
                     const std::optional<FidelityResult>& close) {
  std::string out;
  if (task) {
    out += message(task->task, " ", task->file, " (", grouped(task->pairs), " pairs)\n");
    out += table({{"Pearson", fixed(task->pearson, 4)}, {"Spearman", fixed(task->spearman, 4)}}, "lr");
  }
  if (close) {
    out += message("cosine to ", *eval.against, " (", grouped(close->texts), " texts)\n");
    out += table(
        {{"mean", fixed(close->mean, 5)}, {"5 % below", fixed(close->p05, 5)}, {"minimum", fixed(close->minimum, 5)}},
        "lr");
  }
  return out;
}

}  // namespace

int eval_command(const std::vector<std::string>& args) {
  EvalArguments eval;
  if (!parse(args, eval)) return kExitDone;
  const std::optional<StsData> data = eval.task ? std::optional(read_task(*eval.task)) : std::nullopt;
  const Model model = Model::open(eval.files[0]);
  Embedder embedder(model, eval.threads);
  TerminalProgress progress(eval.quiet);

  std::optional<TaskResult> task;
  if (data) {
    progress.stage("evaluate", 0);
    task = evaluate_sts(*data, embedder.embed(data->texts), embedder.dimension());
  }
  std::optional<FidelityResult> close;
  if (eval.against) {
    progress.stage("compare embeddings", 0);
    close = measure_fidelity(embedder, *eval.against, eval.threads, fidelity_texts(eval.texts, data, eval.first));
  }
  progress.finish();
  if (eval.json) {
    write_json(to_json(eval, task, close));
  } else {
    write_stdout(to_table(eval, task, close));
  }
  return kExitDone;
}

}  // namespace lathe::cli
