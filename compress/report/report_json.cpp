#include "compress/facts/facts_json.h"
#include "compress/report/comparisons.h"
#include "compress/report/report.h"
#include "formats/artifact/error.h"
#include "formats/json.h"

namespace lathe {
namespace {

using namespace reporting;

Json number_or_null(std::optional<double> value) { return value ? Json(*value) : Json(); }
/// For figures where zero means that nothing was measured.
Json measured(double value) { return value > 0 ? Json(value) : Json(); }
Json measured(uint64_t value) { return value > 0 ? Json(value) : Json(); }

/// The figures of the model's task, each with its difference to the reference model's.
Json compared_task_json(const Report& report, const ModelReport& model) {
  if (!model.task) return {};
  Json out = task_json(*model.task);
  for (const EvalMetric& metric : model.task->metrics) {
    out.set(metric.key + "_difference", number_or_null(metric_difference(report, model, metric.key)));
  }
  return out;
}

Json model_json(const Report& report, const ModelReport& model) {
  Json sizes = Json::array();
  for (const SizeItem& item : model.sizes) {
    sizes.push(Json::object({{"label", item.label}, {"bytes", item.bytes}}));
  }
  Json speed = Json::array();
  for (const SpeedCase& one : model.speed)
    speed.push(speed_json(one).set("speedup", number_or_null(speedup(report, one))));
  Json weights = Json::array();
  for (const WeightFacts& weight : model.weights) weights.push(weight_json(weight));
  return Json::object({{"name", model.name},
                       {"path", model.path},
                       {"file_bytes", model.file_bytes},
                       {"size_ratio", number_or_null(size_ratio(report, model))},
                       {"parameters", model.parameters},
                       {"load_ms", measured(model.load_ms)},
                       {"peak_memory_bytes", measured(model.peak_memory_bytes)},
                       {"isa", model.isa},
                       {"device", model.device},
                       {"task", compared_task_json(report, model)},
                       {"fidelity", model.fidelity ? fidelity_json(*model.fidelity) : Json()},
                       {"predictions", model.predictions ? predictions_json(*model.predictions) : Json()},
                       {"speed", std::move(speed)},
                       {"sizes", std::move(sizes)},
                       {"weights", std::move(weights)}});
}

Json gate_json(const Gate& gate) {
  return Json::object({{"name", gate.name},
                       {"bound", gate.bound},
                       {"actual", gate.actual},
                       {"unit", gate.unit},
                       {"passed", gate.passed}});
}

/// The value of a text that should be JSON; the text itself when it is not, so that nothing is lost.
Json embedded(const std::string& text, std::string_view what) {
  if (text.empty()) return {};
  try {
    return parse_json(text, what);
  } catch (const Error&) {
    return text;
  }
}

}  // namespace

std::string report_json(const Report& report) {
  Json models = Json::array();
  for (const ModelReport& model : report.models) models.push(model_json(report, model));
  Json gates = Json::array();
  for (const Gate& gate : report.gates) gates.push(gate_json(gate));
  const Json whole = Json::object({{"schema", kJsonSchema},
                                   {"title", report.title},
                                   {"accepted", accepted(report)},
                                   {"gates", std::move(gates)},
                                   {"notes", strings_json(report.notes)},
                                   {"models", std::move(models)},
                                   {"training", training_json(report.training_data, report.training)},
                                   {"calibration", report.calibration},
                                   {"compress_seconds", measured(report.compress_seconds)},
                                   {"compress_peak_memory_bytes", measured(report.compress_peak_memory_bytes)},
                                   {"machine", machine_json(report.machine)},
                                   {"recipe", embedded(report.recipe_json, "recipe")},
                                   {"provenance", embedded(report.provenance_json, "provenance")}});
  return to_text(whole, 2) + "\n";
}

}  // namespace lathe
