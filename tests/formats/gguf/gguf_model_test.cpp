#include "formats/gguf/gguf_model.h"

#include <catch2/catch.hpp>

#include "tests/formats/expect_error.h"
#include "tests/support/gguf_tiny.h"
#include "tests/support/paths.h"

namespace lathe {
namespace {

using test::counted;
using test::expect_error;
using test::GgufBuilder;
using test::tiny_gpt2;
using test::tiny_llama;

constexpr const char* kPath = "some/model.gguf";

/// A model and the bytes that it reads.
struct Opened {
  std::string file;
  GgufModel model;

  explicit Opened(const GgufBuilder& builder, bool allow_requantize = false)
      : file(builder.build()),
        model(open_gguf_model(std::make_shared<GgufFile>(std::as_bytes(std::span(file)), kPath), allow_requantize)) {}

  std::vector<float> values(std::string_view name) const { return read_f32(*model.checkpoint, name); }
  Shape shape(std::string_view name) const { return model.checkpoint->tensor(name).shape; }
};

void expect_refused(Errc code, std::vector<std::string> parts, const GgufBuilder& builder) {
  parts.emplace_back(kPath);
  expect_error(code, parts, [&] { Opened{builder}; });
}

TEST_CASE("a GGUF file of a real writer has the tensors of the checkpoint that it was made from", "[formats][gguf]") {
  const std::filesystem::path folder = test::data_path("gguf");
  const GgufModel model = open_gguf_model(folder / "tiny-llama.gguf", true);
  const auto expected = open_checkpoint(folder / "tiny-llama.safetensors");
  CHECK(model.checkpoint->names() == expected->names());
  for (const std::string& name : expected->names()) {
    INFO(name);
    CHECK(model.checkpoint->tensor(name).shape == expected->tensor(name).shape);
    CHECK(read_f32(*model.checkpoint, name) == read_f32(*expected, name));
    model.checkpoint->release(name);
    CHECK(read_f32(*model.checkpoint, name) == read_f32(*expected, name));
  }
  CHECK(model.quantized == "Q4_0 (1 tensor), Q4_1 (1 tensor), Q5_0 (1 tensor), Q8_0 (2 tensors)");
  CHECK(model.checkpoint->files().size() == 1);
  expect_error(Errc::unsupported, {"tiny-llama.gguf", "Q4_1 (1 tensor)", "--allow-requantize"},
               [&] { open_gguf_model(folder / "tiny-llama.gguf", false); });
}

TEST_CASE("heads of queries and keys of a GGUF llama are put back into halves", "[formats][gguf]") {
  const Opened opened(tiny_llama());
  // Heads of four rows: in the file, rows 0 and 1 are the first of both halves.
  const std::vector<float> k = opened.values("model.layers.0.self_attn.k_proj.weight");
  const std::vector<float> first = {k[0], k[8], k[16], k[24]};
  CHECK(first == std::vector<float>{4000, 4016, 4008, 4024});
  const std::vector<float> q = opened.values("model.layers.0.self_attn.q_proj.weight");
  CHECK(q[4 * 8 + 1] == 3000 + 4 * 8 + 1);
  CHECK(q[5 * 8] == 3000 + 6 * 8);
  CHECK(opened.values("model.layers.0.self_attn.v_proj.weight") == counted(32, 5000));
  CHECK(opened.shape("model.layers.0.mlp.up_proj.weight") == Shape{12, 8});
}

TEST_CASE("the metadata of a GGUF llama becomes its config", "[formats][gguf]") {
  const Opened opened(tiny_llama());
  CHECK(to_text(opened.model.config.json()) ==
        R"({"model_type": "llama", "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1, )"
        R"("num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4, "hidden_act": "silu", )"
        R"("rms_norm_eps": 1e-05, "max_position_embeddings": 32, "attention_bias": false, "mlp_bias": false, )"
        R"("rope_theta": 1000.0, "vocab_size": 6, "tie_word_embeddings": true})");
  CHECK(opened.model.config.path() == kPath);
  CHECK(opened.model.quantized.empty());
  const Opened untied(tiny_llama("llama", true));
  CHECK_FALSE(untied.model.config.boolean({"tie_word_embeddings"}));
  CHECK(untied.shape("lm_head.weight") == Shape{6, 8});
}

TEST_CASE("windows, scaled positions and head widths of GGUF files reach the config", "[formats][gguf]") {
  const Opened windowed(tiny_llama().u32("llama.attention.sliding_window", 16));
  CHECK(windowed.model.config.model_type() == "mistral");
  CHECK(windowed.model.config.integer({"sliding_window"}, 1, 100) == 16);
  const Opened scaled(tiny_llama().text("llama.rope.scaling.type", "linear").f32("llama.rope.scaling.factor", 4));
  CHECK(scaled.model.config.text({"rope_scaling.rope_type"}) == "linear");
  CHECK(scaled.model.config.number({"rope_scaling.factor"}, 0, 10) == 4);
  for (const char* factor : {"llama.rope.scaling.factor", "llama.rope.scale_linear"}) {  // linear without a type
    const Opened untyped(tiny_llama().f32(factor, 4));
    CHECK(untyped.model.config.text({"rope_scaling.rope_type"}) == "linear");
    CHECK(untyped.model.config.number({"rope_scaling.factor"}, 0, 10) == 4);
  }
  const Opened factors(tiny_llama().tensor_f32("rope_freqs.weight", {2}, {1, 8}));
  CHECK(factors.values("rope_freqs.weight") == std::vector<float>{1, 8});
  const Opened plain(tiny_llama().remove("llama.rope.freq_base").u32("llama.attention.key_length", 4));
  CHECK(plain.model.config.number({"rope_theta"}, 0, 1e6) == 10000);
}

