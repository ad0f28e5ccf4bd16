#include "compress/pipeline/recipe.h"

#include <catch2/catch.hpp>
#include <functional>
#include <limits>

#include "tests/formats/expect_error.h"

namespace lathe {
namespace {

using test::expect_error;

void expect_refused(const std::vector<std::string>& parts, const std::function<void(Recipe&)>& change) {
  Recipe recipe;
  change(recipe);
  expect_error(Errc::bad_recipe, parts, [&] { validate(recipe); });
}

void expect_accepted(const std::function<void(Recipe&)>& change) {
  Recipe recipe;
  change(recipe);
  CHECK_NOTHROW(validate(recipe));
}

}  // namespace

TEST_CASE("an empty recipe is valid and compresses nothing", "[compress][recipe]") {
  CHECK_NOTHROW(validate(Recipe()));
  CHECK_FALSE(Recipe().compresses());
  CHECK_FALSE(Recipe().needs_statistics());
}

TEST_CASE("the share to prune is at least 0 and below 1", "[compress][recipe]") {
  for (const double share :
       {-0.01, 1.0, 1.5, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    expect_refused({"prune", "[0, 1)"}, [&](Recipe& r) { r.prune = share; });
  }
  for (const double share : {0.0, 0.5, 0.999}) expect_accepted([&](Recipe& r) { r.prune = share; });
}

TEST_CASE("sizes in a recipe are within their bounds", "[compress][recipe]") {
  expect_refused({"group", "0", "[1, 65536]"}, [](Recipe& r) { r.group = 0; });
  expect_refused({"group", "65537"}, [](Recipe& r) { r.group = 65537; });
  expect_refused({"low-rank", "0", "[1, 65536]"}, [](Recipe& r) { r.low_rank = 0; });
  expect_refused({"low-rank", "65537"}, [](Recipe& r) { r.low_rank = 65537; });
  expect_refused({"calibration-length", "2", "[3, 65536]"}, [](Recipe& r) { r.calibration_length = 2; });
  expect_refused({"calibration-length", "65537"}, [](Recipe& r) { r.calibration_length = 65537; });
  for (const uint32_t edge : {3u, 65536u}) {
    expect_accepted([&](Recipe& r) {
      r.group = edge;
      r.low_rank = edge;
      r.calibration_length = edge;
    });
  }
}

TEST_CASE("an encoding is one of those that can be written", "[compress][recipe]") {
  CHECK(encoding_name(parse_encoding("f32", 32)) == "f32");
  CHECK(encoding_name(parse_encoding("f16", 32)) == "f16");
  CHECK(encoding_name(parse_encoding("int8", 32)) == "int8");
  CHECK(encoding_name(parse_encoding("int4", 128)) == "int4/128");
  CHECK(encoding_name(parse_encoding("int4/1", 32)) == "int4/1");
  CHECK(encoding_name(parse_encoding("int4/65536", 32)) == "int4/65536");
  for (const char* text : {"", "int3", "INT8", "int8 ", "int4/", "int4/0", "int4/65537", "int4/-1", "int4/4x",
                           "int8/32", "int4/99999999999999999999"}) {
    INFO(text);
    expect_error(Errc::bad_recipe, {text, "int4/GROUP"}, [&] { parse_encoding(text, 32); });
    expect_refused({"int4/GROUP"}, [&](Recipe& r) { r.quant = text; });
    expect_refused({"int4/GROUP"}, [&](Recipe& r) { r.layers = {{"x", text}}; });
  }
}

TEST_CASE("masks over all layers cannot go with error feedback in each", "[compress][recipe]") {
  expect_refused({"prune-scope", "prune-method"}, [](Recipe& r) {
    r.prune_scope = PruneScope::global;
    r.prune_method = MethodChoice::error_feedback;
  });
  expect_accepted([](Recipe& r) { r.prune_scope = PruneScope::global; });
}

TEST_CASE("statistics are gathered only for methods that use them", "[compress][recipe]") {
  Recipe recipe;
  recipe.prune = 0.5;
  recipe.quant = "int8";
  CHECK(recipe.needs_statistics());
  recipe.prune_method = MethodChoice::magnitude_or_nearest;
  CHECK(recipe.needs_statistics());
  recipe.quant_method = MethodChoice::magnitude_or_nearest;
  CHECK_FALSE(recipe.needs_statistics());
  recipe.low_rank = 4;
  CHECK(recipe.needs_statistics());
  Recipe half;
  half.quant = "f16";
  CHECK(half.compresses());
  CHECK_FALSE(half.needs_statistics());
}

TEST_CASE("a recipe is written with every field and without folders of this machine", "[compress][recipe]") {
  Recipe recipe;
  recipe.prune = 0.25;
  recipe.quant = "int4";
  recipe.group = 64;
  recipe.low_rank = 7;
  recipe.layers = {{"re:.*", "int8"}};
  recipe.calibration_file = "/somewhere/deep/text.txt";
  recipe.seed = 18446744073709551615u;
  recipe.strict = true;
  const Json json = parse_json(to_text(recipe_json(recipe)), "recipe");
  CHECK(json.at("prune").as_f64() == 0.25);
  CHECK(json.at("quant").as_string() == "int4");
  CHECK(json.at("group").as_u64() == 64);
  CHECK(json.at("low_rank").as_u64() == 7);
  CHECK(json.at("layers").items().at(0).at("pattern").as_string() == "re:.*");
  CHECK(json.at("calibration").as_string() == "text.txt");
  CHECK(json.at("seed").as_u64() == recipe.seed);
  CHECK(json.at("strict").as_bool());
  CHECK(recipe_json(Recipe()).at("calibration").as_string() == "synthetic");
  CHECK(recipe_json(Recipe()).at("low_rank").is_null());
}

}  // namespace lathe
