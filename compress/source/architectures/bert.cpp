// BERT encoders (Devlin et al., 2018): MiniLM, BGE, E5, GTE-small and other models of model_type "bert"; for sentence
// embeddings, or with a head that sorts texts into classes.

#include <algorithm>

#include "compress/source/architectures.h"
#include "compress/source/program_builder.h"
#include "runtime/random.h"

namespace lathe {
namespace {

using namespace architectures_detail;

constexpr uint64_t kMaxLabels = 65536;
constexpr std::string_view kClassifier = "BertForSequenceClassification";

struct BertConfig {
  uint64_t hidden, layers, heads, intermediate, positions, segments, vocabulary;
  float epsilon;
  ActivationFunction activation;
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

std::string prefix_of(const Checkpoint& checkpoint) {
  return checkpoint.has("bert.embeddings.word_embeddings.weight") ? "bert." : "";
}

// The head of a classifier: a dense layer with tanh on the first token, then the logits, whose value is returned. The
// classifier's own layer stands outside the prefix of the encoder.
uint32_t add_classifier(SourceModel& model, uint32_t hidden, uint64_t labels) {
  ProgramBuilder builder(model);
  const uint64_t width = builder.width(hidden);
  const auto linear = [&](const std::string& weight, const std::string& name, uint32_t input, uint64_t outputs) {
    const uint32_t matrix = builder.weight(weight + ".weight", {outputs, width});
    return builder.linear(name, input, matrix, builder.weight(weight + ".bias", {outputs}), outputs);
  };
  const uint32_t first = builder.op("first", ops::Pool{Pooling::first}, {hidden}, {}, builder.width(hidden));
  const uint32_t dense = linear(prefix_of(*model.checkpoint) + "pooler.dense", "pooler.dense", first, width);
  return linear("classifier", "logits", builder.activation("pooler", dense, ActivationFunction::tanh), labels);
}

// Builds the encoder. Names of weights have the prefix, names of values do not.
class EncoderBuilder {
 public:
  EncoderBuilder(SourceModel& model, const BertConfig& config)
      : checkpoint_(*model.checkpoint), config_(config), builder_(model), prefix_(prefix_of(checkpoint_)) {}

  // Returns the value of the last hidden state.
  uint32_t run() {
    uint32_t hidden = embeddings();
    for (uint64_t layer = 0; layer < config_.layers; ++layer) {
      const std::string at = message("encoder.layer.", layer, ".");
      const uint32_t attended = attention(at + "attention.", hidden);
      hidden = add_norm(at + "attention.output.LayerNorm",
                        linear(at + "attention.output.dense", attended, config_.hidden), hidden);
      const uint32_t wide = linear(at + "intermediate.dense", hidden, config_.intermediate);
      const uint32_t active = builder_.activation(at + "intermediate", wide, config_.activation);
      hidden = add_norm(at + "output.LayerNorm", linear(at + "output.dense", active, config_.hidden), hidden);
    }
    return hidden;
  }

 private:
  uint32_t weight(const std::string& name, const Shape& shape) { return builder_.weight(prefix_ + name, shape); }

  uint32_t table(const std::string& name, Stream stream, uint64_t rows) {
    const uint32_t table = weight("embeddings." + name + ".weight", {rows, config_.hidden});
    return builder_.embedding(name, stream, table, config_.hidden);
  }

  uint32_t embeddings() {
    const uint32_t words = table("word_embeddings", Stream::tokens, config_.vocabulary);
    const uint32_t positions = table("position_embeddings", Stream::positions, config_.positions);
    const uint32_t segments = table("token_type_embeddings", Stream::segments, config_.segments);
    return add_norm("embeddings.LayerNorm", builder_.add("embeddings.sum", words, positions), segments);
  }

