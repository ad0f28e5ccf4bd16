#include "formats/huggingface/sentence_transformers.h"

#include <catch2/catch.hpp>

#include "tests/formats/expect_error.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_error;
using test::TempDir;

std::string module(std::string_view type, std::string_view path) {
  return message(R"({"idx":0,"name":"0","path":")", path, R"(","type":"sentence_transformers.models.)", type, "\"}");
}
const std::string kTransformer = module("Transformer", "");
const std::string kPooling = module("Pooling", "1_Pooling");
const std::string kNormalize = module("Normalize", "2_Normalize");
constexpr const char* kMean = R"({"word_embedding_dimension":4,"pooling_mode_cls_token":false,
                                  "pooling_mode_mean_tokens":true,"pooling_mode_max_tokens":false})";

void write_model(const TempDir& dir, const std::string& modules, std::string_view pooling = kMean) {
  dir.write("modules.json", "[" + modules + "]");
  dir.write("1_Pooling/config.json", pooling);
}

TEST_CASE("a folder without modules.json is no sentence-transformers model", "[formats][sentence_transformers]") {
  CHECK_FALSE(read_sentence_transformer(TempDir().path()).has_value());
}

TEST_CASE("pooling, normalization and length are read", "[formats][sentence_transformers]") {
  struct Case {
    const char* pooling;
    Pooling expected;
  };
  for (const Case& good :
       {Case{kMean, Pooling::mean}, Case{R"({"pooling_mode_cls_token":true})", Pooling::first},
        Case{R"({"pooling_mode_max_tokens":true,"include_prompt":true})", Pooling::max},
        Case{R"({"pooling_mode":"mean"})", Pooling::mean}, Case{R"({"pooling_mode":"cls"})", Pooling::first}}) {
    const TempDir dir;
    write_model(dir, kTransformer + "," + kPooling, good.pooling);
    const auto plain = read_sentence_transformer(dir.path());
    REQUIRE(plain.has_value());
    CHECK(plain->pooling == good.expected);
    CHECK_FALSE(plain->normalize);
    CHECK_FALSE(plain->max_length.has_value());
  }
  const TempDir dir;
  write_model(dir, kTransformer + "," + kPooling + "," + kNormalize);
  dir.write("sentence_bert_config.json", R"({"max_seq_length": 256, "do_lower_case": false})");
  CHECK(read_sentence_transformer(dir.path())->normalize);
  CHECK(read_sentence_transformer(dir.path())->max_length == 256u);
  dir.write("sentence_bert_config.json", R"({"max_seq_length": null})");
  CHECK_FALSE(read_sentence_transformer(dir.path())->max_length.has_value());
}

TEST_CASE("the default prompt is read", "[formats][sentence_transformers]") {
  const TempDir dir;
  write_model(dir, kTransformer + "," + kPooling);
  const auto prompt = [&] { return read_sentence_transformer(dir.path())->default_prompt; };
  const auto write = [&](std::string_view text) { dir.write("config_sentence_transformers.json", text); };
  CHECK(prompt().empty());
  write(R"({"prompts": {"query": "query: "}, "default_prompt_name": null})");
  CHECK(prompt().empty());
  write(R"({"prompts": {"query": "query: ", "document": ""}, "default_prompt_name": "query"})");
  CHECK(prompt() == "query: ");
  write_model(dir, kTransformer + "," + kPooling, R"({"pooling_mode":"mean","include_prompt":false})");
  expect_error(Errc::unsupported, {"1_Pooling", "include_prompt is false"}, prompt);
  write(R"({"prompts": {"query": "query: "}, "default_prompt_name": "document"})");
  expect_error(Errc::malformed, {"default_prompt_name is \"document\"", "prompts lacks"}, prompt);
  write(R"({"default_prompt_name": "query"})");
  expect_error(Errc::malformed, {"config_sentence_transformers.json", "prompts"}, prompt);
  write(R"({"prompts": {"query": 3}, "default_prompt_name": "query"})");
  expect_error(Errc::malformed, {"config_sentence_transformers.json: prompts"}, prompt);
}

