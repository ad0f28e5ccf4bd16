#pragma once
// A GGUF model that is small enough for a test and whose every part can be broken.

#include "tests/support/gguf_builder.h"

namespace lathe::test {

inline constexpr uint64_t kTinyHidden = 8, kTinyNeurons = 12, kTinyHeads = 2, kTinyTokens = 6;

/// Numbers that tell where they stand: 1000 * tensor + index.
inline std::vector<float> counted(uint64_t count, float first) {
  std::vector<float> values(count);
  for (uint64_t i = 0; i < count; ++i) values[i] = first + static_cast<float>(i);
  return values;
}

inline void add_tiny_tokenizer(GgufBuilder& builder) {
  builder.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "gpt-2");
  builder.strings("tokenizer.ggml.tokens", {"a", "b", "c", "d", "ab", "<e>"});
  builder.strings("tokenizer.ggml.merges", {"a b"});
  builder.integers("tokenizer.ggml.token_type", {1, 1, 1, 1, 1, 3});
  builder.u32("tokenizer.ggml.eos_token_id", 5);
}

/// One layer of f32; keys and values have one head for both of the queries.
inline GgufBuilder tiny_llama(const std::string& architecture = "llama", bool with_head = false) {
  GgufBuilder builder;
  const auto key = [&](const char* name) { return architecture + "." + name; };
  builder.text("general.architecture", architecture);
  builder.u32(key("block_count"), 1).u32(key("context_length"), 32);
  builder.u32(key("embedding_length"), kTinyHidden).u32(key("feed_forward_length"), kTinyNeurons);
  builder.u32(key("attention.head_count"), kTinyHeads).u32(key("attention.head_count_kv"), 1);
  builder.f32(key("attention.layer_norm_rms_epsilon"), 1e-5f).f32(key("rope.freq_base"), 1000);
  add_tiny_tokenizer(builder);
  const uint64_t kv = kTinyHidden / kTinyHeads;
  float first = 0;
  const auto add = [&](const char* name, const std::vector<uint64_t>& dims) {
    uint64_t count = 1;
    for (const uint64_t dim : dims) count *= dim;
    builder.tensor_f32(name, dims, counted(count, first += 1000));
  };
  add("token_embd.weight", {kTinyHidden, kTinyTokens});
  add("blk.0.attn_norm.weight", {kTinyHidden});
  add("blk.0.attn_q.weight", {kTinyHidden, kTinyHidden});
  add("blk.0.attn_k.weight", {kTinyHidden, kv});
  add("blk.0.attn_v.weight", {kTinyHidden, kv});
  if (architecture == "qwen2") {
    add("blk.0.attn_q.bias", {kTinyHidden});
    add("blk.0.attn_k.bias", {kv});
    add("blk.0.attn_v.bias", {kv});
  }
  if (architecture == "qwen3") {
    add("blk.0.attn_q_norm.weight", {kv});
    add("blk.0.attn_k_norm.weight", {kv});
  }
  add("blk.0.attn_output.weight", {kTinyHidden, kTinyHidden});
  add("blk.0.ffn_norm.weight", {kTinyHidden});
  add("blk.0.ffn_gate.weight", {kTinyHidden, kTinyNeurons});
  add("blk.0.ffn_up.weight", {kTinyHidden, kTinyNeurons});
  add("blk.0.ffn_down.weight", {kTinyNeurons, kTinyHidden});
  add("output_norm.weight", {kTinyHidden});
  if (with_head) add("output.weight", {kTinyHidden, kTinyTokens});
  return builder;
}

inline GgufBuilder tiny_gpt2() {
  GgufBuilder builder;
  builder.text("general.architecture", "gpt2");
  builder.u32("gpt2.block_count", 1).u32("gpt2.context_length", 5);
  builder.u32("gpt2.embedding_length", kTinyHidden).u32("gpt2.feed_forward_length", kTinyNeurons);
  builder.u32("gpt2.attention.head_count", kTinyHeads).f32("gpt2.attention.layer_norm_epsilon", 1e-5f);
  add_tiny_tokenizer(builder);
  float first = 0;
  const auto add = [&](const std::string& name, const std::vector<uint64_t>& dims) {
    uint64_t count = 1;
    for (const uint64_t dim : dims) count *= dim;
    builder.tensor_f32(name, dims, counted(count, first += 1000));
  };
  const auto add_both = [&](const std::string& name, uint64_t in, uint64_t out) {
    add(name + ".weight", in == 0 ? std::vector<uint64_t>{out} : std::vector<uint64_t>{in, out});
    add(name + ".bias", {out});
  };
  add("token_embd.weight", {kTinyHidden, kTinyTokens});
  add("position_embd.weight", {kTinyHidden, 5});
  add_both("blk.0.attn_norm", 0, kTinyHidden);
  add_both("blk.0.attn_qkv", kTinyHidden, 3 * kTinyHidden);
  add_both("blk.0.attn_output", kTinyHidden, kTinyHidden);
  add_both("blk.0.ffn_norm", 0, kTinyHidden);
  add_both("blk.0.ffn_up", kTinyHidden, kTinyNeurons);
  add_both("blk.0.ffn_down", kTinyNeurons, kTinyHidden);
  add_both("output_norm", 0, kTinyHidden);
  return builder;
}

}  // namespace lathe::test
