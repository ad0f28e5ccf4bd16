#include "compress/facts/weight_facts.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "tests/formats/expect_error.h"

namespace lathe {
namespace {

using test::expect_error;

WeightFacts sample() {
  WeightFacts facts;
  facts.name = "encoder.layer.0.query";
  facts.shape = {384, 1536};
  facts.role = "linear";
  facts.encoding = "int8+bitmask";
  facts.bytes = 93'698;
  facts.sparsity = 0.5;
  facts.bits_per_weight = 5.083;
  facts.method = "error feedback";
  facts.loss = 0.02;
  facts.loss_uncorrected = 0.08;
  facts.fallbacks = {"the damping was raised to 0.1"};
  return facts;
}

std::vector<std::string> keys_of(const Json& json) {
  std::vector<std::string> keys;
  for (const Json::Member& member : json.members()) keys.push_back(member.key);
  return keys;
}

}  // namespace

TEST_CASE("a weight has every field in JSON, and null for a loss that is unknown", "[compress][facts]") {
  const std::vector<std::string> keys = keys_of(weight_json(sample()));
  CHECK(keys == std::vector<std::string>{"name", "shape", "role", "encoding", "bytes", "sparsity", "bits_per_weight",
                                         "method", "loss", "loss_uncorrected", "fallbacks"});
  CHECK(keys_of(weight_json({})) == keys);
  CHECK(weight_json({}).at("loss").is_null());
  CHECK(weight_json(sample()).at("shape") == Json::array({384, 1536}));
}

TEST_CASE("facts of a weight that were written are read back unchanged", "[compress][facts]") {
  WeightFacts facts = sample();
  CHECK(weight_json(parse_weight(known_weight_json(facts), "facts")) == weight_json(facts));
  CHECK(to_text(known_weight_json(parse_weight(known_weight_json({}), "facts"))) == to_text(known_weight_json({})));
  facts.loss.reset();
  facts.loss_uncorrected = std::numeric_limits<double>::quiet_NaN();
  const WeightFacts again = parse_weight(parse_json(to_text(known_weight_json(facts)), "facts"), "facts");
  CHECK_FALSE(again.loss.has_value());
  REQUIRE(again.loss_uncorrected.has_value());
  CHECK(std::isnan(*again.loss_uncorrected));
}

TEST_CASE("the results of an artifact hold what its tensors do not tell", "[compress][facts]") {
  const Json result = weight_result_json(sample());
  CHECK(keys_of(result) == std::vector<std::string>{"name", "method", "loss", "loss_uncorrected", "fallbacks"});
  WeightFacts stored = sample();
  stored.method.clear();
  stored.loss.reset();
  stored.loss_uncorrected.reset();
  stored.fallbacks.clear();
  CHECK(keys_of(weight_result_json(stored)) == std::vector<std::string>{"name", "method"});
  merge_weight_result(result, "results", stored);
  CHECK(weight_json(stored) == weight_json(sample()));
}

TEST_CASE("a field of a weight that is missing or of another type is an error that names it", "[compress][facts]") {
  Json json = known_weight_json(sample());
  json.set("bytes", "many");
  expect_error(Errc::malformed, {"state.json", "bytes"}, [&] { parse_weight(json, "state.json"); });
  expect_error(Errc::malformed, {"state.json", "name"}, [] { parse_weight(Json::object(), "state.json"); });
  WeightFacts facts;
  expect_error(Errc::malformed, {"results: layer x", "fallbacks"}, [&] {
    merge_weight_result(Json::object({{"fallbacks", 3}}), "results: layer x", facts);
  });
}

}  // namespace lathe
