// GPT-2 (Radford et al., 2019): learned positions, layer norms before each half. Its checkpoints hold linear layers
// transposed, and q, k and v in one; here they become linear layers like all others.

#include "compress/source/architectures/decoder_tensors.h"
#include "compress/source/program_builder.h"
#include "formats/converted_checkpoint.h"

namespace lathe {
namespace {

using namespace architectures_detail;

constexpr const char* kParts[] = {"q", "k", "v"};

struct Gpt2Config {
  uint64_t hidden, layers, heads, inner, vocabulary, context;
  float epsilon;
  ActivationFunction activation;
  bool tied;
};

Gpt2Config read_config(const ConfigFile& config) {
  Gpt2Config gpt2{};
  gpt2.hidden = config.integer({"n_embd", "hidden_size"}, 1, kMaxHidden);
  gpt2.layers = config.integer({"n_layer", "num_hidden_layers"}, 1, kMaxLayers);
  gpt2.heads = config.integer({"n_head", "num_attention_heads"}, 1, gpt2.hidden);
  gpt2.inner = config.integer({"n_inner"}, 1, uint64_t{1} << 20, 4 * gpt2.hidden);
  gpt2.vocabulary = config.integer({"vocab_size"}, 1, kMaxVocabulary);
  gpt2.context = config.integer({"n_positions", "max_position_embeddings"}, 1, kMaxVocabulary);
  gpt2.epsilon = static_cast<float>(config.number({"layer_norm_epsilon"}, 0, 1, 1e-5));
  gpt2.activation = read_activation(config, {"activation_function"});
  gpt2.tied = config.boolean({"tie_word_embeddings"}, true);
  if (gpt2.hidden % gpt2.heads != 0) {
    config.fail_field(Errc::malformed, "n_head", message("must divide n_embd ", gpt2.hidden));
  }
  for (const std::string_view flag :
       {"scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn", "add_cross_attention"}) {
    if (config.boolean({flag}, false)) config.fail_field(Errc::unsupported, flag, "only false is supported");
  }
  if (!config.boolean({"scale_attn_weights"}, true)) {
    config.fail_field(Errc::unsupported, "scale_attn_weights", "only true is supported");
  }
  return gpt2;
}

// Columns [first, first + outputs) of a stored [inputs, ...] matrix as a linear weight [outputs, inputs].
TensorConversion transposed(std::shared_ptr<const Checkpoint> base, const std::string& name, uint64_t first,
                            uint64_t outputs) {
  const Shape stored = base->tensor(name).shape;
  const std::string where = base->where(name);
  const auto write = [base = std::move(base), name, stored, first, outputs](void* to) {
    auto* out = static_cast<float*>(to);
    const std::vector<float> values = read_f32(*base, name);
    base->release(name);
    for (uint64_t o = 0; o < outputs; ++o) {
      for (uint64_t i = 0; i < stored[0]; ++i) out[o * stored[0] + i] = values[i * stored[1] + first + o];
    }
  };
  return {{outputs, stored[0]}, write, where};
}

TensorConversion part_of_bias(std::shared_ptr<const Checkpoint> base, const std::string& name, uint64_t first,
                              uint64_t count) {
  const std::string where = base->where(name);
  const auto write = [base = std::move(base), name, first, count](void* out) {
    const std::vector<float> values = read_f32(*base, name);
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(first), count, static_cast<float*>(out));
  };
  return {{count}, write, where};
}

// Replaces the model's checkpoint by one with linear layers.
void convert_linears(SourceModel& model, const Gpt2Config& config, const std::string& prefix) {
  const std::shared_ptr<const Checkpoint> base = model.checkpoint;
  std::map<std::string, TensorConversion> conversions;
  std::vector<std::string> hidden;
  const auto turn = [&](const std::string& name, uint64_t inputs, uint64_t outputs) {
    require_tensor(*base, name, {inputs, outputs});
    conversions[name] = transposed(base, name, 0, outputs);
  };
  for (uint64_t layer = 0; layer < config.layers; ++layer) {
    const std::string at = message(prefix, "h.", layer, ".");
    const std::string fused = at + "attn.c_attn";
    require_tensor(*base, fused + ".weight", {config.hidden, 3 * config.hidden});
    require_tensor(*base, fused + ".bias", {3 * config.hidden});
    for (size_t part = 0; part < 3; ++part) {
      const std::string name = at + "attn." + kParts[part];
      const uint64_t first = part * config.hidden;
      conversions[name + ".weight"] = transposed(base, fused + ".weight", first, config.hidden);
      conversions[name + ".bias"] = part_of_bias(base, fused + ".bias", first, config.hidden);
    }
    hidden.insert(hidden.end(), {fused + ".weight", fused + ".bias"});
    turn(at + "attn.c_proj.weight", config.hidden, config.hidden);
    turn(at + "mlp.c_fc.weight", config.hidden, config.inner);
    turn(at + "mlp.c_proj.weight", config.inner, config.hidden);
  }
  model.checkpoint = std::make_shared<ConvertedCheckpoint>(base, std::move(conversions), hidden);
}

void build_program(SourceModel& model, const Gpt2Config& config, const std::string& prefix, const std::string& head) {
  ProgramBuilder builder(model);
  const uint64_t width = config.hidden;
  const auto embedding = [&](const std::string& name, Stream stream, uint64_t rows) {
    return builder.embedding(name, stream, builder.weight(name + ".weight", {rows, width}), width);
  };
  const uint32_t words = embedding(prefix + "wte", Stream::tokens, config.vocabulary);
  const uint32_t positions = embedding(prefix + "wpe", Stream::positions, config.context);
  uint32_t stream = builder.add(prefix + "embeddings.sum", words, positions);
  for (uint64_t layer = 0; layer < config.layers; ++layer) {
    const std::string at = message(prefix, "h.", layer, ".");
    uint32_t x = builder.layer_norm(at + "ln_1", stream, config.epsilon);
    uint32_t qkv[3];
    for (size_t part = 0; part < 3; ++part) qkv[part] = builder.linear(at + "attn." + kParts[part], true, x, width);
    x = builder.causal_attention(at + "attn", qkv[0], qkv[1], qkv[2], config.heads, config.heads, 0);
    stream = builder.add(at + "attn.sum", stream, builder.linear(at + "attn.c_proj", true, x, width));
    x = builder.layer_norm(at + "ln_2", stream, config.epsilon);
    x = builder.linear(at + "mlp.c_fc", true, x, config.inner);
    x = builder.activation(at + "mlp.active", x, config.activation);
    stream = builder.add(at + "mlp.sum", stream, builder.linear(at + "mlp.c_proj", true, x, width));
  }
  const uint32_t last = builder.layer_norm(prefix + "ln_f", stream, config.epsilon);
  const uint32_t matrix = builder.weight(head, {config.vocabulary, width});
  model.program.outputs = {builder.linear("logits", last, matrix, kNone, config.vocabulary)};
}

void build(const ModelFolder& folder, SourceModel& model) {
  const Gpt2Config config = read_config(folder.config);
  const std::string prefix = model.checkpoint->has("transformer.wte.weight") ? "transformer." : "";
  const std::string head = head_weight(model, prefix + "wte.weight", "lm_head.weight", config.tied);
  convert_linears(model, config, prefix);
  build_program(model, config, prefix, head);
  model.task.kind = kGenerationTask;
  model.task.dimension = static_cast<uint32_t>(config.vocabulary);
  model.task.architecture = "gpt2";
  model.task.context = static_cast<uint32_t>(config.context);
}

// Buffers of old checkpoints: the causal mask, and what masked scores become.
bool is_ignorable(std::string_view tensor, const Task&) {
  return tensor.ends_with(".attn.bias") || tensor.ends_with(".attn.masked_bias");
}

}  // namespace

namespace architectures_detail {
extern const Architecture kGpt2;
const Architecture kGpt2 = {"gpt2", build, is_ignorable, nullptr};
}  // namespace architectures_detail

}  // namespace lathe
