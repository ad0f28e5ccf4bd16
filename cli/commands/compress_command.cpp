// compress MODEL: the main command. Reads a checkpoint, compresses it, writes the artifact, proves and reports it.

#include <chrono>
#include <filesystem>

#include "cli/commands.h"
#include "cli/comparison.h"
#include "cli/compress_options.h"
#include "cli/exit_codes.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/text.h"
#include "compress/evaluation/evaluate.h"
#include "compress/evaluation/machine.h"
#include "compress/evaluation/verify.h"
#include "compress/pipeline/compress.h"
#include "compress/report/report.h"
#include "compress/training/training_data.h"
#include "formats/artifact/atomic_file.h"

namespace lathe::cli {
namespace {

VerifyOptions verify_options(const CompressArguments& a) {
  VerifyOptions options;
  if (a.eval) options.task = parse_task_spec(*a.eval, "--eval");
  options.texts_file = a.texts.value_or("");
  if (a.texts) read_lines(*a.texts);
  options.first_texts = static_cast<uint32_t>(a.first);
  options.context = static_cast<uint32_t>(a.windows.context.value_or(0));
  options.windows = static_cast<uint32_t>(a.windows.windows.value_or(kDefaultWindows));
  options.measure_speed = !a.no_bench;
  options.threads = a.threads;
  return options;
}

Gates make_gates(const CompressArguments& a) {
  const Gates gates{a.max_drop, a.min_speedup, a.max_size};
  if (a.min_speedup && a.no_bench) fail(Errc::usage, "--min-speedup needs speed, which --no-bench leaves out");
  return gates;
}

// The artifact must not be one of the files it is made from or measured with.
void check_output(const CompressArguments& a, const SourceModel& source, const VerifyOptions& proof) {
  const std::filesystem::path output = *a.output;
  check_writable(output);
  std::vector<std::filesystem::path> inputs = {a.recipe.calibration_file, a.recipe.training.data_file,
                                               proof.task ? proof.task->file : "", proof.texts_file};
  for (const SourceFile& file : source.checkpoint->files()) inputs.emplace_back(file.path);
  if (std::filesystem::is_directory(source.path)) {
    for (const auto& entry : std::filesystem::directory_iterator(source.path)) inputs.push_back(entry.path());
  }
  for (const std::filesystem::path& input : inputs) {
    std::error_code ignored;
    if (std::filesystem::equivalent(output, input, ignored)) {
      fail(Errc::usage, message(output.string(), ": is an input, ", input.string()));
    }
  }
}

void check_language_text(const SourceModel& source, const VerifyOptions& proof, const std::string& file) {
  const WindowOptions windows = window_options(proof.context, proof.windows, source.task);
  read_language_data(file, Tokenizer(source.tokenizer), windows);
}

// The texts of the task: those with labels, or the lines of the one text that is to be predicted.
std::vector<std::string> proof_texts(const SourceModel& source, const VerifyOptions& proof) {
  check_task_fits(*proof.task, source.task, source.name);
  if (!proof.task->predicts()) return read_task(*proof.task, source.task, source.name).texts;
  check_language_text(source, proof, proof.task->file);
  return read_lines(proof.task->file);
}

// A bad file is an error before any work, and what the model was trained on proves nothing about it.
void check_proof(const SourceModel& source, const TrainingRecipe& training, const VerifyOptions& proof) {
  const std::vector<std::string> texts = proof.task ? proof_texts(source, proof) : std::vector<std::string>();
  if (source.task.generates() && !proof.task && !proof.texts_file.empty())
    check_language_text(source, proof, proof.texts_file);
  if (!training.distills()) return;
  if (!proof.texts_file.empty()) {
    check_proof_is_unseen(source, training, proof.texts_file, read_lines(proof.texts_file));
  }
  if (proof.task) check_proof_is_unseen(source, training, proof.task->file, texts);
}

// What would otherwise end hours of work: bad texts, no training engine, an output that cannot be written.
void check_before_work(const CompressArguments& a, const SourceModel& source, const Recipe& recipe,
                       const VerifyOptions& proof) {
  if (recipe.training.distills()) make_training_data(source, recipe.training);
  if (recipe.trains()) load_training_engine(recipe.training.device);
  check_output(a, source, proof);
}

int dry_run(const CompressArguments& a, CompressionPlan plan, const SourceModel& source, const Recipe& recipe) {
  if (recipe.training.distills()) {
    plan.training.push_back("training texts: " + make_training_data(source, recipe.training).description);
  }
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
  Options options("compress", "MODEL -o FILE",
                  "Compresses a model folder (config.json, safetensors, tokenizer) or a GGUF file into one artifact, "
                  "opens it again with the runtime, and reports what it cost and gained.");
  add_compress_options(options, a);
  if (!options.parse(args)) return kExitDone;
  if (!a.output && !a.dry_run) fail(Errc::usage, "expected -o FILE (or --dry-run)");
  Recipe recipe = make_recipe(a);
  const VerifyOptions proof = verify_options(a);
  const Gates gates = make_gates(a);
  const SourceModel source = open_source(a.models[0], a.allow_requantize);
  fit_recipe(a, source.task, recipe);
  const StopRequests stoppable;
  TerminalProgress progress(a.quiet);
  check_proof(source, recipe.training, proof);
  if (!a.dry_run) check_before_work(a, source, recipe, proof);
  Student student = prepare_student(source, recipe, progress, a.threads);
  const CompressionPlan plan = make_compression_plan(student.model, recipe);
  if (a.dry_run) return dry_run(a, plan, source, recipe);
  if (a.report) check_report_folder(*a.report);

  const auto begin = std::chrono::steady_clock::now();
  ArtifactWriter writer(*a.output);
  const CompressedModel compressed = compress(source, std::move(student), recipe, plan, writer, progress, a.threads);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const uint64_t peak = peak_resident_bytes();

  Report report = verify(source, recipe, compressed, *a.output, proof, progress);
  report.compress_seconds = seconds.count();
  report.compress_peak_memory_bytes = peak;
  const bool passed = apply_gates(gates, report);
  if (a.report) write_reports(report, *a.report);
  if (a.json) {
    write_stdout(report_json(report));
  } else if (!a.quiet) {
    write_stdout(report_text(report));
  }
  return passed ? kExitDone : kExitGateMissed;
}

}  // namespace lathe::cli
