#include "formats/gguf/gguf_names.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace lathe {
namespace {

using enum GgufLayout;

constexpr std::array<GgufName, 20> kLlama = {{
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight", same, false},
    {"rope_freqs.weight", "rope_freqs.weight", same, false},
    {"blk.{}.attn_norm.weight", "model.layers.{}.input_layernorm.weight"},
    {"blk.{}.attn_q.weight", "model.layers.{}.self_attn.q_proj.weight", q_rows},
    {"blk.{}.attn_k.weight", "model.layers.{}.self_attn.k_proj.weight", k_rows},
    {"blk.{}.attn_v.weight", "model.layers.{}.self_attn.v_proj.weight"},
    {"blk.{}.attn_output.weight", "model.layers.{}.self_attn.o_proj.weight"},
    {"blk.{}.ffn_norm.weight", "model.layers.{}.post_attention_layernorm.weight"},
    {"blk.{}.ffn_gate.weight", "model.layers.{}.mlp.gate_proj.weight"},
    {"blk.{}.ffn_up.weight", "model.layers.{}.mlp.up_proj.weight"},
    {"blk.{}.ffn_down.weight", "model.layers.{}.mlp.down_proj.weight"},
    {"blk.{}.attn_q.bias", "model.layers.{}.self_attn.q_proj.bias", q_rows, false},
    {"blk.{}.attn_k.bias", "model.layers.{}.self_attn.k_proj.bias", k_rows, false},
    {"blk.{}.attn_v.bias", "model.layers.{}.self_attn.v_proj.bias", same, false},
    {"blk.{}.attn_output.bias", "model.layers.{}.self_attn.o_proj.bias", same, false},
    {"blk.{}.ffn_gate.bias", "model.layers.{}.mlp.gate_proj.bias", same, false},
    {"blk.{}.ffn_up.bias", "model.layers.{}.mlp.up_proj.bias", same, false},
    {"blk.{}.ffn_down.bias", "model.layers.{}.mlp.down_proj.bias", same, false},
}};

constexpr std::array<GgufName, 16> kQwen2 = {{
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight", same, false},
    {"rope_freqs.weight", "rope_freqs.weight", same, false},
    {"blk.{}.attn_norm.weight", "model.layers.{}.input_layernorm.weight"},
    {"blk.{}.attn_q.weight", "model.layers.{}.self_attn.q_proj.weight"},
    {"blk.{}.attn_k.weight", "model.layers.{}.self_attn.k_proj.weight"},
    {"blk.{}.attn_v.weight", "model.layers.{}.self_attn.v_proj.weight"},
    {"blk.{}.attn_output.weight", "model.layers.{}.self_attn.o_proj.weight"},
    {"blk.{}.attn_q.bias", "model.layers.{}.self_attn.q_proj.bias"},
    {"blk.{}.attn_k.bias", "model.layers.{}.self_attn.k_proj.bias"},
    {"blk.{}.attn_v.bias", "model.layers.{}.self_attn.v_proj.bias"},
    {"blk.{}.ffn_norm.weight", "model.layers.{}.post_attention_layernorm.weight"},
    {"blk.{}.ffn_gate.weight", "model.layers.{}.mlp.gate_proj.weight"},
    {"blk.{}.ffn_up.weight", "model.layers.{}.mlp.up_proj.weight"},
    {"blk.{}.ffn_down.weight", "model.layers.{}.mlp.down_proj.weight"},
}};

constexpr std::array<GgufName, 19> kQwen3 = {{
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight", same, false},
    {"rope_freqs.weight", "rope_freqs.weight", same, false},
    {"blk.{}.attn_norm.weight", "model.layers.{}.input_layernorm.weight"},
    {"blk.{}.attn_q.weight", "model.layers.{}.self_attn.q_proj.weight"},
    {"blk.{}.attn_k.weight", "model.layers.{}.self_attn.k_proj.weight"},
    {"blk.{}.attn_v.weight", "model.layers.{}.self_attn.v_proj.weight"},
    {"blk.{}.attn_output.weight", "model.layers.{}.self_attn.o_proj.weight"},
    {"blk.{}.attn_q_norm.weight", "model.layers.{}.self_attn.q_norm.weight"},
    {"blk.{}.attn_k_norm.weight", "model.layers.{}.self_attn.k_norm.weight"},
    {"blk.{}.attn_q.bias", "model.layers.{}.self_attn.q_proj.bias", same, false},
    {"blk.{}.attn_k.bias", "model.layers.{}.self_attn.k_proj.bias", same, false},
    {"blk.{}.attn_v.bias", "model.layers.{}.self_attn.v_proj.bias", same, false},
    {"blk.{}.attn_output.bias", "model.layers.{}.self_attn.o_proj.bias", same, false},
    {"blk.{}.ffn_norm.weight", "model.layers.{}.post_attention_layernorm.weight"},
    {"blk.{}.ffn_gate.weight", "model.layers.{}.mlp.gate_proj.weight"},
    {"blk.{}.ffn_up.weight", "model.layers.{}.mlp.up_proj.weight"},
    {"blk.{}.ffn_down.weight", "model.layers.{}.mlp.down_proj.weight"},
}};

constexpr std::array<GgufName, 17> kGpt2 = {{
    {"token_embd.weight", "transformer.wte.weight"},
    {"position_embd.weight", "transformer.wpe.weight"},
    {"output_norm.weight", "transformer.ln_f.weight"},
    {"output_norm.bias", "transformer.ln_f.bias"},
    {"output.weight", "lm_head.weight", same, false},
    {"blk.{}.attn_norm.weight", "transformer.h.{}.ln_1.weight"},
    {"blk.{}.attn_norm.bias", "transformer.h.{}.ln_1.bias"},
    {"blk.{}.attn_qkv.weight", "transformer.h.{}.attn.c_attn.weight", transposed},
    {"blk.{}.attn_qkv.bias", "transformer.h.{}.attn.c_attn.bias"},
    {"blk.{}.attn_output.weight", "transformer.h.{}.attn.c_proj.weight", transposed},
    {"blk.{}.attn_output.bias", "transformer.h.{}.attn.c_proj.bias"},
    {"blk.{}.ffn_norm.weight", "transformer.h.{}.ln_2.weight"},
    {"blk.{}.ffn_norm.bias", "transformer.h.{}.ln_2.bias"},
    {"blk.{}.ffn_up.weight", "transformer.h.{}.mlp.c_fc.weight", transposed},
    {"blk.{}.ffn_up.bias", "transformer.h.{}.mlp.c_fc.bias"},
    {"blk.{}.ffn_down.weight", "transformer.h.{}.mlp.c_proj.weight", transposed},
    {"blk.{}.ffn_down.bias", "transformer.h.{}.mlp.c_proj.bias"},
}};

constexpr std::array<GgufArchitectureRow, kGgufArchitectures> kRows = {{
    {GgufArchitecture::llama, "llama", kLlama},
    {GgufArchitecture::qwen2, "qwen2", kQwen2},
    {GgufArchitecture::qwen3, "qwen3", kQwen3},
    {GgufArchitecture::gpt2, "gpt2", kGpt2},
}};

constexpr std::string_view kBlock = "blk.";

/// The layer after "blk.", as it is written: no sign, no zeros before it. Empty when there is none.
std::string_view layer_digits(std::string_view tensor) {
  if (!tensor.starts_with(kBlock)) return {};
  tensor.remove_prefix(kBlock.size());
  const std::string_view digits = tensor.substr(0, tensor.find_first_not_of("0123456789"));
  return digits.size() > 9 || (digits.size() > 1 && digits.front() == '0') ? std::string_view{} : digits;
}

}  // namespace

