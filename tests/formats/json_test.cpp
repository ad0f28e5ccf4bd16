#include "formats/json.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "tests/formats/expect_error.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_error;

Json parse(std::string_view text) { return parse_json(text, "f.json"); }

TEST_CASE("JSON values keep their kind, order and exact integers", "[formats][json]") {
  const Json json = parse(R"( {"z": 1, "a": [true, null, -2, 2.5, "tex\u0074\n"], "": {}} )");
  REQUIRE(json.members().size() == 3);
  CHECK(json.members()[0].key == "z");
  CHECK(json.members()[1].key == "a");
  CHECK(json.find("z")->as_u64() == 1);
  const Json::Array& items = json.at("a").items();
  CHECK(items[0].as_bool());
  CHECK(items[1].is_null());
  CHECK(items[2].as_i64() == -2);
  CHECK(items[3].as_f64() == 2.5);
  CHECK(items[4].as_string() == "text\n");
  CHECK(json.at("").is_object());
  CHECK(json.find("b") == nullptr);
  CHECK(items[0].find("b") == nullptr);
  CHECK(parse("18446744073709551615").as_u64() == ~uint64_t{0});
  CHECK(parse("-9223372036854775808").as_i64() == std::numeric_limits<int64_t>::min());
}

TEST_CASE("an integer that fits no type is not a double", "[formats][json]") {
  for (const char* text : {"18446744073709551616", "-9223372036854775809", "1000000000000000019884624838656"}) {
    const Json json = parse(text);
    CHECK(json.is_integer());
    CHECK_FALSE(json.is_u64());
    CHECK(to_text(json) == text);
    CHECK(json.as_f64() == std::stod(text));
    expect_error(Errc::malformed, {"x is ", text}, [&] { static_cast<void>(json.as_u64("x")); });
    expect_error(Errc::malformed, {"x is ", text}, [&] { static_cast<void>(json.as_i64("x")); });
  }
}

TEST_CASE("accessors refuse another kind and say what was found", "[formats][json]") {
  const Json json = parse(R"({"n": -1, "s": "5", "d": 3.0})");
  expect_error(Errc::malformed, {"n is -1", "integer"}, [&] { static_cast<void>(json.at("n").as_u64("n")); });
  expect_error(Errc::malformed, {"s is \"5\"", "integer"}, [&] { static_cast<void>(json.at("s").as_u64("s")); });
  expect_error(Errc::malformed, {"d is 3.0", "integer"}, [&] { static_cast<void>(json.at("d").as_u64("d")); });
  expect_error(Errc::malformed, {"u is 9223372036854775808"},
               [&] { static_cast<void>(Json(uint64_t{1} << 63).as_i64("u")); });
  expect_error(Errc::malformed, {"o is an object", "a string"}, [&] { static_cast<void>(json.as_string("o")); });
  expect_error(Errc::malformed, {"o is an object", "an array"}, [&] { static_cast<void>(json.items("o")); });
  expect_error(Errc::malformed, {"s is \"5\"", "an object"}, [&] { static_cast<void>(json.at("s").members("s")); });
  expect_error(Errc::malformed, {"s is \"5\"", "a number"}, [&] { static_cast<void>(json.at("s").as_f64("s")); });
  expect_error(Errc::malformed, {"s is \"5\"", "true or false"}, [&] { static_cast<void>(json.at("s").as_bool("s")); });
  expect_error(Errc::malformed, {"o has no \"q\""}, [&] { json.at("q", "o"); });
  expect_error(Errc::internal, {"-1"}, [&] { Json(-1).set("k", 1); });
  expect_error(Errc::internal, {"an object"}, [&] { Json::object().push(1); });
}

TEST_CASE("text that is not strict JSON is refused with file and offset", "[formats][json]") {
  using namespace std::string_literals;
  const std::vector<std::string> texts = {"",
                                          " ",
                                          "{",
                                          "[1,]",
                                          "{\"a\":1,}",
                                          "{a:1}",
                                          "{'a':1}",
                                          "01",
                                          "1.",
                                          ".5",
                                          "+1",
                                          "-",
                                          "1e",
                                          "0x10",
                                          "NaN",
                                          "Infinity",
                                          "-Infinity",
                                          "tru",
                                          "// c\n1",
                                          "/* c */ 1",
                                          "1 // c",
                                          "1 2",
                                          "{} {}",
                                          "\"a",
                                          "\"\n\"",
                                          "\"\\x41\"",
                                          "\"\\u12\"",
                                          "\"\\ud800\"",
                                          "\"\\udc00\"",
                                          "\"\\ud800\\u0041\"",
                                          "\"\xff\"",
                                          "\"\xc0\x80\"",
                                          "\"\xed\xa0\x80\"",
                                          "1\0"s,
                                          "\0"s,
                                          "\"a\0b\""s,
                                          "\xef\xbb\xbf{}",
                                          "1e999",
                                          "[1}",
                                          "{\"a\"}",
                                          "{1:2}"};
  for (const std::string& text : texts) {
    INFO(text);
    expect_error(Errc::malformed, {"f.json: not valid JSON at byte "}, [&] { parse(text); });
  }
  expect_error(Errc::malformed, {"at byte 8"}, [] { parse("[1, 2, x]"); });
}

