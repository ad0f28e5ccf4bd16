#include "formats/gguf/gguf_tokenizer.h"

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "formats/gguf/gguf_writer.h"
#include "tests/formats/expect_error.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_error;
using Fields = std::map<std::string, GgufField>;

constexpr const char* kTemplate =
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe kind<|im_end|>\n' }}{% endif %}";

/// A llama with nine tokens.
Fields good() {
  return {{"general.architecture", std::string("llama")},
          {"llama.context_length", uint32_t{64}},
          {"tokenizer.ggml.model", std::string("gpt2")},
          {"tokenizer.ggml.pre", std::string("smollm")},
          {"tokenizer.ggml.tokens",
           GgufStrings{"<|endoftext|>", "<|im_start|>", "<|im_end|>", "a", "b", "c", "ab", "abc", "<user>"}},
          {"tokenizer.ggml.token_type", std::vector<int32_t>{3, 3, 3, 1, 1, 1, 1, 1, 4}},
          {"tokenizer.ggml.merges", GgufStrings{"a b", "ab c"}},
          {"tokenizer.ggml.bos_token_id", uint32_t{1}},
          {"tokenizer.ggml.eos_token_id", uint32_t{2}},
          {"tokenizer.ggml.padding_token_id", uint32_t{0}},
          {"tokenizer.chat_template", std::string(kTemplate)}};
}

TokenizerSpec read(const Fields& fields) {
  const test::TempDir dir;
  const auto path = dir.path() / "m.gguf";
  write_gguf(path, fields, {});
  return read_gguf_tokenizer(GgufFile(path));
}
Fields with(const std::string& key, GgufField value) {
  Fields fields = good();
  fields.insert_or_assign(key, std::move(value));
  return fields;
}
Fields without(const std::string& key) {
  Fields fields = good();
  fields.erase(key);
  return fields;
}

TEST_CASE("the tokenizer of a GGUF file becomes a specification", "[formats][tokenizer][gguf]") {
  const TokenizerSpec spec = read(good());
  CHECK(spec.kind == TokenizerKind::byte_bpe);
  CHECK(spec.split == BpeSplit::smollm);
  CHECK_FALSE((spec.nfc || spec.ignore_merges || spec.add_prefix_space || spec.add_begin));
  CHECK(spec.vocabulary.size() == 9);
  CHECK(spec.merges == std::vector<BpeMerge>{{3, 4, 6}, {6, 5, 7}});
  REQUIRE(spec.added_tokens.size() == 4);
  CHECK(spec.added_tokens[2] == AddedToken{.id = 2, .content = "<|im_end|>"});
  CHECK(spec.added_tokens[3] == AddedToken{.id = 8, .content = "<user>", .special = false});
  CHECK(spec.begin_id == 1);
  CHECK(spec.end_id == 2);
  CHECK(spec.pad_id == 0);
  CHECK(spec.unknown_id == kNoToken);
  CHECK(spec.max_length == 64);
  CHECK(spec.stop_ids == std::vector<uint32_t>{2, 0});
  CHECK(spec.chat == ChatForm::jinja);
  CHECK(spec.chat_template == kTemplate);
  CHECK(spec.chat_variables == std::vector<ChatVariable>{{"bos_token", spec.vocabulary[1]},
                                                         {"eos_token", spec.vocabulary[2]},
                                                         {"pad_token", spec.vocabulary[0]}});
  CHECK(decode_tokenizer(encode_tokenizer(spec), "x") == spec);
}

TEST_CASE("tokenizer.ggml.pre names the steps", "[formats][tokenizer][gguf]") {
  const auto named = [](const char* name) { return read(with("tokenizer.ggml.pre", std::string(name))); };
  CHECK(named("gpt-2").split == BpeSplit::gpt2);
  CHECK(named("qwen2").split == BpeSplit::qwen2);
  CHECK(named("qwen2").nfc);
  for (const char* name : {"llama-bpe", "llama-v3", "llama3"}) {
    CHECK(named(name).split == BpeSplit::llama3);
    CHECK(named(name).ignore_merges);
    CHECK(named(name).add_begin);
  }
  Fields llama = with("tokenizer.ggml.pre", std::string("llama-bpe"));
  llama["tokenizer.ggml.add_bos_token"] = false;
  CHECK_FALSE(read(llama).add_begin);
  CHECK(read(with("tokenizer.ggml.add_bos_token", true)).add_begin);
  expect_error(Errc::unsupported, {"m.gguf", "tokenizer.ggml.pre", "\"chatglm-bpe\"", "llama-bpe"},
               [&] { named("chatglm-bpe"); });
  expect_error(Errc::unsupported, {"m.gguf", "tokenizer.ggml.pre is absent"},
               [] { read(without("tokenizer.ggml.pre")); });
  Fields gpt2 = without("tokenizer.ggml.pre");
  gpt2["general.architecture"] = std::string("gpt2");
  CHECK(read(gpt2).split == BpeSplit::gpt2);
}

