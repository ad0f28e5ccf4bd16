#include "formats/gguf/gguf_config.h"

#include <charconv>

#include "formats/gguf/gguf_keys.h"

namespace lathe {
namespace {

constexpr uint64_t kMaxCount = uint64_t{1} << 24;
constexpr uint64_t kMaxLayers = 1000;

std::string key_of(const GgufArchitectureRow& row, std::string_view name) { return gguf_key::of_model(row.name, name); }

/// Numbers of the file are f32. The config that they come from had the shortest text that reads as the same f32.
Json shortest(double value) {
  const std::string text = message(static_cast<float>(value));
  double number = value;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

double positive(const GgufFile& file, const std::string& key, double value) {
  if (value > 0) return value;
  fail(Errc::malformed, message(file.path(), ": key ", key, " is ", value, ", expected a number above 0"));
}

[[noreturn]] void fail_unsupported(const GgufFile& file, const std::string& key, std::string_view why) {
  fail(Errc::unsupported,
       message(file.path(), ": key ", key, " is ", excerpt(file.values().find(key)->second), ", ", why));
}

void check_experts(const GgufFile& file, const GgufArchitectureRow& row) {
  const std::string key = key_of(row, gguf_key::kExperts);
  if (file.integer(key, 0, kMaxCount, 0) > 0) fail_unsupported(file, key, "models with experts are not read");
}

/// Heads of keys and of values must be as wide as each other, and rotated whole.
void check_head_widths(const GgufFile& file, const GgufArchitectureRow& row, const GgufShapes& shapes) {
  for (const char* name : {gguf_key::kKeyWidth, gguf_key::kValueWidth, gguf_key::kRopeWidth}) {
    const std::string key = key_of(row, name);
    if (file.integer(key, 1, kMaxCount, shapes.head_width) != shapes.head_width) {
      fail_unsupported(file, key, message("only the width of a head, ", shapes.head_width, ", is supported"));
    }
  }
}

void add_rope(const GgufFile& file, const GgufArchitectureRow& row, Json& config) {
  const std::string base_key = key_of(row, gguf_key::kRopeBase);
  config.set("rope_theta", shortest(positive(file, base_key, file.number(base_key, 10000))));
  const std::string type_key = key_of(row, gguf_key::kRopeScaling);
  const std::string old_key = key_of(row, gguf_key::kOldRopeFactor);
  const std::string factor_key = key_of(row, gguf_key::kRopeFactor);
  // A factor without a type is a linear one.
  const bool has_factor = file.has(factor_key) || file.has(old_key);
  const std::string type = file.has(type_key) ? file.text(type_key) : has_factor ? "linear" : "none";
  if (type == "none") return;
  Json scaling = Json::object({{"rope_type", type}});
  const std::string& key = file.has(factor_key) ? factor_key : old_key;
  if (type == "linear") scaling.set("factor", shortest(positive(file, key, file.number(key))));
  config.set("rope_scaling", std::move(scaling));
}

void add_window(const GgufFile& file, const GgufArchitectureRow& row, Json& config) {
  const uint64_t window = file.integer(key_of(row, gguf_key::kWindow), 0, kMaxCount, 0);
  if (window == 0) return;
  config.set("sliding_window", window);
  if (row.architecture == GgufArchitecture::llama) {
    config.set("model_type", "mistral");  // of the models that are written as llama, the one with a window
  } else {
    config.set("use_sliding_window", true).set("max_window_layers", 0);
  }
}

Json llama_config(const GgufFile& file, const GgufArchitectureRow& row, const GgufShapes& shapes) {
  check_experts(file, row);
  check_head_widths(file, row, shapes);
  const std::string epsilon_key = key_of(row, gguf_key::kRmsNormEpsilon);
  Json config = Json::object({
      {"model_type", row.name},
      {"hidden_size", file.integer(key_of(row, gguf_key::kWidth), 1, kMaxCount)},
      {"intermediate_size", file.integer(key_of(row, gguf_key::kNeurons), 1, kMaxCount)},
      {"num_hidden_layers", shapes.layers},
      {"num_attention_heads", shapes.heads},
      {"num_key_value_heads", shapes.kv_heads},
      {"head_dim", shapes.head_width},
      {"hidden_act", "silu"},
      {"rms_norm_eps", shortest(positive(file, epsilon_key, file.number(epsilon_key)))},
      {"max_position_embeddings", file.integer(key_of(row, gguf_key::kContext), 1, kMaxCount)},
      {"attention_bias", row.architecture != GgufArchitecture::qwen2 && file.find("blk.0.attn_q.bias") != nullptr},
      {"mlp_bias", file.find("blk.0.ffn_up.bias") != nullptr},
  });
  add_rope(file, row, config);
  add_window(file, row, config);
  return config;
}

Json gpt2_config(const GgufFile& file, const GgufArchitectureRow& row, const GgufShapes& shapes) {
  const std::string epsilon_key = key_of(row, gguf_key::kLayerNormEpsilon);
  return Json::object({
      {"model_type", row.name},
      {"n_embd", file.integer(key_of(row, gguf_key::kWidth), 1, kMaxCount)},
      {"n_inner", file.integer(key_of(row, gguf_key::kNeurons), 1, kMaxCount)},
      {"n_layer", shapes.layers},
      {"n_head", shapes.heads},
      {"activation_function", "gelu_new"},
      {"layer_norm_epsilon", shortest(positive(file, epsilon_key, file.number(epsilon_key)))},
      {"n_positions", file.integer(key_of(row, gguf_key::kContext), 1, kMaxCount)},
  });
}

constexpr const char* kTokenIds[] = {gguf_key::kBeginId,
                                     gguf_key::kEndId,
                                     gguf_key::kTurnEndId,
                                     gguf_key::kMessageEndId,
                                     gguf_key::kPaddingId,
                                     "tokenizer.ggml.unknown_token_id",
                                     "tokenizer.ggml.seperator_token_id",
                                     "tokenizer.ggml.mask_token_id",
                                     "tokenizer.ggml.cls_token_id"};

}  // namespace

GgufShapes read_gguf_shapes(const GgufFile& file, const GgufArchitectureRow& row) {
  GgufShapes shapes;
  shapes.layers = file.integer(key_of(row, gguf_key::kLayers), 1, kMaxLayers);
  shapes.heads = file.integer(key_of(row, gguf_key::kHeads), 1, kMaxCount);
  const std::string kv_key = key_of(row, gguf_key::kKeyHeads);
  shapes.kv_heads = file.integer(kv_key, 1, shapes.heads, shapes.heads);
  const std::string where = message(file.path(), ": key ");
  if (shapes.heads % shapes.kv_heads != 0) {
    fail(Errc::malformed, message(where, kv_key, " is ", shapes.kv_heads, ", expected a divisor of ", shapes.heads));
  }
  const uint64_t width = file.integer(key_of(row, gguf_key::kWidth), 1, kMaxCount);
  const std::string length_key = key_of(row, gguf_key::kKeyWidth);
  if (!file.has(length_key) && width % shapes.heads != 0) {
    fail(Errc::malformed,
         message(where, key_of(row, gguf_key::kHeads), " is ", shapes.heads, ", expected a divisor of ", width));
  }
  shapes.head_width = file.integer(length_key, 1, kMaxCount, width / shapes.heads);
  return shapes;
}

Json gguf_config(const GgufFile& file, const GgufArchitectureRow& row, const GgufShapes& shapes) {
  const GgufTensor* table = file.find("token_embd.weight");
  if (table == nullptr || table->shape.size() != 2) {
    fail(Errc::malformed, message(file.path(), ": tensor token_embd.weight is ",
                                  table == nullptr ? "missing" : shape_text(table->shape), ", expected a matrix"));
  }
  const bool is_gpt2 = row.architecture == GgufArchitecture::gpt2;
  Json config = is_gpt2 ? gpt2_config(file, row, shapes) : llama_config(file, row, shapes);
  config.set("vocab_size", table->shape[0]);
  config.set("tie_word_embeddings", file.find("output.weight") == nullptr);
  const std::string vocab_key = key_of(row, gguf_key::kVocabularySize);
  if (file.has(vocab_key)) file.integer(vocab_key, table->shape[0], table->shape[0]);
  check_gguf_tokenizer(file, table->shape[0]);
  return config;
}

void check_gguf_tokenizer(const GgufFile& file, uint64_t rows) {
  const std::string model = file.text(gguf_key::kTokenizerModel);
  const auto check_size = [&](const char* key, size_t size) {
    if (size == rows) return;
    fail(Errc::malformed,
         message(file.path(), ": key ", key, " has ", size, " elements, and token_embd.weight has ", rows, " rows"));
  };
  check_size(gguf_key::kTokens, file.strings(gguf_key::kTokens).size());
  if (model == gguf_key::kByteBpe) file.strings(gguf_key::kMerges);
  const char* types = gguf_key::kTokenTypes;
  if (file.has(types)) check_size(types, file.integers_or_none(types).size());
  for (const char* key : kTokenIds) {
    if (file.has(key)) file.integer(key, 0, rows - 1);
  }
}

}  // namespace lathe
