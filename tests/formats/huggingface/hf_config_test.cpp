#include "formats/huggingface/hf_config.h"

#include <array>
#include <catch2/catch.hpp>

#include "tests/formats/expect_error.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_error;
using test::TempDir;

ConfigFile config(std::string_view text) { return ConfigFile::parse(text, "m/config.json"); }

TEST_CASE("config.json is read from its folder or by its path", "[formats][config]") {
  const TempDir dir;
  const auto file = dir.write("config.json", R"({"model_type": "bert", "hidden_size": 384})");
  CHECK(ConfigFile(dir.path()).model_type() == "bert");
  CHECK(ConfigFile(file).path() == file.string());
  expect_error(Errc::no_input, {"nowhere", "config.json"}, [&] { ConfigFile(dir / "nowhere/config.json"); });
  dir.write("config.json", "[1]");
  expect_error(Errc::malformed, {file.string(), "an array", "expected an object"}, [&] { ConfigFile(dir.path()); });
}

TEST_CASE("a field is found under any of its spellings, also inside objects", "[formats][config]") {
  const ConfigFile c =
      config(R"({"n_embd": 768, "rope_parameters": {"rope_theta": 1e4}, "n_inner": null, "a": 5, "b": 5})");
  CHECK(c.integer({"hidden_size", "n_embd"}, 1, 1000) == 768);
  CHECK(c.number({"rope_theta", "rope_parameters.rope_theta"}, 1, 1e9) == 10000.0);
  CHECK(c.integer({"n_inner"}, 1, 10, 7) == 7);
  CHECK_FALSE(c.has({"n_inner"}));
  CHECK_FALSE(c.has({"n_embd.x"}));
  CHECK(c.has({"x", "n_embd"}));
  CHECK(c.integer({"a", "b"}, 0, 9) == 5);
}

TEST_CASE("two spellings with different values contradict each other", "[formats][config]") {
  const ConfigFile c = config(R"({"hidden_size": 384, "n_embd": 768})");
  expect_error(Errc::malformed, {"m/config.json", "hidden_size is 384", "n_embd is 768"}, [&] {
    c.integer({"hidden_size", "n_embd"}, 1, 1000);
  });
}

TEST_CASE("a missing field is named with its spellings, or has a fallback", "[formats][config]") {
  const ConfigFile c = config("{}");
  expect_error(Errc::malformed, {"m/config.json", "hidden_size or n_embd", "missing"}, [&] {
    c.integer({"hidden_size", "n_embd"}, 1, 9);
  });
  expect_error(Errc::malformed, {"m/config.json", "eps", "missing"}, [&] { c.number({"eps"}, 0, 1); });
  expect_error(Errc::malformed, {"m/config.json", "act", "missing"}, [&] { c.text({"act"}); });
  expect_error(Errc::malformed, {"m/config.json", "tied", "missing"}, [&] { c.boolean({"tied"}); });
  expect_error(Errc::malformed, {"m/config.json", "model_type", "missing"}, [&] { c.model_type(); });
  CHECK(c.integer({"x"}, 1, 9, 100) == 100);
  CHECK(c.number({"x"}, 0, 1, 0.5) == 0.5);
  CHECK(c.text({"x"}, "gelu") == "gelu");
  CHECK(c.boolean({"x"}, true));
}

TEST_CASE("case 64: zero heads are refused with field, value and bound", "[formats][config]") {
  expect_error(Errc::malformed, {"m/config.json", "num_attention_heads is 0", "1 to 4096"},
               [] { config(R"({"num_attention_heads": 0})").integer({"num_attention_heads"}, 1, 4096); });
}

TEST_CASE("case 67: numbers of the wrong kind or size are refused", "[formats][config]") {
  struct Case {
    const char* value;
    Errc code;
    const char* shown;
  };
  for (const Case& bad : {Case{"-3", Errc::malformed, "is -3"}, Case{"\"384\"", Errc::malformed, "is \"384\""},
                          Case{"384.0", Errc::malformed, "is 384.0"}, Case{"true", Errc::malformed, "is true"},
                          Case{"[384]", Errc::malformed, "is an array"}, Case{"0", Errc::malformed, "is 0"},
                          Case{"1000000000", Errc::limit, "is 1000000000"}, Case{"65537", Errc::limit, "is 65537"},
                          Case{"18446744073709551616", Errc::malformed, "is 18446744073709551616"}}) {
    DYNAMIC_SECTION(bad.value) {
      const ConfigFile c = config(message("{\"hidden_size\": ", bad.value, "}"));
      const std::vector<std::string> parts = {"m/config.json", "hidden_size", bad.shown, "1 to 65536"};
      expect_error(bad.code, parts, [&] { c.integer({"hidden_size"}, 1, 65536); });
      expect_error(bad.code, parts, [&] { c.integer({"hidden_size"}, 1, 65536, 5); });
    }
  }
  CHECK(config(R"({"n": 65536})").integer({"n"}, 1, 65536) == 65536);
  CHECK(config(R"({"n": 1})").integer({"n"}, 1, 65536) == 1);
}

TEST_CASE("numbers, texts and flags are checked as well", "[formats][config]") {
  const ConfigFile c =
      config(R"({"eps": 2, "act": 3, "tied": "yes", "neg": -1e-9, "big": 1e30, "ok": 1e-12, "s": "x"})");
  expect_error(Errc::malformed, {"m/config.json", "eps is 2", "0.0 to 1.0"}, [&] { c.number({"eps"}, 0, 1); });
  expect_error(Errc::malformed, {"m/config.json", "neg is -1e-09"}, [&] { c.number({"neg"}, 0, 1); });
  expect_error(Errc::malformed, {"m/config.json", "big is 1e+30"}, [&] { c.number({"big"}, 0, 1, 0.5); });
  expect_error(Errc::malformed, {"m/config.json", "s is \"x\""}, [&] { c.number({"s"}, 0, 1); });
  expect_error(Errc::malformed, {"m/config.json: act is 3", "a string"}, [&] { c.text({"act"}); });
  expect_error(Errc::malformed, {"m/config.json: tied is \"yes\"", "true or false"},
               [&] { c.boolean({"tied"}, false); });
  CHECK(c.number({"ok"}, 0, 1) == 1e-12);
}

TEST_CASE("case 68: an unknown model_type is refused with the list of those supported", "[formats][config]") {
  constexpr std::array<std::string_view, 2> kKnown = {"bert", "llama"};
  expect_error(Errc::unsupported, {"m/config.json", "model_type is \"t5\"", "bert, llama"},
               [&] { config(R"({"model_type": "t5"})").fail_model_type(kKnown); });
}

TEST_CASE("case 71: an already quantized model is refused unless allowed", "[formats][config]") {
  const std::string text = R"({"quantization_config": {"quant_method": "gptq", "bits": 4}, "n": 3})";
  expect_error(Errc::unsupported,
               {"m/config.json", "quantization_config", "already quantized (method \"gptq\")", "--allow-requantize"},
               [&] { config(text); });
  expect_error(Errc::unsupported, {"method unknown"}, [] { config(R"({"quantization_config": {}})"); });
  CHECK(ConfigFile::parse(text, "c", {.allow_requantize = true}).integer({"n"}, 0, 9) == 3);
  CHECK(config(R"({"quantization_config": null, "n": 3})").integer({"n"}, 0, 9) == 3);
}

}  // namespace
}  // namespace lathe