TEST_CASE("what a GGUF file leaves out is absent from the specification", "[formats][tokenizer][gguf]") {
  Fields fields = good();
  for (const char* key :
       {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.padding_token_id",
        "tokenizer.chat_template", "tokenizer.ggml.token_type", "llama.context_length"}) {
    fields.erase(key);
  }
  const TokenizerSpec spec = read(fields);
  CHECK(spec.begin_id == kNoToken);
  CHECK(spec.end_id == kNoToken);
  CHECK(spec.added_tokens.empty());
  CHECK(spec.stop_ids.empty());
  CHECK(spec.chat == ChatForm::none);
  CHECK(spec.chat_variables.empty());
  CHECK(spec.max_length == 0xFFFFFFFF);
  CHECK(read(with("tokenizer.ggml.eot_token_id", uint32_t{8})).stop_ids == std::vector<uint32_t>{2, 8, 0});
}

TEST_CASE("a GGUF tokenizer that breaks a rule is refused", "[formats][tokenizer][gguf]") {
  const std::string merges = "tokenizer.ggml.merges";
  const std::string tokens = "tokenizer.ggml.tokens";
  const auto token_list = [&](const char* last) {
    return with(tokens, GgufStrings{"x", "y", "z", "a", "b", "c", "ab", "abc", last});
  };
  struct Row {
    const char* name;
    Fields fields;
    Errc code;
    std::vector<std::string> parts;
  };
  const std::vector<Row> rows = {
      {"another model",
       with("tokenizer.ggml.model", std::string("llama")),
       Errc::unsupported,
       {"tokenizer.ggml.model is \"llama\"", "gpt2"}},
      {"no merges", without(merges), Errc::malformed, {merges}},
      {"case 154: fewer types than tokens",
       with("tokenizer.ggml.token_type", std::vector<int32_t>{3, 3}),
       Errc::malformed,
       {"token_type has 2", "has 9"}},
      {"case 155: begin token beyond the tokens",
       with("tokenizer.ggml.bos_token_id", uint32_t{9}),
       Errc::malformed,
       {"tokenizer.ggml.bos_token_id", "9"}},
      {"case 155: end token beyond the tokens",
       with("tokenizer.ggml.eos_token_id", uint32_t{0xFFFFFFFF}),
       Errc::malformed,
       {"tokenizer.ggml.eos_token_id"}},
      {"case 176: a token twice", token_list("ab"), Errc::malformed, {tokens, "\"ab\"", "6", "8"}},
      {"case 179: part not there", with(merges, GgufStrings{"a b", "x c"}), Errc::malformed, {merges + "[1]", "\"x\""}},
      {"case 179: result not there", with(merges, GgufStrings{"b c"}), Errc::malformed, {merges + "[0]", "\"bc\""}},
      {"a merge twice",
       with(merges, GgufStrings{"a b", "ab c", "a b"}),
       Errc::malformed,
       {merges, "\"a\" and \"b\"", "twice"}},
      {"case 180: one part", with(merges, GgufStrings{"ab"}), Errc::malformed, {merges + "[0]", "not two tokens"}},
      {"case 180: three parts", with(merges, GgufStrings{"a b c"}), Errc::malformed, {merges + "[0]", "not two"}},
      {"case 180: an empty part", with(merges, GgufStrings{"a "}), Errc::malformed, {merges + "[0]", "not two"}},
      {"end tokens are asked for",
       with("tokenizer.ggml.add_eos_token", true),
       Errc::unsupported,
       {"tokenizer.ggml.add_eos_token is true"}},
  };
  for (const Row& row : rows) {
    DYNAMIC_SECTION(row.name) {
      std::vector<std::string> parts = row.parts;
      parts.emplace_back("m.gguf");
      expect_error(row.code, parts, [&] { read(row.fields); });
    }
  }
  Fields no_begin = without("tokenizer.ggml.bos_token_id");
  no_begin["tokenizer.ggml.add_bos_token"] = true;
  expect_error(Errc::malformed, {"tokenizer.ggml.add_bos_token is true"}, [&] { read(no_begin); });
}

}  // namespace
}  // namespace lathe
