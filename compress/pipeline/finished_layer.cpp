#include "compress/pipeline/finished_layer.h"

#include <limits>

namespace lathe {

std::string finished_text(const std::vector<FinishedLayer>& layers) {
  Json list = Json::array();
  for (const FinishedLayer& layer : layers) {
    Json weights = Json::array();
    for (const WeightFacts& facts : layer.weights) weights.push(known_weight_json(facts));
    Json json = Json::object({{"weights", std::move(weights)}});
    if (layer.rounding_share) json.set("rounding_share", *layer.rounding_share);
    list.push(std::move(json));
  }
  return to_text(list);
}

std::vector<FinishedLayer> parse_finished(const std::string& text, const std::string& where) {
  std::vector<FinishedLayer> layers;
  const Json list = parse_json(text, where);
  for (const Json& json : list.items(where)) {
    FinishedLayer& layer = layers.emplace_back();
    for (const Json& facts : json.at("weights", where).items(where)) {
      layer.weights.push_back(parse_weight(facts, where));
    }
    if (const Json* share = json.find("rounding_share")) {
      layer.rounding_share = share->is_null() ? std::numeric_limits<double>::quiet_NaN() : share->as_f64(where);
    }
  }
  return layers;
}

}  // namespace lathe
