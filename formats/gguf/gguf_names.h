#pragma once
// What tensors are called in GGUF files and in folders of Hugging Face, and how their numbers lie in each.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lathe {

enum class GgufArchitecture { llama, qwen2, qwen3, gpt2 };
inline constexpr size_t kGgufArchitectures = 4;

/// What export to GGUF does to a tensor.
enum class GgufLayout {
  same,
  q_rows,      // rows of each of the query heads: two halves become neighbours (arch llama alone)
  k_rows,      // the same with the heads of keys
  transposed,  // [in, out] becomes [out, in]
};

struct GgufName {
  std::string_view gguf;  // "blk.{}.attn_q.weight"; {} stands for the layer
  std::string_view hf;    // "model.layers.{}.self_attn.q_proj.weight"
  GgufLayout layout = GgufLayout::same;
  bool is_required = true;
};

struct GgufArchitectureRow {
  GgufArchitecture architecture;
  std::string_view name;  // general.architecture, and model_type
  std::span<const GgufName> names;
};

/// nullptr when there is none of that name.
const GgufArchitectureRow* find_gguf_architecture(std::string_view name);
/// "llama, qwen2, ..."
std::string gguf_architecture_list();

/// A name that is in the table, and the layer, 0 where the name has none.
struct GgufPlace {
  const GgufName* name = nullptr;
  uint64_t layer = 0;
};
std::optional<GgufPlace> find_gguf_name(const GgufArchitectureRow& row, std::string_view tensor);

/// The row of the table for a name of Hugging Face; nullptr when there is none. `pattern` has {} for the layer.
const GgufName* find_hf_name(const GgufArchitectureRow& row, std::string_view pattern);

/// The pattern with the layer put in.
std::string with_layer(std::string_view pattern, uint64_t layer);
bool has_layer(std::string_view pattern);

/// Which row of a tensor in the order of Hugging Face stands in row `row` of a GGUF file of arch llama: within a head
/// of `width` rows, neighbours there are the two halves here.
constexpr uint64_t hf_row(uint64_t row, uint64_t width) {
  const uint64_t head = row / width;
  const uint64_t within = row % width;
  return head * width + within % 2 * (width / 2) + within / 2;
}

}  // namespace lathe