TEST_CASE("a duplicate key is refused at any depth", "[formats][json]") {
  expect_error(Errc::malformed, {"f.json", "\"a\"", "twice"}, [] { parse(R"({"a":1,"b":2,"a":3})"); });
  expect_error(Errc::malformed, {"f.json", "\"a\"", "twice"}, [] { parse(R"([{"x":{"a":1,"\u0061":1}}])"); });
  CHECK(parse(R"([{"a":1},{"a":{"a":2}}])").items().size() == 2);
}

TEST_CASE("size, depth and number of values are limited", "[formats][json]") {
  const std::string deep16 = std::string(16, '[') + std::string(16, ']');
  CHECK(parse(deep16).is_array());
  expect_error(Errc::limit, {"f.json", "deeper than 16"}, [&] { parse("[" + deep16 + "]"); });
  expect_error(Errc::limit, {"f.json", "deeper than 16", "byte 17"}, [&] { parse(std::string(1'000'000, '[')); });
  expect_error(Errc::limit, {"f.json", "5 bytes", "4"}, [] { parse_json("[1,2]", "f.json", {.max_bytes = 4}); });
  CHECK(parse_json("[1,2]", "f.json", {.max_values = 3}).items().size() == 2);
  expect_error(Errc::limit, {"f.json", "more than 2 values"}, [] { parse_json("[1,2]", "f.json", {.max_values = 2}); });
}

TEST_CASE("building and writing keeps the order of keys", "[formats][json]") {
  Json json = Json::object({{"name", "x"}, {"count", 3}, {"ratio", 0.5}, {"flags", Json::array({true, nullptr, -7})}});
  json.set("count", 4).set("empty", Json::object()).set("none", Json::array());
  CHECK(to_text(json) ==
        R"({"name": "x", "count": 4, "ratio": 0.5, "flags": [true, null, -7], "empty": {}, "none": []})");
  CHECK(
      to_text(json, 2) ==
      "{\n  \"name\": \"x\",\n  \"count\": 4,\n  \"ratio\": 0.5,\n  \"flags\": [\n    true,\n    null,\n    -7\n  ],\n"
      "  \"empty\": {},\n  \"none\": []\n}");
  Json made;
  made.push(1).push("b");
  CHECK(to_text(made) == "[1, \"b\"]");
  CHECK(parse(to_text(json)) == json);
  CHECK(parse(to_text(json, 4)) == json);
}

TEST_CASE("doubles are written shortest and read back the same", "[formats][json]") {
  CHECK(to_text(0.1) == "0.1");
  CHECK(to_text(1.0) == "1.0");
  CHECK(to_text(-0.0) == "-0.0");
  CHECK(to_text(1e300) == "1e+300");
  CHECK(to_text(std::numeric_limits<double>::quiet_NaN()) == "null");
  CHECK(to_text(-std::numeric_limits<double>::infinity()) == "null");
  std::mt19937_64 random(3);
  for (int i = 0; i < 20'000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    REQUIRE(std::bit_cast<uint64_t>(parse(to_text(value)).as_f64()) == std::bit_cast<uint64_t>(value));
  }
}

TEST_CASE("any string is written as valid JSON", "[formats][json]") {
  CHECK(to_text("a\"b\\c\n\x01\x7f\xc3\xa9") == "\"a\\\"b\\\\c\\n\\u0001\\u007f\xc3\xa9\"");
  CHECK(to_text("\xff") == "\"\xef\xbf\xbd\"");
  std::mt19937 random(5);
  for (int i = 0; i < 2'000; ++i) {
    std::string bytes(random() % 20, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    CHECK_NOTHROW(parse(to_text(bytes)));
    for (char& byte : bytes) byte &= 0x7f;
    REQUIRE(parse(to_text(bytes)).as_string() == bytes);
  }
}

TEST_CASE("a JSON file is read by path, or found missing", "[formats][json]") {
  const test::TempDir dir;
  const auto file = dir.write("a.json", "{\"a\": 1}");
  CHECK(read_json_file(file).at("a").as_u64() == 1);
  CHECK(find_json_file(file).has_value());
  CHECK_FALSE(find_json_file(dir / "b.json").has_value());
  expect_error(Errc::no_input, {(dir / "b.json").string()}, [&] { read_json_file(dir / "b.json"); });
  dir.write("a.json", "");
  expect_error(Errc::malformed, {file.string(), "not valid JSON"}, [&] { read_json_file(file); });
}

}  // namespace
}  // namespace lathe
