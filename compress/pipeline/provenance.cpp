#include "compress/pipeline/provenance.h"

#include <algorithm>

#include "formats/artifact/checksum.h"
#include "formats/artifact/program_section.h"

namespace lathe {
namespace {

Json point_json(const CurvePoint& point, const std::string& measure) {
  Json json = Json::object({{"step", point.step}, {"held_out_loss", point.held_out_loss}});
  json.set(measure, point.measure);
  return json;
}

Json stages(const std::vector<TrainingCurve>& training) {
  Json stages = Json::array();
  for (const TrainingCurve& curve : training) {
    const auto best = std::find_if(curve.points.begin(), curve.points.end(),
                                   [&](const CurvePoint& point) { return point.step == curve.best_step; });
    Json stage = Json::object({{"stage", curve.stage}, {"steps", curve.steps}, {"tokens", curve.tokens}});
    if (!curve.points.empty()) stage.set("first", point_json(curve.points.front(), curve.measure_name));
    if (best != curve.points.end()) stage.set("best", point_json(*best, curve.measure_name));
    stages.push(std::move(stage));
  }
  return stages;
}

}  // namespace

Json compression_job(const Json& provenance, const SourceModel& source, const Recipe& recipe) {
  Json own = Json::object();
  for (const auto& [name, weight] : source.derived) {
    Json planes = Json::array();
    for (const Bytes plane : weight.view().planes) planes.push(checksum(plane));
    own.append({name, std::move(planes)});
  }
  const std::string own_text = to_text(own);
  return Json::object({{"recipe", recipe_json(recipe)},
                       {"provenance", provenance},
                       {"program", checksum(encode_program(source.program))},
                       {"tokenizer", checksum(encode_tokenizer(source.tokenizer))},
                       {"derived", checksum(std::as_bytes(std::span(own_text)))}});
}

Json results(const std::vector<WeightFacts>& weights, const std::vector<TrainingCurve>& training) {
  Json layers = Json::array();
  for (const WeightFacts& weight : weights) layers.push(weight_result_json(weight));
  Json json = Json::object({{"layers", layers}});
  if (!training.empty()) json.set("training", stages(training));
  return json;
}

}  // namespace lathe
