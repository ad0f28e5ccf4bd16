#include "cli/comparison.h"

#include "compress/evaluation/machine.h"
#include "formats/text.h"
#include "runtime/text/embedder.h"

namespace lathe::cli {
namespace {

void check_not_stopped(const Progress& progress) {
  if (progress.cancelled()) fail(Errc::interrupted, "stopped while comparing");
}

// Accuracy of models for different things cannot stand side by side. Returns whether they are classifiers.
bool check_same_task(const std::vector<TimedModel>& opened) {
  const Artifact& first = *opened.front().model.artifact();
  const Task reference = stored_task(first);
  for (const TimedModel& each : opened) {
    const Artifact& artifact = *each.model.artifact();
    const Task task = stored_task(artifact);
    if (task.kind != reference.kind) {
      fail(Errc::usage, message(artifact.file().path(), " is for ", printable(task.kind), ", ", first.file().path(),
                                " for ", printable(reference.kind)));
    }
    if (task.labels != reference.labels) {
      fail(Errc::usage, message(artifact.file().path(), " has other labels than ", first.file().path()));
    }
  }
  return reference.classifies();
}

// Outputs of the first model are kept as the reference of the others.
void measure_accuracy(const ComparisonRequest& request, const std::vector<TimedModel>& opened, Report& report,
                      Progress& progress) {
  if (!request.task && request.texts.empty()) return;
  const bool classifies = check_same_task(opened);
  progress.stage("measure accuracy", opened.size());
  std::vector<float> reference;
  size_t reference_width = 0;
  for (size_t i = 0; i < opened.size(); ++i) {
    check_not_stopped(progress);
    Embedder embedder(opened[i].model);
    if (request.task) {
      report.models[i].task = request.task->evaluate(embedder.embed(request.task->texts), embedder.dimension());
    }
    if (!request.texts.empty()) {
      std::vector<float> rows = embedder.embed(request.texts);
      if (i == 0) {
        reference = std::move(rows);
        reference_width = embedder.dimension();
      } else if (embedder.dimension() != reference_width) {
        fail(Errc::usage, message(report.models[i].path, " gives ", embedder.dimension(), " numbers for a text, ",
                                  report.models[0].path, " gives ", reference_width));
      } else {
        report.models[i].fidelity = fidelity(reference, rows, reference_width, classifies);
      }
    }
    progress.advance(i + 1);
  }
}

// Perplexity of each model, and how far the predictions of the others are from the first one's.
void measure_language(const ComparisonRequest& request, const std::vector<TimedModel>& opened, Report& report,
                      Progress& progress) {
  if (!request.language_file) return;
  check_same_task(opened);
  const Artifact& first = *opened.front().model.artifact();
  for (const TimedModel& each : opened) check_same_tokens(first, *each.model.artifact());
  const LanguageData data = language_data(*request.language_file, first, request.windows);
  Session reference(opened.front().model);
  for (size_t i = 1; i < opened.size(); ++i) {
    check_not_stopped(progress);
    Session session(opened[i].model);
    const LanguageFidelity measured = compare_language(reference, session, data, progress);
    report.models[0].task = language_result(data, measured.original);
    report.models[i].task = language_result(data, measured.compressed);
    report.models[i].predictions = measured.result();
  }
}

void measure_speed_and_memory(const ComparisonRequest& request, const std::vector<TimedModel>& opened, Report& report,
                              Progress& progress) {
  std::vector<const Model*> models;
  for (const TimedModel& each : opened) models.push_back(&each.model);
  auto cases = measure_grid(models, request.grid, progress);
  progress.stage("measure memory", models.size());
  for (size_t i = 0; i < models.size(); ++i) {
    check_not_stopped(progress);
    report.models[i].speed = std::move(cases[i]);
    report.models[i].peak_memory_bytes = peak_memory_of(request.files[i], request.grid);
    progress.advance(i + 1);
  }
}

}  // namespace

Report compare_artifacts(const ComparisonRequest& request, Progress& progress) {
  Report report;
  report.machine = this_machine();
  std::vector<TimedModel> opened;
  const MakeExecutor on_device = executor_for(request.grid.device);
  progress.stage("open", request.files.size());
  for (size_t i = 0; i < request.files.size(); ++i) {
    opened.push_back(open_timed(request.files[i], on_device));
    const std::string name = i < request.names.size() ? request.names[i] : request.files[i].stem().string();
    report.models.push_back(describe(opened.back(), name));
    progress.advance(i + 1);
  }
  const Artifact& last = *opened.back().model.artifact();
  const auto object_text = [&](layout::Section which, const char* name) {
    const Json value = section_json(last, which, name);
    return value.is_null() ? std::string("{}") : to_text(value);
  };
  report.recipe_json = object_text(layout::Section::recipe, "recipe");
  report.provenance_json = object_text(layout::Section::provenance, "provenance");
  report.title = message("Comparison of ", report.models.size(), " models");
  measure_accuracy(request, opened, report, progress);
  measure_language(request, opened, report, progress);
  if (request.speed) measure_speed_and_memory(request, opened, report, progress);
  return report;
}

}  // namespace lathe::cli
