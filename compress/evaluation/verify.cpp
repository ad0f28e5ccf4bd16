#include "compress/evaluation/verify.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "compress/calibration/samples.h"
#include "compress/evaluation/benchmark.h"
#include "compress/evaluation/evaluate.h"
#include "compress/evaluation/machine.h"
#include "compress/evaluation/measure.h"
#include "compress/evaluation/verify_language.h"
#include "compress/training/training_data.h"
#include "runtime/text/embedder.h"
#include "runtime/threads.h"

namespace lathe {
namespace {

struct SpeedShape {
  uint32_t batch;
  uint32_t length;
};
constexpr SpeedShape kSpeedShapes[] = {{1, 128}, {1, 16}, {8, 128}};  // the first stands for all in summaries and gates

Model build_original(const SourceModel& source) {
  return Model::build(
      source.program, [&](const std::string& name) { return source.weight(name); }, source.path.string());
}

ModelReport describe_original(const SourceModel& source, const Model& model, double load_ms) {
  ModelReport report;
  report.name = "original";
  report.path = source.path.string();
  report.file_bytes = source.source_bytes();
  report.parameters = source.parameters();
  report.load_ms = load_ms;
  report.isa = model.description().instruction_set;
  uint64_t used = 0;
  std::map<std::string, uint64_t> by_role;
  for (const auto& [name, role] : weight_roles(source.program)) {
    by_role[role_name(role)] += source.weight(name).bytes();
    used += source.weight(name).bytes();
  }
  report.sizes = {{"linear values", by_role["linear"]},
                  {"embeddings", by_role["embedding"]},
                  {"head", by_role["head"]},
                  {"norms and biases", by_role["other"]},
                  {"not used for the output, and header", report.file_bytes - std::min(used, report.file_bytes)}};
  if (used > report.file_bytes) report.sizes = {{"quantized tensors and header", report.file_bytes}};
  if (by_role["head"] == 0 && report.sizes.size() > 1) report.sizes.erase(report.sizes.begin() + 2);
  return report;
}

// Texts for the fidelity: never those that calibration or training may have seen.
std::vector<std::string> fidelity_texts(const SourceModel& source, const Recipe& recipe, const VerifyOptions& options,
                                        std::string& from) {
  std::vector<std::string> texts;
  if (!options.texts_file.empty()) {
    from = std::filesystem::path(options.texts_file).filename().string();
    texts = read_lines(options.texts_file);
  } else if (options.task) {
    from = std::filesystem::path(options.task->file).filename().string();
    texts = read_task(*options.task, source.task, source.name).texts;
  } else if (!recipe.calibration_file.empty()) {
    from = std::filesystem::path(recipe.calibration_file).filename().string() +
           (recipe.training.distills() ? " (lines that neither calibration nor training used)"
                                       : " (lines that calibration did not use)");
    texts = without_training_texts(source, recipe.training, unused_calibration_lines(source, recipe));
  }
  if (options.first_texts != 0 && texts.size() > options.first_texts) texts.resize(options.first_texts);
  if (texts.size() > kMaxFidelityTexts) texts.resize(kMaxFidelityTexts);
  return texts;
}

// Without any text at all: token sequences that another seed makes up.
TokenBatch synthetic_batch(const SourceModel& source, const Recipe& recipe) {
  Recipe other = recipe;
  other.calibration_file.clear();
  other.recovery = Recovery::none;  // it asks for more samples
  other.seed = recipe.seed + 1;
  other.calibration_tokens = 8192;
  return make_samples(source, other).batch;
}

void measure_fidelity(const SourceModel& source, const Recipe& recipe, const VerifyOptions& options,
                      const Model& original, const Model& artifact, Report& report) {
  std::string from;
  const std::vector<std::string> texts = fidelity_texts(source, recipe, options, from);
  ModelReport& measured = report.models[1];
  if (!texts.empty()) {
    Embedder before(original, source.tokenizer, options.threads);
    Embedder after(artifact, options.threads);
    measured.fidelity = fidelity(before.embed(texts), after.embed(texts), before.dimension(), source.task.classifies());
    report.notes.push_back(message("fidelity is measured on ", texts.size(), " texts of ", from));
    return;
  }
  Session before(original, options.threads);
  Session after(artifact, options.threads);
  const TokenBatch batch = synthetic_batch(source, recipe);
  measured.fidelity =
      fidelity(before.embed(batch), after.embed(batch), source.task.dimension, source.task.classifies());
  if (!from.empty()) report.notes.push_back(message("fidelity: no text is left in ", from));
  report.notes.push_back(
      "fidelity is measured on made-up token sequences: give --texts FILE or --eval to use real text");
}

void measure_task(const SourceModel& source, const VerifyOptions& options, const Model& original, const Model& artifact,
                  Report& report) {
  if (!options.task) return;
  const LabelledTask task = read_task(*options.task, source.task, source.name);
  Embedder before(original, source.tokenizer, options.threads);
  Embedder after(artifact, options.threads);
  report.models[0].task = task.evaluate(before.embed(task.texts), before.dimension());
  report.models[1].task = task.evaluate(after.embed(task.texts), after.dimension());
}

void measure_speeds(const SourceModel& source, const Model& original, const Model& artifact, size_t threads,
                    Report& report, Progress& progress) {
  const auto cores = static_cast<uint32_t>(threads == 0 ? available_cores() : threads);
  if (source.task.generates()) return measure_decoder_speeds(source, original, artifact, cores, report, progress);
  const BenchmarkOptions options{3, 5, 0.4, 2000};
  progress.stage("measuring speed", std::size(kSpeedShapes));
  uint64_t done = 0;
  for (const SpeedShape& shape : kSpeedShapes) {
    const uint32_t length = static_cast<uint32_t>(std::min<size_t>(shape.length, original.max_tokens()));
    const auto cases = measure_interleaved({&original, &artifact}, shape.batch, length, cores, options);
    report.models[0].speed.push_back(cases[0]);
    report.models[1].speed.push_back(cases[1]);
    progress.advance(++done);
  }
}

double speedup(const Report& report) {
  if (report.models[0].speed.empty()) fail(Errc::usage, "min-speedup: speed was not measured");
  return report.models[0].speed[0].p50_ms / report.models[1].speed[0].p50_ms;
}

}  // namespace

Report verify(const SourceModel& source, const Recipe& recipe, const CompressedModel& compressed,
              const std::filesystem::path& artifact_path, const VerifyOptions& options, Progress& progress) {
  Report report;
  report.title = source.name;
  report.machine = this_machine();
  report.notes = compressed.notes;
  report.calibration = compressed.calibration;
  report.training = compressed.training;
  report.training_data = compressed.training_data;
  report.recipe_json = compressed.recipe_json;
  report.provenance_json = compressed.provenance_json;

  progress.stage("verifying", 3);
  const TimedModel artifact = open_timed(artifact_path);
  for (const std::string& fault : artifact.model.artifact()->verify()) {
    fail(Errc::internal, message(artifact_path.string(), ": the file just written is not intact: ", fault));
  }
  const auto begin = std::chrono::steady_clock::now();
  const Model original = build_original(source);
  const std::chrono::duration<double, std::milli> load = std::chrono::steady_clock::now() - begin;
  report.models = {describe_original(source, original, load.count()),
                   describe(artifact, artifact_path.stem().string())};
  progress.advance(1);
  if (source.task.generates()) {
    verify_language(source, recipe, options, original, artifact.model, report, progress);
  } else {
    measure_fidelity(source, recipe, options, original, artifact.model, report);
    progress.advance(2);
    measure_task(source, options, original, artifact.model, report);
    progress.advance(3);
  }
  if (options.measure_speed) measure_speeds(source, original, artifact.model, options.threads, report, progress);
  return report;
}

bool apply_gates(const Gates& gates, Report& report) {
  const ModelReport& before = report.models.at(0);
  const ModelReport& after = report.models.at(1);
  if (gates.max_drop && after.predictions) {
    const double increase = perplexity_increase(report);
    report.gates.push_back({"max-drop", *gates.max_drop, increase, increase <= *gates.max_drop, "of the perplexity"});
  } else if (gates.max_drop) {
    const bool by_task = before.task && after.task;
    const double drop = by_task ? before.task->main().value - after.task->main().value : 1 - after.fidelity->mean;
    report.gates.push_back({"max-drop", *gates.max_drop, drop, drop <= *gates.max_drop,
                            by_task ? before.task->main().name : "mean cosine"});
  }
  if (gates.min_speedup) {
    const double factor = speedup(report);
    report.gates.push_back({"min-speedup", *gates.min_speedup, factor, factor >= *gates.min_speedup, "x"});
  }
  if (gates.max_size_bytes) {
    const auto bound = static_cast<double>(*gates.max_size_bytes);
    const auto actual = static_cast<double>(after.file_bytes);
    report.gates.push_back({"max-size", bound, actual, actual <= bound, "bytes"});
  }
  return std::all_of(report.gates.begin(), report.gates.end(), [](const Gate& gate) { return gate.passed; });
}

}  // namespace lathe
