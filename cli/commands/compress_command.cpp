// compress MODEL: the main command. Reads a checkpoint, compresses it, writes the artifact, proves and reports it.

#include <chrono>

#include "cli/commands.h"
#include "cli/compress_inputs.h"
#include "cli/exit_codes.h"
#include "cli/outputs.h"
#include "cli/terminal/progress.h"
#include "cli/terminal/signals.h"
#include "cli/text.h"
#include "compress/evaluation/machine.h"
#include "compress/pipeline/compress.h"
#include "compress/pipeline/recovery.h"
#include "compress/report/report.h"

namespace lathe::cli {
namespace {

bool parse(const std::vector<std::string>& args, CompressArguments& a) {
  Options options(
      "compress", "MODEL -o FILE",
      "Compresses a model folder (config.json, safetensors or PyTorch weights, tokenizer) or a GGUF file into "
      "one artifact, opens it again with the runtime, and reports what it cost and gained.");
  add_compress_options(options, a);
  if (!options.parse(args)) return false;
  if (!a.output && !a.dry_run) fail(Errc::usage, "expected -o FILE (or --dry-run)");
  return true;
}

int print_plan(const CompressArguments& a, CompressionPlan plan, const TrainingData& training) {
  if (!training.description.empty()) plan.training.push_back("training texts: " + training.description);
  if (a.json) {
    write_json(plan_json(plan));
  } else {
    write_stdout(plan_text(plan));
  }
  return kExitDone;
}

}  // namespace

int compress_command(const std::vector<std::string>& args) {
  CompressArguments a;
  if (!parse(args, a)) return kExitDone;
  const StopRequests stoppable;
  TerminalProgress progress(a.quiet);
  const CompressInputs inputs = resolve_inputs(a);
  Student student = prepare_student(inputs.work, progress, a.threads);
  const CompressionPlan plan = make_compression_plan(student.model, inputs.work.recipe);
  if (a.dry_run) return print_plan(a, plan, inputs.work.training);

  const auto begin = std::chrono::steady_clock::now();
  ArtifactWriter writer(*a.output);
  const CompressedModel compressed = compress(inputs.work, std::move(student), plan, writer, progress, a.threads);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const uint64_t peak = peak_resident_bytes();

  Report report = verify(inputs.work.source, compressed, *a.output, inputs.proof,
                         {!a.no_bench, a.threads, inputs.proof_device}, progress);
  report.compress_seconds = seconds.count();
  report.compress_peak_memory_bytes = peak;
  const bool passed = apply_gates(inputs.gates, report);
  if (a.report) write_reports(report, *a.report);
  if (a.json) {
    write_stdout(report_json(report));
  } else if (!a.quiet) {
    write_stdout(report_text(report));
  }
  return passed ? kExitDone : kExitGateMissed;
}

}  // namespace lathe::cli
