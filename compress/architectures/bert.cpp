// BERT encoders (Devlin et al., 2018): MiniLM, BGE, E5, GTE-small and other models of model_type "bert".

#include <algorithm>

#include "compress/architectures.h"

namespace lathe {
namespace {

constexpr uint64_t kMaxLayers = 1000;
constexpr uint64_t kMaxHidden = 65536;
constexpr uint64_t kMaxVocabulary = uint64_t{1} << 24;

struct BertConfig {
  uint64_t hidden, layers, heads, intermediate, positions, segments, vocabulary;
  float epsilon;
  Activation activation;
};

BertConfig read_config(const ConfigFile& config) {
  BertConfig bert{};
  bert.hidden = config.integer({"hidden_size"}, 1, kMaxHidden);
  bert.layers = config.integer({"num_hidden_layers"}, 1, kMaxLayers);
  bert.heads = config.integer({"num_attention_heads"}, 1, bert.hidden);
  bert.intermediate = config.integer({"intermediate_size"}, 1, kMaxHidden);
  bert.positions = config.integer({"max_position_embeddings"}, 1, kMaxVocabulary);
  bert.segments = config.integer({"type_vocab_size"}, 1, 1024);
  bert.vocabulary = config.integer({"vocab_size"}, 1, kMaxVocabulary);
  bert.epsilon = static_cast<float>(config.number({"layer_norm_eps"}, 0, 1, 1e-12));
  bert.activation = read_activation(config, {"hidden_act"});
  if (bert.hidden % bert.heads != 0) {
    config.fail_field(Errc::malformed, "num_attention_heads", message("must divide hidden_size ", bert.hidden));
  }
  if (config.text({"position_embedding_type"}, "absolute") != "absolute") {
    config.fail_field(Errc::unsupported, "position_embedding_type", "only absolute is supported");
  }
  if (config.boolean({"is_decoder"}, false)) {
    config.fail_field(Errc::unsupported, "is_decoder", "only encoders are supported");
  }
  return bert;
}

// Emits ops one after the other and checks each weight's shape on the way.
class Builder {
 public:
  Builder(const Checkpoint& checkpoint, const BertConfig& config, Program& program)
      : checkpoint_(checkpoint), config_(config), program_(program) {
    prefix_ = checkpoint.has("bert.embeddings.word_embeddings.weight") ? "bert." : "";
  }

  // Returns the value of the last hidden state.
  uint32_t encoder() {
    uint32_t hidden = embeddings();
    for (uint64_t layer = 0; layer < config_.layers; ++layer) {
      const std::string at = message("encoder.layer.", layer, ".");
      const uint32_t attended = attention(at + "attention.", hidden);
      hidden = add_norm(at + "attention.output.LayerNorm",
                        linear(at + "attention.output.dense", attended, config_.hidden), hidden);
      const uint32_t wide = linear(at + "intermediate.dense", hidden, config_.intermediate);
      const uint32_t active = emit({OpKind::activation, {wide}, {}, 0, static_cast<uint32_t>(config_.activation), 0, 0},
                                   at + "intermediate", config_.intermediate);
      hidden = add_norm(at + "output.LayerNorm", linear(at + "output.dense", active, config_.hidden), hidden);
    }
    return hidden;
  }

 private:
  uint32_t emit(Op op, const std::string& name, uint64_t width) {
    op.output = program_.add_value(name, RowKind::tokens, static_cast<uint32_t>(width));
    program_.ops.push_back(op);
    return op.output;
  }

  uint32_t weight(const std::string& name, const Shape& shape) {
    require_tensor(checkpoint_, prefix_ + name, shape);
    return program_.add_weight(prefix_ + name);
  }

  uint32_t table(const std::string& name, Stream stream, uint64_t rows) {
    const uint32_t id = weight("embeddings." + name + ".weight", {rows, config_.hidden});
    return emit({OpKind::embedding, {}, {id}, 0, static_cast<uint32_t>(stream), 0, 0}, name, config_.hidden);
  }

