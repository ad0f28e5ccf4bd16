#include "compress/pipeline/recipe.h"

#include <catch2/catch.hpp>
#include <functional>
#include <limits>
#include <set>

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

TEST_CASE("the share to prune is at least 0 and at most 0.99", "[compress][recipe]") {
  for (const double share :
       {-0.01, 0.991, 1.0, 1.5, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    expect_refused({"prune", "[0.0, 0.99]"}, [&](Recipe& r) { r.prune = share; });
  }
  for (const double share : {0.0, 0.5, 0.99}) expect_accepted([&](Recipe& r) { r.prune = share; });
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
  CHECK(encoding_name(parse_encoding("bf16", 32)) == "bf16");
  CHECK(encoding_name(parse_encoding("int8", 32)) == "int8");
  CHECK(encoding_name(parse_encoding("int4", 128)) == "int4/128");
  CHECK(encoding_name(parse_encoding("int4/1", 32)) == "int4/1");
  CHECK(encoding_name(parse_encoding("int4/65536", 32)) == "int4/65536");
  for (const char* text : {"", "int3", "INT8", "int8 ", "int4/", "int4/0", "int4/65537", "int4/-1", "int4/4x",
                           "int8/32", "f16/2", "bf16/", "int4/99999999999999999999"}) {
    INFO(text);
    expect_error(Errc::bad_recipe, {text, "int4/GROUP"}, [&] { parse_encoding(text, 32); });
    expect_refused({"int4/GROUP"}, [&](Recipe& r) { r.quant = text; });
    expect_refused({"int4/GROUP"}, [&](Recipe& r) { r.layers = {{"x", text}}; });
  }
}

TEST_CASE("masks over all layers cannot go with error feedback in each", "[compress][recipe]") {
  expect_refused({"prune-scope", "prune-method"}, [](Recipe& r) {
    r.prune_scope = PruneScope::global;
    r.prune_method = PruneMethod::error_feedback;
  });
  expect_accepted([](Recipe& r) { r.prune_scope = PruneScope::global; });
}

TEST_CASE("statistics are gathered only for methods that use them", "[compress][recipe]") {
  Recipe recipe;
  recipe.prune = 0.5;
  recipe.quant = "int8";
  CHECK(recipe.needs_statistics());
  recipe.prune_method = PruneMethod::magnitude;
  CHECK(recipe.needs_statistics());
  recipe.quant_method = QuantMethod::nearest;
  CHECK_FALSE(recipe.needs_statistics());
  recipe.low_rank = 4;
  CHECK(recipe.needs_statistics());
  Recipe half;
  half.quant = "f16";
  CHECK(half.compresses());
  CHECK_FALSE(half.needs_statistics());
}

TEST_CASE("an encoding with a group of its own is calibrated like int4", "[compress][recipe]") {
  Recipe recipe;
  recipe.quant = "int4/64";
  CHECK(recipe.quantizes());
  CHECK(recipe.needs_statistics());
  recipe.quant = "f16";
  CHECK_FALSE(recipe.quantizes());
  recipe.layers = {{"x", "int8"}};
  CHECK(recipe.quantizes());
}

TEST_CASE("inputs are rounded to 8 or 16 bits or as a layer needs", "[compress][recipe]") {
  expect_refused({"input-bits: 12", "8, 16 or 0"}, [](Recipe& r) { r.input_bits = 12; });
  for (const uint32_t bits : {0u, 8u, 16u}) expect_accepted([&](Recipe& r) { r.input_bits = bits; });
  Recipe recipe;
  CHECK(recipe_json(recipe).find("input_bits") == nullptr);
  recipe.input_bits = 16;
  CHECK(recipe_json(recipe).at("input_bits").as_u64() == 16);
}

TEST_CASE("the methods of pruning and of quantization have names of their own", "[compress][recipe]") {
  Recipe recipe;
  recipe.prune_method = PruneMethod::magnitude;
  recipe.quant_method = QuantMethod::nearest;
  // Artifacts that exist call both by one name.
  CHECK(recipe_json(recipe).at("prune_method").as_string() == "magnitude_or_nearest");
  CHECK(recipe_json(recipe).at("quant_method").as_string() == "magnitude_or_nearest");
  CHECK(kPruneMethods.find("magnitude") == PruneMethod::magnitude);
  CHECK_FALSE(kPruneMethods.find("nearest").has_value());
  CHECK(kQuantMethods.find("nearest") == QuantMethod::nearest);
}

TEST_CASE("the keys of a recipe stand in the order of the artifacts that exist", "[compress][recipe]") {
  Recipe recipe;
  recipe.input_bits = 8;
  recipe.student.layers = 1;
  recipe.recovery = Recovery::blocks;
  recipe.training.data_file = "texts.txt";
  CHECK(to_text(recipe_json(recipe)) ==
        R"({"prune": 0.0, "prune_method": "automatic", "prune_scope": "layer", "quant": "f32", )"
        R"("group": 32, "quant_method": "automatic", "low_rank": null, "layers": [], )"
        R"("calibration": "synthetic", "calibration_tokens": 0, "calibration_length": 128, "seed": 0, )"
        R"("strict": false, "input_bits": 8, "student": "layers=1", "recovery": "blocks", )"
        R"("training": {"data": "texts.txt", "steps": 300, "train": "all", "prune_schedule": "one_shot", )"
        R"("batch": 12, "length": 256, "learning_rate": "auto", "weight_decay": 0.0, "clip": 1.0, )"
        R"("warmup": 0.05, "held_out": 0.05, "temperature": 2.0, "alpha": 0.7, "hidden_weight": 1.0, )"
        R"("relation_weight": 0.1, "precision": "auto", "seed": 0}})");
}

TEST_CASE("every setting has a name of its own and says what it is for", "[compress][recipe]") {
  std::set<std::string> names;
  for (const Setting<Recipe>& setting : recipe_settings()) {
    INFO(setting.name);
    CHECK(names.insert(setting.name).second);
    CHECK_FALSE(setting.help.empty());
    CHECK(setting.read);
    CHECK(static_cast<bool>(setting.need.is_met) == !setting.need.what.empty());
    if (setting.help.find("{}") != std::string::npos) CHECK(setting.show);
  }
  CHECK(names.contains("weight-decay"));
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