  uint32_t linear(const std::string& name, uint32_t input, uint64_t outputs) {
    const uint32_t matrix = weight(name + ".weight", {outputs, builder_.width(input)});
    return builder_.linear(name, input, matrix, weight(name + ".bias", {outputs}), outputs);
  }

  uint32_t attention(const std::string& at, uint32_t hidden) {
    const uint32_t q = linear(at + "self.query", hidden, config_.hidden);
    const uint32_t k = linear(at + "self.key", hidden, config_.hidden);
    const uint32_t v = linear(at + "self.value", hidden, config_.hidden);
    return builder_.full_attention(at + "self", q, k, v, config_.heads);
  }

  // Checkpoints converted from TensorFlow say gamma and beta.
  uint32_t add_norm(const std::string& name, uint32_t a, uint32_t b) {
    const bool old = checkpoint_.has(prefix_ + name + ".gamma");
    const uint32_t gamma = weight(name + (old ? ".gamma" : ".weight"), {config_.hidden});
    const uint32_t beta = weight(name + (old ? ".beta" : ".bias"), {config_.hidden});
    return builder_.layer_norm(name, builder_.add(name + ".sum", a, b), gamma, beta, config_.epsilon);
  }

  const Checkpoint& checkpoint_;
  const BertConfig& config_;
  ProgramBuilder builder_;
  std::string prefix_;
};

bool is_classifier(const ConfigFile& config) {
  const Json* names = config.json().find("architectures");
  if (names == nullptr || !names->is_array()) return false;
  const Json::Array& items = names->items();
  return std::any_of(items.begin(), items.end(),
                     [](const Json& name) { return name.is_string() && name.as_string() == kClassifier; });
}

// id2label maps "0", "1", ... to names; without it num_labels says how many there are.
std::vector<std::string> read_labels(const ConfigFile& config) {
  const std::string problem = config.text({"problem_type"}, "single_label_classification");
  if (problem != "single_label_classification") {
    config.fail_field(Errc::unsupported, "problem_type", "only single_label_classification is supported");
  }
  const Json* names = config.json().find("id2label");
  std::vector<std::string> labels;
  if (names == nullptr || names->is_null()) {
    const uint64_t count = config.integer({"num_labels"}, 1, kMaxLabels, 2);
    for (uint64_t i = 0; i < count; ++i) labels.push_back(message("LABEL_", i));
  } else {
    const std::string subject = config.path() + ": id2label";
    const uint64_t count = names->members(subject).size();
    if (count == 0 || count > kMaxLabels) {
      fail(Errc::malformed, message(subject, ": has ", count, " labels, must be in [1, ", kMaxLabels, "]"));
    }
    for (uint64_t i = 0; i < count; ++i) {
      const std::string key = std::to_string(i);
      labels.push_back(names->at(key, subject).as_string(message(subject, ": ", key)));
    }
    if (config.integer({"num_labels"}, 1, kMaxLabels, count) != count) {
      config.fail_field(Errc::malformed, "num_labels", message("but id2label has ", count, " labels"));
    }
  }
  check_labels(labels, config.path());
  if (labels.size() == 1) {
    fail(Errc::unsupported, message(config.path(), ": one label means regression, which is not supported"));
  }
  return labels;
}

Task classification_task(const std::vector<std::string>& labels) {
  return {kClassificationTask, static_cast<uint32_t>(labels.size()), Pooling::first, false, labels};
}

void add_embedding(const ModelFolder& folder, uint32_t hidden, uint32_t width, SourceModel& model) {
  SentenceTransformer head{Pooling::mean, true, std::nullopt};
  if (folder.sentence_transformer) {
    head = *folder.sentence_transformer;
  } else {
    model.notes.push_back(
        "the folder has no modules.json: the text vector is the mean of the token vectors, normalized");
  }
  ProgramBuilder builder(model);
  uint32_t out = builder.op("pooled", ops::Pool{head.pooling}, {hidden}, {}, width);
  if (head.normalize) out = builder.op("embedding", ops::Normalize{1e-12f}, {out}, {}, width);
  model.program.outputs = {out};
  model.task = {kEmbeddingTask, width, head.pooling, head.normalize};
}

void build(const ModelFolder& folder, SourceModel& model) {
  const BertConfig config = read_config(folder.config);
  const uint32_t hidden = EncoderBuilder(model, config).run();
  if (!is_classifier(folder.config)) {
    add_embedding(folder, hidden, static_cast<uint32_t>(config.hidden), model);
    return;
  }
  const std::vector<std::string> labels = read_labels(folder.config);
  model.program.outputs = {add_classifier(model, hidden, labels.size())};
  model.task = classification_task(labels);
}

// Weights are normally distributed as in BERT's own training: the sum of twelve uniform numbers is near enough and the
// same everywhere. Biases are 0.
EncodedBuffer initial_weight(const Shape& shape, Random& random) {
  constexpr double kDeviation = 0.02;
  std::vector<float> values(element_count(shape, "classifier"));
  for (float& value : values) {
    if (shape.size() == 1) break;
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += random.uniform();
    value = static_cast<float>(kDeviation * sum);
  }
  return f32_buffer(shape, values);
}

void attach_classifier(SourceModel& model, const std::vector<std::string>& labels, uint64_t seed) {
  Program& program = model.program;
  const auto pool =
      std::find_if(program.ops.begin(), program.ops.end(), [](const Op& op) { return op.is<ops::Pool>(); });
  if (pool == program.ops.end()) fail(Errc::internal, model.name + ": the program has no pooling");
  const uint32_t hidden = pool->inputs[0];
  program.values.resize(pool->output);  // the values of ops follow their order
  program.ops.erase(pool, program.ops.end());
  model.notes = model.checkpoint->warnings();
  Random random(seed);
  const uint64_t width = program.values[hidden].shape.size();
  const std::string dense = prefix_of(*model.checkpoint) + "pooler.dense";
  const std::pair<std::string, Shape> weights[] = {{dense + ".weight", {width, width}},
                                                   {dense + ".bias", {width}},
                                                   {"classifier.weight", {labels.size(), width}},
                                                   {"classifier.bias", {labels.size()}}};
  for (const auto& [name, shape] : weights) {
    if (model.checkpoint->has(name)) continue;
    model.derived[name] = initial_weight(shape, random);
    model.notes.push_back(name + " is new: training starts from random numbers");
  }
  program.outputs = {add_classifier(model, hidden, labels.size())};
  model.task = classification_task(labels);
}

// Where a checkpoint of the bare encoder, or one converted from TensorFlow, has other names.
std::string stored_name(const std::string& weight) {
  std::string name = weight.starts_with("bert.") || weight.starts_with("classifier.") ? weight : "bert." + weight;
  for (const auto& [old, now] : {std::pair(".gamma", ".weight"), std::pair(".beta", ".bias")}) {
    if (name.ends_with(old)) name.replace(name.size() - std::string_view(old).size(), std::string::npos, now);
  }
  return name;
}

// Buffers, and heads that the output does not depend on.
bool is_ignorable(std::string_view tensor, const Task& task) {
  constexpr std::string_view kPrefix = "bert.";
  if (tensor.substr(0, kPrefix.size()) == kPrefix) tensor.remove_prefix(kPrefix.size());
  const auto starts_with = [&](std::string_view text) { return tensor.substr(0, text.size()) == text; };
  return tensor == "embeddings.position_ids" || tensor == "embeddings.token_type_ids" || starts_with("cls.") ||
         (starts_with("pooler.") && !task.classifies());
}

constexpr ClassifierHead kHead = {kClassifier, attach_classifier, stored_name};

}  // namespace

namespace architectures_detail {
extern const Architecture kBert;
const Architecture kBert = {"bert", build, is_ignorable, &kHead};
}  // namespace architectures_detail

}  // namespace lathe