  uint32_t embeddings() {
    const uint32_t words = table("word_embeddings", Stream::tokens, config_.vocabulary);
    const uint32_t positions = table("position_embeddings", Stream::positions, config_.positions);
    const uint32_t segments = table("token_type_embeddings", Stream::segments, config_.segments);
    const uint32_t sum = emit({OpKind::add, {words, positions}, {}, 0, 0, 0, 0}, "embeddings.sum", config_.hidden);
    return add_norm("embeddings.LayerNorm", sum, segments);
  }

  uint32_t linear(const std::string& name, uint32_t input, uint64_t outputs) {
    const uint32_t w = weight(name + ".weight", {outputs, program_.values[input].width});
    const uint32_t b = weight(name + ".bias", {outputs});
    return emit({OpKind::linear, {input}, {w, b}, 0, 0, 0, 0}, name, outputs);
  }

  uint32_t attention(const std::string& at, uint32_t hidden) {
    const uint32_t q = linear(at + "self.query", hidden, config_.hidden);
    const uint32_t k = linear(at + "self.key", hidden, config_.hidden);
    const uint32_t v = linear(at + "self.value", hidden, config_.hidden);
    return emit({OpKind::attention, {q, k, v}, {}, 0, 0, static_cast<uint32_t>(config_.heads), 0}, at + "self",
                config_.hidden);
  }

  // Checkpoints converted from TensorFlow say gamma and beta.
  uint32_t add_norm(const std::string& name, uint32_t a, uint32_t b) {
    const bool old = checkpoint_.has(prefix_ + name + ".gamma");
    const uint32_t gamma = weight(name + (old ? ".gamma" : ".weight"), {config_.hidden});
    const uint32_t beta = weight(name + (old ? ".beta" : ".bias"), {config_.hidden});
    const uint32_t sum = emit({OpKind::add, {a, b}, {}, 0, 0, 0, 0}, name + ".sum", config_.hidden);
    return emit({OpKind::layer_norm, {sum}, {gamma, beta}, 0, 0, 0, config_.epsilon}, name, config_.hidden);
  }

  const Checkpoint& checkpoint_;
  const BertConfig& config_;
  Program& program_;
  std::string prefix_;
};

void build(const ModelFolder& folder, SourceModel& model) {
  const BertConfig config = read_config(folder.config);
  const uint32_t hidden = Builder(folder.checkpoint, config, model.program).encoder();
  const auto width = static_cast<uint32_t>(config.hidden);

  SentenceTransformer head{Pooling::mean, true, std::nullopt};
  if (folder.sentence_transformer) {
    head = *folder.sentence_transformer;
  } else {
    model.notes.push_back(
        "the folder has no modules.json: the text vector is the mean of the token vectors, normalized");
  }
  Program& program = model.program;
  uint32_t out = program.add_value("pooled", RowKind::sequences, width);
  program.ops.push_back({OpKind::pool, {hidden}, {}, out, static_cast<uint32_t>(head.pooling), 0, 0});
  if (head.normalize) {
    const uint32_t unit = program.add_value("embedding", RowKind::sequences, width);
    program.ops.push_back({OpKind::normalize, {out}, {}, unit, 0, 0, 1e-12f});
    out = unit;
  }
  program.outputs = {out};
  model.task = {"sentence-embedding", width, head.pooling, head.normalize};
}

// Buffers and heads that sentence embeddings do not use.
bool is_ignorable(std::string_view tensor) {
  constexpr std::string_view kPrefix = "bert.";
  if (tensor.substr(0, kPrefix.size()) == kPrefix) tensor.remove_prefix(kPrefix.size());
  const auto starts_with = [&](std::string_view text) { return tensor.substr(0, text.size()) == text; };
  return tensor == "embeddings.position_ids" || tensor == "embeddings.token_type_ids" || starts_with("pooler.") ||
         starts_with("cls.");
}

}  // namespace

const Architecture architectures_detail::kBert = {"bert", build, is_ignorable};

}  // namespace lathe
