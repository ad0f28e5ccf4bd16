// compress compare A B...: artifacts side by side.

#include "cli/commands.h"
#include "cli/comparison.h"
#include "cli/evaluation.h"
#include "cli/exit_codes.h"
#include "cli/outputs.h"
#include "cli/terminal/progress.h"
#include "cli/text.h"
#include "compress/report/report.h"

namespace lathe::cli {
namespace {

constexpr size_t kMaxFiles = 16;

struct CompareArguments {
  std::vector<std::string> files;
  std::optional<std::string> task;
  std::optional<std::string> texts;
  std::optional<std::string> folder;
  uint64_t first = 0;
  WindowArguments windows;
  SpeedGrid grid;
  bool no_speed = false;
  bool json = false;
  bool quiet = false;
};

bool parse(const std::vector<std::string>& args, CompareArguments& compare) {
  compare.grid.default_batches = {1, 32};
  Options options("compress compare", "A B...",
                  "Measures artifacts side by side: accuracy, size, speed in turns, memory. The first is the reference "
                  "of every ratio and of fidelity.");
  options.group("Accuracy")
      .text("eval,e", "TASK:FILE", eval_spec_help(), compare.task)
      .text("texts", "FILE", "texts for fidelity, one a line (default: those of --eval)", compare.texts)
      .integer("first", "N", "only the first N of the texts for fidelity", 1, UINT32_MAX, compare.first);
  add_window_options(options, compare.windows);
  add_speed_options(options, compare.grid);
  options.device(compare.grid.device);
  options.flag("no-speed", "leave out speed and memory", compare.no_speed);
  options.group("Output")
      .text("report", "DIR", "write report.html, report.md and report.json there", compare.folder)
      .flag("json", "the report as one JSON object on standard output", compare.json)
      .flag("quiet,q", "no progress", compare.quiet)
      .operands(2, kMaxFiles, compare.files);
  return options.parse(args);
}

// Sets the texts on which accuracy is measured, which depend on the kind of the first model.
void set_accuracy(const CompareArguments& compare, ComparisonRequest& request) {
  const Task task = task_of(compare.files[0]);
  check_accuracy_options(task, compare.first, compare.windows);
  std::optional<EvalSpec> spec;
  if (compare.task) spec = parse_eval_spec(*compare.task, "--eval");
  if (!task.generates()) {
    if (spec) request.task = read_labelled_texts(*spec, task, compare.files[0]);
    request.texts = fidelity_texts(compare.texts, request.task, compare.first);
    return;
  }
  if (spec) check_eval_fits(*spec, task, compare.files[0]);
  if (spec && compare.texts) {
    fail(Errc::usage,
         "--eval and --texts cannot be given together for models that generate text: one text serves both");
  }
  request.language_file = spec ? std::optional(spec->file) : compare.texts;
  request.windows = compare.windows;
}

}  // namespace

int compare_command(const std::vector<std::string>& args) {
  CompareArguments compare;
  if (!parse(args, compare)) return kExitDone;
  if (compare.folder) {
    Paths inputs(compare.files.begin(), compare.files.end());
    inputs.emplace_back(compare.texts.value_or(""));
    if (compare.task) inputs.emplace_back(parse_eval_spec(*compare.task, "--eval").file);
    check_report_folder(*compare.folder, inputs);
  }

  ComparisonRequest request;
  request.files.assign(compare.files.begin(), compare.files.end());
  set_accuracy(compare, request);
  request.speed = !compare.no_speed;
  request.grid = compare.grid;

  TerminalProgress progress(compare.quiet);
  const Report report = compare_artifacts(request, progress);
  progress.finish();
  if (compare.folder) write_reports(report, *compare.folder);
  write_stdout(compare.json ? report_json(report) : report_text(report));
  return kExitDone;
}

}  // namespace lathe::cli
