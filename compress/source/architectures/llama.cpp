// Decoders in the manner of Llama (Touvron et al., 2023): rms norms before each half, rotary positions, grouped heads
// and a gated feed-forward. Llama and SmolLM2, Mistral with its window, Qwen2 with biases, Qwen3 with normalized heads.

#include <algorithm>

#include "compress/source/architectures/decoder_tensors.h"
#include "compress/source/architectures/rope_frequencies.h"
#include "compress/source/program_builder.h"

namespace lathe {
namespace {

using namespace architectures_detail;

constexpr std::string_view kFrequencyFactors = "rope_freqs.weight";  // of GGUF files: they divide the frequencies

struct LlamaConfig {
  uint64_t hidden, layers, heads, kv_heads, head_width, intermediate, vocabulary, context;
  float epsilon;
  ActivationFunction activation;
  bool qkv_bias, output_bias, mlp_bias, head_norms, tied;
  std::vector<uint64_t> windows;  // by layer; 0: none
  RopeConfig rope;
};

// Fields of relatives of these models that change the arithmetic, and the value with which they do not.
struct Foreign {
  std::string_view field;
  double harmless;
};
constexpr Foreign kForeign[] = {{"num_local_experts", 0},       {"num_experts", 0},         {"n_routed_experts", 0},
                                {"attn_logit_softcapping", 0},  {"logits_scaling", 1},      {"residual_multiplier", 1},
                                {"final_logit_softcapping", 0}, {"embedding_multiplier", 1}};

void refuse_foreign_fields(const ConfigFile& config) {
  for (const Foreign& foreign : kForeign) {
    const Json* value = config.json().find(foreign.field);
    if (value == nullptr || value->is_null()) continue;
    if (value->is_number() && value->as_f64() == foreign.harmless) continue;
    config.fail_field(Errc::unsupported, foreign.field, "which changes the model in a way that is not supported");
  }
}

// Which layers look back a window alone: all of Mistral, and of Qwen those that layer_types or max_window_layers name.
std::vector<uint64_t> read_windows(const ConfigFile& config, std::string_view type, uint64_t layers) {
  std::vector<uint64_t> windows(layers, 0);
  const bool qwen = type == "qwen2" || type == "qwen3";
  if (type == "llama" || (qwen && !config.boolean({"use_sliding_window"}, false))) return windows;
  if (!config.has({"sliding_window"})) return windows;
  const uint64_t window = config.integer({"sliding_window"}, 1, kMaxVocabulary);
  const Json* types = config.json().find("layer_types");
  if (!qwen || types == nullptr || types->is_null()) {
    const uint64_t first = qwen ? config.integer({"max_window_layers"}, 0, kMaxLayers, 28) : 0;
    for (uint64_t layer = first; layer < layers; ++layer) windows[layer] = window;
    return windows;
  }
  const std::string subject = config.path() + ": layer_types";
  const Json::Array& names = types->items(subject);
  if (names.size() != layers)
    fail(Errc::malformed, message(subject, ": has ", names.size(), " of ", layers, " layers"));
  for (uint64_t layer = 0; layer < layers; ++layer) {
    const std::string name = names[layer].as_string(subject);
    if (name == "sliding_attention") windows[layer] = window;
    if (name == "sliding_attention" || name == "full_attention") continue;
    fail(Errc::unsupported,
         message(subject, ": layer ", layer, " is ", name, ", supported are full_attention and sliding_attention"));
  }
  return windows;
}

LlamaConfig read_config(const ConfigFile& config, const Checkpoint& checkpoint, std::string_view type) {
  refuse_foreign_fields(config);
  LlamaConfig llama{};
  llama.hidden = config.integer({"hidden_size"}, 1, kMaxHidden);
  llama.layers = config.integer({"num_hidden_layers"}, 1, kMaxLayers);
  llama.heads = config.integer({"num_attention_heads"}, 1, kMaxHidden);
  llama.kv_heads = config.integer({"num_key_value_heads"}, 1, llama.heads, llama.heads);
  if (llama.heads % llama.kv_heads != 0) {
    config.fail_field(Errc::malformed, "num_key_value_heads", message("must divide num_attention_heads ", llama.heads));
  }
  if (!config.has({"head_dim"}) && llama.hidden % llama.heads != 0) {
    config.fail_field(Errc::malformed, "num_attention_heads",
                      message("must divide hidden_size ", llama.hidden, " where head_dim is absent"));
  }
  llama.head_width = config.integer({"head_dim"}, 1, kMaxHidden, llama.hidden / llama.heads);
  llama.intermediate = config.integer({"intermediate_size"}, 1, uint64_t{1} << 20);
  llama.vocabulary = config.integer({"vocab_size"}, 1, kMaxVocabulary);
  llama.context = config.integer({"max_position_embeddings"}, 1, kMaxVocabulary);
  llama.epsilon = static_cast<float>(config.number({"rms_norm_eps"}, 0, 1, 1e-6));
  llama.activation = read_activation(config, {"hidden_act"});
  const bool attention_bias = type != "mistral" && config.boolean({"attention_bias"}, false);
  llama.qkv_bias = attention_bias || type == "qwen2";
  llama.output_bias = attention_bias && type != "qwen2";
  llama.mlp_bias = type == "llama" && config.boolean({"mlp_bias"}, false);
  llama.head_norms = type == "qwen3";
  llama.tied = config.boolean({"tie_word_embeddings"}, !checkpoint.has("lm_head.weight"));
  llama.windows = read_windows(config, type, llama.layers);
  llama.rope = read_rope(config, llama.head_width);
  return llama;
}

void apply_frequency_factors(SourceModel& model, std::vector<float>& frequencies) {
  const std::string name(kFrequencyFactors);
  if (!model.checkpoint->has(name)) return;
  require_tensor(*model.checkpoint, name, {frequencies.size()});
  const std::vector<float> factors = read_f32(*model.checkpoint, name);
  for (size_t i = 0; i < factors.size(); ++i) {
    if (!(factors[i] > 0)) {
      fail(Errc::malformed, message(model.checkpoint->where(name), ": tensor ", name, ": factor ", i, " is ",
                                    factors[i], ", must be positive"));
    }
    frequencies[i] /= factors[i];
  }
  hide_tensors(model, {name});
}

class LlamaBuilder {
 public:
  LlamaBuilder(SourceModel& model, const LlamaConfig& config, std::string prefix)
      : config_(config), builder_(model), prefix_(std::move(prefix)) {}