const GgufArchitectureRow* find_gguf_architecture(std::string_view name) {
  const auto found = std::find_if(kRows.begin(), kRows.end(), [&](const auto& row) { return row.name == name; });
  return found == kRows.end() ? nullptr : &*found;
}

std::string gguf_architecture_list() {
  std::string list;
  for (const GgufArchitectureRow& row : kRows) list.append(list.empty() ? "" : ", ").append(row.name);
  return list;
}

bool has_layer(std::string_view pattern) { return pattern.find("{}") != pattern.npos; }

std::string with_layer(std::string_view pattern, uint64_t layer) {
  std::string name(pattern);
  const size_t at = name.find("{}");
  if (at != name.npos) name.replace(at, 2, std::to_string(layer));
  return name;
}

const GgufName* find_hf_name(const GgufArchitectureRow& row, std::string_view pattern) {
  const auto found =
      std::find_if(row.names.begin(), row.names.end(), [&](const GgufName& name) { return name.hf == pattern; });
  return found == row.names.end() ? nullptr : &*found;
}

std::optional<GgufPlace> find_gguf_name(const GgufArchitectureRow& row, std::string_view tensor) {
  const std::string_view digits = layer_digits(tensor);
  GgufPlace place;
  std::from_chars(digits.data(), digits.data() + digits.size(), place.layer);
  std::string pattern(tensor);
  if (!digits.empty()) pattern.replace(kBlock.size(), digits.size(), "{}");
  const auto found =
      std::find_if(row.names.begin(), row.names.end(), [&](const GgufName& name) { return name.gguf == pattern; });
  if (found == row.names.end() || has_layer(pattern) == digits.empty()) return std::nullopt;
  place.name = &*found;
  return place;
}

}  // namespace lathe
