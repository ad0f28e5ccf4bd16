#include "compress/evaluation/verify.h"

#include <algorithm>
#include <chrono>

#include "compress/evaluation/benchmark.h"
#include "compress/evaluation/describe.h"
#include "compress/evaluation/fidelity.h"
#include "compress/evaluation/machine.h"
#include "compress/evaluation/verify_language.h"
#include "runtime/text/embedder.h"
#include "runtime/threads.h"

namespace lathe {
namespace {

struct SpeedShape {
  uint32_t batch;
  uint32_t length;
};
constexpr SpeedShape kSpeedShapes[] = {{1, 128}, {1, 16}, {8, 128}};  // the first stands for all in summaries and gates

Model build_original(const SourceModel& source, Device device) {
  return Model::build(
      source.program, [&](const std::string& name) { return source.weight(name); }, source.path.string(), device);
}

ModelReport describe_original(const SourceModel& source, const Model& model, double load_ms) {
  ModelReport report;
  report.name = "original";
  report.path = source.path.string();
  report.file_bytes = source.source_bytes();
  report.parameters = source.parameters();
  report.load_ms = load_ms;
  report.isa = model.description().instruction_set;
  report.device = model.description().device_text();
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

void measure_samples(const SourceModel& source, const Proof& proof, const Model& original, const Model& artifact,
                     size_t threads, Report& report) {
  check_samples(source.program, proof.samples);
  Session before(original, threads);
  Session after(artifact, threads);
  const size_t width = source.program.values[source.program.outputs.at(0)].shape.size();
  report.models[1].fidelity =
      fidelity(run_samples(before, proof.samples), run_samples(after, proof.samples), width, source.task.classifies());
}

// Both models' embedders are made once and run all the texts.
void measure_outputs(const SourceModel& source, const Proof& proof, const Model& original, const Model& artifact,
                     size_t threads, Report& report) {
  Embedder before(original, source.tokenizer, threads);
  Embedder after(artifact, threads);
  const bool classifies = source.task.classifies();
  report.models[1].fidelity =
      proof.texts.empty()
          ? fidelity(before.session().embed(proof.made_up), after.session().embed(proof.made_up), before.dimension(),
                     classifies)
          : fidelity(before.embed(proof.texts), after.embed(proof.texts), before.dimension(), classifies);
  if (!proof.task) return;
  report.models[0].task = proof.task->evaluate(before.embed(proof.task->texts), before.dimension());
  report.models[1].task = proof.task->evaluate(after.embed(proof.task->texts), after.dimension());
}

// The file may have been damaged, or replaced by another process that writes to the same path.
void check_written(const Artifact& artifact, const CompressedModel& compressed) {
  const std::string& path = artifact.file().path();
  if (artifact.file().bytes().size() != compressed.file_bytes ||
      artifact.section_text(layout::Section::recipe) != compressed.recipe_json ||
      artifact.section_text(layout::Section::provenance) != compressed.provenance_json) {
    fail(Errc::io, message(path,
                           ": another process replaced the file after it was written; give each run an output of "
                           "its own"));
  }
  for (const std::string& fault : artifact.verify()) {
    fail(Errc::internal, message(path, ": the file just written is not intact: ", fault));
  }
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

// A correlation with distances instead of similarities is negative in a good model, and rises towards 0 as it gets
// worse.
double task_drop(double before, double after) { return before < 0 ? after - before : before - after; }

double speedup(const Report& report) {
  if (report.models[0].speed.empty()) fail(Errc::usage, "min-speedup: speed was not measured");
  return report.models[0].speed[0].p50_ms / report.models[1].speed[0].p50_ms;
}

}  // namespace

Report verify(const SourceModel& source, const CompressedModel& compressed, const std::filesystem::path& artifact_path,
              const Proof& proof, const VerifyOptions& options, Progress& progress) {
  Report report;
  report.title = source.name;
  report.machine = this_machine();
  report.notes = compressed.notes;
  report.notes.insert(report.notes.end(), proof.notes.begin(), proof.notes.end());
  report.calibration = compressed.calibration;
  report.training = compressed.training;
  report.training_data = compressed.training_data;
  report.recipe_json = compressed.recipe_json;
  report.provenance_json = compressed.provenance_json;

  progress.stage("verifying", 2);
  const TimedModel artifact = open_timed(artifact_path, executor_maker(options.device));
  check_written(*artifact.model.artifact(), compressed);
  const auto begin = std::chrono::steady_clock::now();
  const Model original = build_original(source, options.device);
  const std::chrono::duration<double, std::milli> load = std::chrono::steady_clock::now() - begin;
  report.models = {describe_original(source, original, load.count()),
                   describe(artifact, artifact_path.stem().string())};
  progress.advance(1);
  if (source.task.generates()) {
    verify_language(proof, original, artifact.model, options.threads, report, progress);
  } else if (original.reads_samples()) {
    measure_samples(source, proof, original, artifact.model, options.threads, report);
    progress.advance(2);
  } else {
    measure_outputs(source, proof, original, artifact.model, options.threads, report);
    progress.advance(2);
  }
  if (options.measure_speed && original.reads_samples()) {
    report.notes.push_back("the speed was not measured: the model reads dense tensors");
  } else if (options.measure_speed) {
    measure_speeds(source, original, artifact.model, options.threads, report, progress);
  }
  return report;
}

bool apply_gates(const Gates& gates, Report& report) {
  const ModelReport& before = report.models.at(0);
  const ModelReport& after = report.models.at(1);
  if (gates.max_drop && after.predictions) {
    const double increase = perplexity_increase(report);
    report.gates.push_back({"max-drop", *gates.max_drop, increase, increase <= *gates.max_drop, "of the perplexity"});
  } else if (gates.max_drop) {
    const bool by_task = before.task && after.task && before.task->main().value != 0;
    const double drop =
        by_task ? task_drop(before.task->main().value, after.task->main().value) : 1 - after.fidelity.value().mean;
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
