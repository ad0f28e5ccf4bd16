#include "compress/pipeline/finished_layer.h"

#include <limits>

namespace lathe {
namespace {

Json optional_json(const std::optional<double>& value) { return value ? Json::array({*value}) : Json::array(); }

// A number that is none stands as null.
std::optional<double> optional_number(const Json& json, const std::string& where) {
  const Json::Array& values = json.items(where);
  if (values.empty()) return std::nullopt;
  return values[0].is_null() ? std::numeric_limits<double>::quiet_NaN() : values[0].as_f64(where);
}

Json facts_json(const WeightFacts& facts) {
  Json shape = Json::array();
  for (const uint64_t size : facts.shape) shape.push(size);
  Json fallbacks = Json::array();
  for (const std::string& fallback : facts.fallbacks) fallbacks.push(fallback);
  return Json::object({{"name", facts.name},
                       {"shape", shape},
                       {"role", facts.role},
                       {"encoding", facts.encoding},
                       {"bytes", facts.bytes},
                       {"sparsity", facts.sparsity},
                       {"bits_per_weight", facts.bits_per_weight},
                       {"loss", optional_json(facts.loss)},
                       {"loss_uncorrected", optional_json(facts.loss_uncorrected)},
                       {"method", facts.method},
                       {"fallbacks", fallbacks}});
}

WeightFacts parse_facts(const Json& json, const std::string& where) {
  const auto text = [&](const char* key) { return json.at(key, where).as_string(where); };
  const auto number = [&](const char* key) { return json.at(key, where).as_f64(where); };
  WeightFacts facts;
  facts.name = text("name");
  for (const Json& size : json.at("shape", where).items(where)) facts.shape.push_back(size.as_u64(where));
  facts.role = text("role");
  facts.encoding = text("encoding");
  facts.bytes = json.at("bytes", where).as_u64(where);
  facts.sparsity = number("sparsity");
  facts.bits_per_weight = number("bits_per_weight");
  facts.loss = optional_number(json.at("loss", where), where);
  facts.loss_uncorrected = optional_number(json.at("loss_uncorrected", where), where);
  facts.method = text("method");
  for (const Json& fallback : json.at("fallbacks", where).items(where)) {
    facts.fallbacks.push_back(fallback.as_string(where));
  }
  return facts;
}

}  // namespace

std::string finished_text(const std::vector<FinishedLayer>& layers) {
  Json list = Json::array();
  for (const FinishedLayer& layer : layers) {
    Json weights = Json::array();
    for (const WeightFacts& facts : layer.weights) weights.push(facts_json(facts));
    list.push(Json::object({{"weights", weights}, {"rounding_share", optional_json(layer.rounding_share)}}));
  }
  return to_text(list);
}

std::vector<FinishedLayer> parse_finished(const std::string& text, const std::string& where) {
  std::vector<FinishedLayer> layers;
  const Json list = parse_json(text, where);
  for (const Json& json : list.items(where)) {
    FinishedLayer& layer = layers.emplace_back();
    for (const Json& facts : json.at("weights", where).items(where)) {
      layer.weights.push_back(parse_facts(facts, where));
    }
    layer.rounding_share = optional_number(json.at("rounding_share", where), where);
  }
  return layers;
}

}  // namespace lathe
