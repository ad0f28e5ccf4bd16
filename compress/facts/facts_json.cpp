#include "compress/facts/facts_json.h"

namespace lathe {
namespace {

Json curve_json(const TrainingCurve& curve) {
  Json points = Json::array();
  for (const CurvePoint& point : curve.points) {
    points.push(Json::object({{"step", point.step},
                              {"train_loss", point.train_loss},
                              {"held_out_loss", point.held_out_loss},
                              {"measure", curve.measure_name.empty() ? Json() : Json(point.measure)}}));
  }
  return Json::object({{"stage", curve.stage},
                       {"measure_name", curve.measure_name},
                       {"steps", curve.steps},
                       {"tokens", curve.tokens},
                       {"seconds", curve.seconds},
                       {"best_step", curve.best_step},
                       {"outcome", curve.outcome},
                       {"points", std::move(points)}});
}

}  // namespace

Json strings_json(const std::vector<std::string>& values) {
  Json array = Json::array();
  for (const std::string& value : values) array.push(value);
  return array;
}

std::string case_key(const SpeedCase& speed) {
  if (speed.kind == SpeedKind::forward) return {};
  const std::string key = message(speed.kind == SpeedKind::prefill ? "pp" : "tg", speed.length);
  return speed.depth == 0 ? key : message(key, "@", speed.depth);
}

Json speed_json(const SpeedCase& speed) {
  Json out = Json::object({{"batch", speed.batch},
                           {"length", speed.length},
                           {"threads", speed.threads},
                           {"runs", speed.runs},
                           {"p50_ms", speed.p50_ms},
                           {"p90_ms", speed.p90_ms},
                           {"p99_ms", speed.p99_ms},
                           {"tokens_per_second", speed.tokens_per_second}});
  if (speed.kind == SpeedKind::forward) return out;
  out.set("case", case_key(speed))
      .set("depth", speed.depth)
      .set("cache", speed.cache)
      .set("cache_bytes", speed.cache_bytes);
  if (speed.kind == SpeedKind::prefill) out.set("time_to_first_token_ms", speed.p50_ms);
  return out;
}

Json task_json(const EvalResult& task) {
  Json out = Json::object({{"task", task.task}, {"file", task.file}, {task.unit, task.items}});
  for (const EvalMetric& metric : task.metrics) {
    out.set(metric.key, metric.value);
    if (metric.standard_error > 0) out.set(metric.key + "_error", metric.standard_error);
  }
  return out;
}

Json fidelity_json(const FidelityResult& fidelity) {
  Json out = Json::object({{"texts", fidelity.texts},
                           {"mean_cosine", fidelity.mean},
                           {"p05_cosine", fidelity.p05},
                           {"minimum_cosine", fidelity.minimum}});
  if (fidelity.agreement) out.set("agreement", *fidelity.agreement);
  return out;
}

Json predictions_json(const PredictionResult& predictions) {
  return Json::object({{"tokens", predictions.tokens},
                       {"mean_kl", predictions.mean_kl},
                       {"p99_kl", predictions.p99_kl},
                       {"same_top", predictions.same_top},
                       {"log_perplexity_ratio", predictions.log_ratio},
                       {"log_perplexity_ratio_error", predictions.log_ratio_error}});
}

Json training_json(const std::string& data, const std::vector<TrainingCurve>& stages) {
  if (data.empty() && stages.empty()) return {};
  Json list = Json::array();
  for (const TrainingCurve& stage : stages) list.push(curve_json(stage));
  return Json::object({{"data", data}, {"stages", std::move(list)}});
}

Json machine_json(const Machine& machine) {
  return Json::object({{"cpu", machine.cpu},
                       {"cores", machine.cores},
                       {"isa", machine.isa},
                       {"system", machine.system},
                       {"version", machine.version},
                       {"compiler", machine.compiler}});
}

}  // namespace lathe
