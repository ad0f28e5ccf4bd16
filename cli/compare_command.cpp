// compress compare A B...: artifacts side by side.

#include "cli/commands.h"
#include "cli/comparison.h"
#include "cli/evaluation.h"
#include "cli/exit_codes.h"
#include "cli/progress.h"
#include "cli/text.h"

namespace lathe::cli {
namespace {

constexpr size_t kMaxFiles = 16;

struct CompareArguments {
  std::vector<std::string> files;
  std::optional<std::string> task;
  std::optional<std::string> texts;
  std::optional<std::string> folder;
  uint64_t first = 0;
  SpeedGrid grid;
  bool no_speed = false;
  bool json = false;
  bool quiet = false;
};

bool parse(const std::vector<std::string>& args, CompareArguments& compare) {
  compare.grid.batches = {1, 32};
  Options options("compress compare", "A B...",
                  "Measures artifacts side by side: accuracy, size, speed in turns, memory. The first is the reference "
                  "of every ratio and of fidelity.");
  options.group("Accuracy")
      .text("eval,e", "TASK:FILE", task_spec_help(), compare.task)
      .text("texts", "FILE", "texts for fidelity, one a line (default: those of --eval)", compare.texts)
      .integer("first", "N", "only the first N of the texts for fidelity", 1, UINT32_MAX, compare.first);
  add_speed_options(options, compare.grid);
  options.flag("no-speed", "leave out speed and memory", compare.no_speed);
  options.group("Output")
      .text("report", "DIR", "write report.html, report.md and report.json there", compare.folder)
      .flag("json", "the report as one JSON object on standard output", compare.json)
      .flag("quiet,q", "no progress", compare.quiet)
      .operands(2, kMaxFiles, compare.files);
  return options.parse(args);
}

}  // namespace

int compare_command(const std::vector<std::string>& args) {
  CompareArguments compare;
  if (!parse(args, compare)) return kExitDone;
  if (compare.folder) check_report_folder(*compare.folder);

  ComparisonRequest request;
  request.files.assign(compare.files.begin(), compare.files.end());
  if (compare.task) {
    const TaskSpec spec = parse_task_spec(*compare.task, "--eval");
    request.task = read_task(spec, task_of(compare.files[0]), compare.files[0]);
  }
  request.texts = fidelity_texts(compare.texts, request.task, compare.first);
  request.speed = !compare.no_speed;
  request.grid = compare.grid;

  TerminalProgress progress(compare.quiet);
  const Report report = compare_artifacts(request, progress);
  progress.finish();
  if (compare.folder) write_reports(report, *compare.folder);
  write_stdout(compare.json ? report_json(report) + "\n" : report_text(report));
  return kExitDone;
}

}  // namespace lathe::cli
