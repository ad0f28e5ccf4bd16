#include "compress/report/report.h"
#include "compress/report/report_common.h"
#include "compress/report/report_training.h"
#include "formats/artifact/error.h"
#include "formats/json.h"

namespace lathe {
namespace {

using namespace reporting;

Json number_or_null(std::optional<double> value) { return value ? Json(*value) : Json(); }
/// For figures where zero means that nothing was measured.
Json measured(double value) { return value > 0 ? Json(value) : Json(); }
Json measured(uint64_t value) { return value > 0 ? Json(value) : Json(); }

Json strings(const std::vector<std::string>& values) {
  Json array = Json::array();
  for (const std::string& value : values) array.push(value);
  return array;
}

Json weight_json(const WeightFacts& weight) {
  Json shape = Json::array();
  for (const uint64_t extent : weight.shape) shape.push(extent);
  return Json::object({{"name", weight.name},
                       {"shape", std::move(shape)},
                       {"role", weight.role},
                       {"encoding", weight.encoding},
                       {"bytes", weight.bytes},
                       {"sparsity", weight.sparsity},
                       {"bits_per_weight", weight.bits_per_weight},
                       {"loss", number_or_null(weight.loss)},
                       {"loss_uncorrected", number_or_null(weight.loss_uncorrected)},
                       {"method", weight.method},
                       {"fallbacks", strings(weight.fallbacks)}});
}

Json task_json(const Report& report, const ModelReport& model) {
  if (!model.task) return {};
  Json out =
      Json::object({{"task", model.task->task}, {"file", model.task->file}, {model.task->unit, model.task->items}});
  for (const TaskMetric& metric : model.task->metrics) {
    out.set(metric.key, metric.value);
    if (metric.standard_error > 0) out.set(metric.key + "_error", metric.standard_error);
    out.set(metric.key + "_difference", number_or_null(metric_difference(report, model, metric.key)));
  }
  return out;
}

Json fidelity_json(const ModelReport& model) {
  if (!model.fidelity) return {};
  Json out = Json::object({{"texts", model.fidelity->texts},
                           {"mean_cosine", model.fidelity->mean},
                           {"p05_cosine", model.fidelity->p05},
                           {"minimum_cosine", model.fidelity->minimum}});
  if (model.fidelity->agreement) out.set("agreement", *model.fidelity->agreement);
  return out;
}

Json predictions_json(const ModelReport& model) {
  if (!model.predictions) return {};
  const PredictionResult& predictions = *model.predictions;
  return Json::object({{"tokens", predictions.tokens},
                       {"mean_kl", predictions.mean_kl},
                       {"p99_kl", predictions.p99_kl},
                       {"same_top", predictions.same_top},
                       {"log_perplexity_ratio", predictions.log_ratio},
                       {"log_perplexity_ratio_error", predictions.log_ratio_error}});
}

Json report_speed_json(const Report& report, const SpeedCase& speed) {
  return speed_json(speed)
      .set("peak_fraction", measured(speed.peak_fraction))
      .set("speedup", number_or_null(speedup(report, speed)));
}

Json model_json(const Report& report, const ModelReport& model) {
  Json sizes = Json::array();
  for (const SizeItem& item : model.sizes) {
    sizes.push(Json::object({{"label", item.label}, {"bytes", item.bytes}}));
  }
  Json speed = Json::array();
  for (const SpeedCase& one : model.speed) speed.push(report_speed_json(report, one));
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
                       {"task", task_json(report, model)},
                       {"fidelity", fidelity_json(model)},
                       {"predictions", predictions_json(model)},
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

Json machine_json(const Machine& machine) {
  return Json::object({{"cpu", machine.cpu},
                       {"cores", machine.cores},
                       {"isa", machine.isa},
                       {"system", machine.system},
                       {"version", machine.version},
                       {"compiler", machine.compiler}});
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
  const Json whole = Json::object({{"schema", 1},
                                   {"title", report.title},
                                   {"accepted", accepted(report)},
                                   {"gates", std::move(gates)},
                                   {"notes", strings(report.notes)},
                                   {"models", std::move(models)},
                                   {"training", training_json(report)},
                                   {"calibration", report.calibration},
                                   {"compress_seconds", measured(report.compress_seconds)},
                                   {"compress_peak_memory_bytes", measured(report.compress_peak_memory_bytes)},
                                   {"machine", machine_json(report.machine)},
                                   {"recipe", embedded(report.recipe_json, "recipe")},
                                   {"provenance", embedded(report.provenance_json, "provenance")}});
  return to_text(whole, 2) + "\n";
}

}  // namespace lathe