TEST_CASE("pooling that is not handled is named", "[formats][sentence_transformers]") {
  struct Case {
    const char* pooling;
    Errc code;
    std::vector<std::string> parts;
  };
  const std::vector<Case> cases = {
      {R"({"pooling_mode_mean_sqrt_len_tokens":true})", Errc::unsupported, {"pooling_mode_mean_sqrt_len_tokens"}},
      {R"({"pooling_mode_lasttoken":true})", Errc::unsupported, {"pooling_mode_lasttoken"}},
      {R"({"pooling_mode_weightedmean_tokens":true})", Errc::unsupported, {"pooling_mode_weightedmean_tokens"}},
      {R"({"pooling_mode":"lasttoken"})", Errc::unsupported, {"lasttoken"}},
      {R"({"pooling_mode_cls_token":true,"pooling_mode_max_tokens":true})",
       Errc::unsupported,
       {"combination", "pooling_mode_cls_token with pooling_mode_max_tokens"}},
      {R"({"pooling_mode_cls_token":false})", Errc::malformed, {"no pooling mode"}},
      {R"({"pooling_mode_cls_token":1})", Errc::malformed, {"pooling_mode_cls_token is 1", "true or false"}},
      {"[]", Errc::malformed, {"an array"}},
      {"{", Errc::malformed, {"not valid JSON"}},
  };
  for (const Case& bad : cases) {
    DYNAMIC_SECTION(bad.pooling) {
      const TempDir dir;
      write_model(dir, kTransformer + "," + kPooling, bad.pooling);
      std::vector<std::string> parts = bad.parts;
      parts.push_back((dir / "1_Pooling/config.json").string());
      expect_error(bad.code, parts, [&] { read_sentence_transformer(dir.path()); });
    }
  }
}

TEST_CASE("modules that are not handled are named", "[formats][sentence_transformers]") {
  struct Case {
    std::string modules;
    Errc code;
    std::vector<std::string> parts;
  };
  const std::vector<Case> cases = {
      {kTransformer + "," + kPooling + "," + module("Dense", "2_Dense"),
       Errc::unsupported,
       {"module 2", "models.Dense"}},
      {kTransformer + "," + kPooling + "," + kNormalize + "," + kNormalize,
       Errc::unsupported,
       {"module 3", "Normalize"}},
      {module("CNN", ""), Errc::unsupported, {"module 0", "models.CNN"}},
      {kTransformer, Errc::unsupported, {"no Pooling"}},
      {"", Errc::unsupported, {"no Pooling"}},
      {module("Transformer", "0_Transformer") + "," + kPooling, Errc::unsupported, {"module 0", "0_Transformer"}},
      {kTransformer + "," + module("Pooling", "../p"), Errc::malformed, {"module 1: path", "../p", "bare name"}},
      {kTransformer + "," + module("Pooling", "/etc"), Errc::malformed, {"module 1: path", "/etc", "bare name"}},
      {"7", Errc::malformed, {"module 0 is 7", "an object"}},
      {R"({"path":""})", Errc::malformed, {"module 0 has no \"type\""}},
      {R"({"type":"a.Transformer"})", Errc::malformed, {"module 0 has no \"path\""}},
  };
  for (const Case& bad : cases) {
    DYNAMIC_SECTION(bad.modules) {
      const TempDir dir;
      write_model(dir, bad.modules);
      std::vector<std::string> parts = bad.parts;
      parts.push_back((dir / "modules.json").string());
      expect_error(bad.code, parts, [&] { read_sentence_transformer(dir.path()); });
    }
  }
}

TEST_CASE("a missing pooling config and a bad length are named", "[formats][sentence_transformers]") {
  const TempDir dir;
  write_model(dir, kTransformer + "," + kPooling);
  for (const char* value : {"1", "0", "-5", "\"256\"", "2.5", "1000001"}) {
    dir.write("sentence_bert_config.json", message("{\"max_seq_length\": ", value, "}"));
    expect_error(Errc::malformed,
                 {(dir / "sentence_bert_config.json").string(), "max_seq_length is ", value, "1000000"},
                 [&] { read_sentence_transformer(dir.path()); });
  }
  std::filesystem::remove(dir / "1_Pooling/config.json");
  expect_error(Errc::no_input, {(dir / "1_Pooling/config.json").string()},
               [&] { read_sentence_transformer(dir.path()); });
}

}  // namespace
}  // namespace lathe