TEST_CASE("rows of Qwen in GGUF files stay as they are, with biases and head norms", "[formats][gguf]") {
  const Opened two(tiny_llama("qwen2"));
  CHECK(two.model.config.model_type() == "qwen2");
  CHECK(two.values("model.layers.0.self_attn.q_proj.weight") == counted(64, 3000));
  CHECK(two.values("model.layers.0.self_attn.q_proj.bias") == counted(8, 6000));
  const Opened three(tiny_llama("qwen3"));
  CHECK(three.values("model.layers.0.self_attn.k_proj.weight") == counted(32, 4000));
  CHECK(three.values("model.layers.0.self_attn.k_norm.weight") == counted(4, 7000));
}

TEST_CASE("linear layers of GPT-2 in GGUF files are transposed back", "[formats][gguf]") {
  const Opened opened(tiny_gpt2());
  CHECK(opened.model.config.model_type() == "gpt2");
  CHECK(opened.model.config.integer({"n_inner"}, 1, 100) == 12);
  CHECK(opened.shape("transformer.h.0.attn.c_attn.weight") == Shape{8, 24});
  const std::vector<float> fused = opened.values("transformer.h.0.attn.c_attn.weight");
  CHECK(fused[0] == 5000);
  CHECK(fused[1] == 5008);
  CHECK(fused[24] == 5001);
  CHECK(opened.shape("transformer.h.0.mlp.c_proj.weight") == Shape{12, 8});
  CHECK(opened.shape("transformer.wte.weight") == Shape{6, 8});
}

TEST_CASE("a key that a GGUF model needs is missed by its name", "[formats][gguf]") {
  for (const char* key :
       {"general.architecture", "llama.block_count", "llama.context_length", "llama.embedding_length",
        "llama.feed_forward_length", "llama.attention.head_count", "llama.attention.layer_norm_rms_epsilon",
        "tokenizer.ggml.model", "tokenizer.ggml.tokens", "tokenizer.ggml.merges"}) {
    DYNAMIC_SECTION("case 153: " << key) {
      expect_refused(Errc::malformed, {message("key ", key, " is missing")}, tiny_llama().remove(key));
    }
  }
  // Without it there are as many heads of keys as of queries, which the tensor contradicts.
  expect_refused(Errc::malformed, {"tensor blk.0.attn_k.weight has shape [4, 8], expected 2 heads of 4 rows"},
                 tiny_llama().remove("llama.attention.head_count_kv"));
}

TEST_CASE("tokens that contradict the embedding table of a GGUF file are refused", "[formats][gguf]") {
  const auto with = [](const char* key) { return tiny_llama().remove(key); };
  expect_refused(Errc::malformed, {"tokenizer.ggml.tokens has 2 elements", "6 rows"},
                 with("tokenizer.ggml.tokens").strings("tokenizer.ggml.tokens", {"a", "b"}));
  // Case 154: as many types as tokens; case 155: ids below the rows.
  expect_refused(Errc::malformed, {"tokenizer.ggml.token_type has 5 elements", "6 rows"},
                 with("tokenizer.ggml.token_type").integers("tokenizer.ggml.token_type", {1, 1, 1, 1, 1}));
  expect_refused(Errc::malformed, {"key tokenizer.ggml.eos_token_id is 6", "from 0 to 5"},
                 with("tokenizer.ggml.eos_token_id").u32("tokenizer.ggml.eos_token_id", 6));
  expect_refused(Errc::malformed, {"key llama.vocab_size is 7", "from 6 to 6"},
                 tiny_llama().u32("llama.vocab_size", 7));
}

TEST_CASE("tensors too few or too many in a GGUF file are refused", "[formats][gguf]") {
  const std::vector<float> four = {1, 2, 3, 4};
  expect_refused(Errc::malformed, {"tensor blk.1.attn_norm.weight is missing"},
                 tiny_llama().remove("llama.block_count").u32("llama.block_count", 2));
  expect_refused(Errc::malformed, {"tensor blk.1.ffn_up.weight is not part of a llama of 1 layers"},
                 tiny_llama().tensor_f32("blk.1.ffn_up.weight", {4}, four));
  for (const char* name : {"extra", "blk.00.ffn_up.weight", "blk.0.attn_q_norm.weight", "blk.x.ffn_up.weight"}) {
    expect_refused(Errc::malformed, {message("tensor ", name, " is not part of a llama")},
                   tiny_llama().tensor_f32(name, {4}, four));
  }
}

TEST_CASE("GGUF models beyond what is read are refused by their key", "[formats][gguf]") {
  expect_refused(Errc::unsupported, {"general.architecture is \"gemma\"", "llama, qwen2, qwen3, gpt2"},
                 tiny_llama().remove("general.architecture").text("general.architecture", "gemma"));
  expect_refused(Errc::unsupported, {"key llama.expert_count is 8"}, tiny_llama().u32("llama.expert_count", 8));
  expect_refused(Errc::unsupported, {"key llama.attention.value_length is 2", "width of a head, 4"},
                 tiny_llama().u32("llama.attention.value_length", 2));
  expect_refused(Errc::unsupported, {"key llama.rope.dimension_count is 2"},
                 tiny_llama().u32("llama.rope.dimension_count", 2));
  expect_refused(Errc::malformed, {"key llama.attention.head_count_kv is 3", "from 1 to 2"},
                 tiny_llama().remove("llama.attention.head_count_kv").u32("llama.attention.head_count_kv", 3));
  expect_refused(Errc::malformed, {"key llama.rope.freq_base is -1", "above 0"},
                 tiny_llama().remove("llama.rope.freq_base").f32("llama.rope.freq_base", -1));
}

}  // namespace
}  // namespace lathe