  // Returns the logits.
  uint32_t run(const std::string& head) {
    const uint64_t hidden = config_.hidden;
    const uint32_t table = builder_.weight(prefix_ + "embed_tokens.weight", {config_.vocabulary, hidden});
    uint32_t stream = builder_.embedding(prefix_ + "embed_tokens", Stream::tokens, table, hidden);
    frequencies_ = builder_.constant("rope.frequencies", config_.rope.frequencies);
    for (uint64_t layer = 0; layer < config_.layers; ++layer) {
      const std::string at = message(prefix_, "layers.", layer, ".");
      stream = builder_.add(at + "self_attn.sum", stream, attention(at, stream, config_.windows[layer]));
      stream = builder_.add(at + "mlp.sum", stream, feed_forward(at, stream));
    }
    const uint32_t last = builder_.rms_norm(prefix_ + "norm", stream, 0, config_.epsilon);
    const uint32_t matrix = builder_.weight(head, {config_.vocabulary, hidden});
    return builder_.linear("logits", last, matrix, kNone, config_.vocabulary);
  }

 private:
  uint32_t attention(const std::string& layer, uint32_t stream, uint64_t window) {
    const LlamaConfig& c = config_;
    const std::string at = layer + "self_attn.";
    const uint32_t x = builder_.rms_norm(layer + "input_layernorm", stream, 0, c.epsilon);
    uint32_t q = builder_.linear(at + "q_proj", c.qkv_bias, x, c.heads * c.head_width);
    uint32_t k = builder_.linear(at + "k_proj", c.qkv_bias, x, c.kv_heads * c.head_width);
    const uint32_t v = builder_.linear(at + "v_proj", c.qkv_bias, x, c.kv_heads * c.head_width);
    if (c.head_norms) {
      q = builder_.rms_norm(at + "q_norm", q, c.heads, c.epsilon);
      k = builder_.rms_norm(at + "k_norm", k, c.kv_heads, c.epsilon);
    }
    q = builder_.rope(at + "q_rope", q, frequencies_, c.heads);
    k = builder_.rope(at + "k_rope", k, frequencies_, c.kv_heads);
    const uint32_t mixed = builder_.causal_attention(layer + "self_attn", q, k, v, c.heads, c.kv_heads, window);
    return builder_.linear(at + "o_proj", c.output_bias, mixed, c.hidden);
  }

  uint32_t feed_forward(const std::string& layer, uint32_t stream) {
    const LlamaConfig& c = config_;
    const std::string at = layer + "mlp.";
    const uint32_t x = builder_.rms_norm(layer + "post_attention_layernorm", stream, 0, c.epsilon);
    const uint32_t gate = builder_.linear(at + "gate_proj", c.mlp_bias, x, c.intermediate);
    const uint32_t up = builder_.linear(at + "up_proj", c.mlp_bias, x, c.intermediate);
    const uint32_t active = builder_.activation(at + "active", gate, c.activation);
    const uint32_t gated = builder_.multiply(at + "gated", active, up);
    return builder_.linear(at + "down_proj", c.mlp_bias, gated, c.hidden);
  }

  const LlamaConfig& config_;
  ProgramBuilder builder_;
  std::string prefix_;
  uint32_t frequencies_ = kNone;
};

void build(const ModelFolder& folder, SourceModel& model) {
  const std::string type = folder.config.model_type();
  LlamaConfig config = read_config(folder.config, *model.checkpoint, type);
  apply_frequency_factors(model, config.rope.frequencies);
  const std::string prefix = model.checkpoint->has("embed_tokens.weight") ? "" : "model.";
  const std::string head = head_weight(model, prefix + "embed_tokens.weight", "lm_head.weight", config.tied);
  model.program.outputs = {LlamaBuilder(model, config, prefix).run(head)};
  model.task.kind = kGenerationTask;
  model.task.dimension = static_cast<uint32_t>(config.vocabulary);
  model.task.architecture = type;
  model.task.context = static_cast<uint32_t>(config.context);
  model.task.rope_theta = config.rope.theta;
}

// Old checkpoints carry the frequencies, which follow from the config.
bool is_ignorable(std::string_view tensor, const Task&) { return tensor.ends_with("rotary_emb.inv_freq"); }

}  // namespace

namespace architectures_detail {
extern const Architecture kLlama, kMistral, kQwen2, kQwen3;
const Architecture kLlama = {"llama", build, is_ignorable, nullptr};
const Architecture kMistral = {"mistral", build, is_ignorable, nullptr};
const Architecture kQwen2 = {"qwen2", build, is_ignorable, nullptr};
const Architecture kQwen3 = {"qwen3", build, is_ignorable, nullptr};
}  // namespace architectures_detail

}  // namespace lathe
