#pragma once
// A decoder in the manner of Llama that is small enough for a test: random weights, a tokenizer of bytes with a few
// merges. As a model in memory, an artifact, a source model, or a folder in the layout of Hugging Face.

#include <cmath>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "compress/source/source_model.h"
#include "formats/artifact/artifact_writer.h"
#include "formats/artifact/tokenizer/tokenizer_spec.h"
#include "runtime/model.h"
#include "tests/support/safetensors_builder.h"
#include "tests/support/temp_dir.h"

namespace lathe::test {

struct TinyDecoderOptions {
  uint32_t seed = 5;
  uint32_t layers = 2;
  bool tied = false;  // the embedding is the head, too
  float noise = 0;    // added to every weight of a linear op: a model that is nearly the same
  float scale = 1;    // of the head: 0 makes every logit 0
  uint32_t context = 128;
};

inline constexpr uint32_t kTinyDecoderWidth = 32, kTinyDecoderHeads = 4, kTinyDecoderKvHeads = 2,
                          kTinyDecoderInner = 48;

/// How byte-level BPE writes a byte: printable ones of Latin-1 as they are, the others as U+0100 and on.
inline std::string byte_stand_in(uint32_t byte) {
  const auto printable = [](uint32_t b) { return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174; };
  uint32_t code = byte;
  if (!printable(byte)) {
    code = 256;
    for (uint32_t b = 0; b < byte; ++b) code += printable(b) ? 0 : 1;
  }
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xc0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3f))};
}

/// The ids of the 256 bytes, of six merges, and of three control tokens: 256 + 6 + 3 = 265 tokens.
inline TokenizerSpec tiny_bpe(uint32_t context = 128) {
  TokenizerSpec spec;
  spec.kind = TokenizerKind::byte_bpe;
  for (uint32_t byte = 0; byte < 256; ++byte) spec.vocabulary.push_back(byte_stand_in(byte));
  const auto merge = [&](uint32_t left, uint32_t right) {
    const auto result = static_cast<uint32_t>(spec.vocabulary.size());
    spec.merges.push_back({left, right, result});
    spec.vocabulary.push_back(spec.vocabulary[left] + spec.vocabulary[right]);
    return result;
  };
  const uint32_t th = merge('t', 'h');
  const uint32_t the = merge(th, 'e');
  merge(' ', the);
  merge('i', 'n');
  merge('a', 'n');
  merge(' ', 'a');
  for (const char* control : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) {
    const auto id = static_cast<uint32_t>(spec.vocabulary.size());
    spec.vocabulary.emplace_back(control);
    spec.added_tokens.push_back({id, control});
  }
  const auto last = static_cast<uint32_t>(spec.vocabulary.size()) - 1;
  spec.unknown_id = spec.begin_id = spec.end_id = spec.pad_id = last - 2;
  spec.stop_ids = {last - 2, last};
  spec.chat = ChatForm::chatml;
  spec.max_length = context;
  return spec;
}

struct TinyDecoder {
  struct Tensor {
    Shape shape;
    std::vector<float> values;
  };
  TinyDecoderOptions options;
  Program program;
  std::map<std::string, Tensor> tensors;
  TokenizerSpec tokenizer;
  Task task;

  explicit TinyDecoder(const TinyDecoderOptions& wanted = {})
      : options(wanted), tokenizer(tiny_bpe(wanted.context)), random_(wanted.seed), noise_(wanted.seed + 1) {
    const auto vocabulary = static_cast<uint32_t>(tokenizer.vocabulary.size());
    const uint32_t table = tensor("model.embed_tokens.weight", {vocabulary, kTinyDecoderWidth}, 0.5f);
    const uint32_t frequencies = program.add_weight(kFrequencies);
    const uint32_t pairs = kTinyDecoderWidth / kTinyDecoderHeads / 2;
    tensors[kFrequencies] = {{pairs}, {}};
    for (uint32_t i = 0; i < pairs; ++i) {
      tensors[kFrequencies].values.push_back(std::pow(10000.0f, -static_cast<float>(i) / static_cast<float>(pairs)));
    }
    uint32_t x = op(ops::Embedding{}, {}, {table}, kTinyDecoderWidth);
    for (uint32_t layer = 0; layer < options.layers; ++layer) x = block(x, layer, frequencies);
    x = norm("model.norm", x);
    const uint32_t head = options.tied ? table : tensor("lm_head.weight", {vocabulary, kTinyDecoderWidth}, 0.15f);
    for (float& value : tensors[program.weights[head]].values) value *= options.scale;
    program.outputs = {op(ops::Linear{}, {x}, {head}, vocabulary)};
    task.kind = kGenerationTask;
    task.dimension = vocabulary;
    task.architecture = "llama";
    task.context = options.context;
    task.rope_theta = 10000;
  }

  EncodedTensor weight(const std::string& name) const {
    const Tensor& tensor = tensors.at(name);
    EncodedTensor encoded{{}, tensor.shape, {}};
    encoded.planes[0] = as_bytes_of(tensor.values);
    return encoded;
  }

  /// The weights must outlive the model.
  Model build() const {
    return Model::build(
        program, [this](const std::string& name) { return weight(name); }, "tiny decoder");
  }

  std::filesystem::path write(const std::filesystem::path& path) const {
    ArtifactWriter writer(path);
    for (const auto& [name, tensor] : tensors) writer.add_tensor(name, weight(name));
    writer.set_section(layout::Section::tokenizer, encode_tokenizer(tokenizer));
    writer.set_section(layout::Section::task, task_text(task, "tiny"));
    writer.finish(program);
    return path;
  }

  /// A folder with config.json, tokenizer.json and model.safetensors.
  std::filesystem::path write_folder(const TempDir& dir, const std::string& name = "decoder") const {
    SafetensorsBuilder builder;
    for (const auto& [tensor_name, tensor] : tensors) {
      if (tensor_name != kFrequencies) builder.add_f32(tensor_name, tensor.shape, tensor.values);
    }
    dir.write(name + "/model.safetensors", builder.build());
    dir.write(name + "/config.json", config_json());
    dir.write(name + "/tokenizer.json", tokenizer_json());
    dir.write(name + "/tokenizer_config.json", R"({"tokenizer_class":"GPT2Tokenizer","eos_token":"<|im_end|>",)"
                                               R"("bos_token":"<|endoftext|>"})");
    return dir / name;
  }

  /// The folder as a source, without the readers of config and tokenizer.
  SourceModel source(const TempDir& dir) const {
    SourceModel model;
    model.name = "decoder";
    model.path = write_folder(dir);
    model.checkpoint = open_checkpoint(model.path);
    model.program = program;
    model.tokenizer = tokenizer;
    model.task = task;
    model.derived[kFrequencies] = f32_buffer(tensors.at(kFrequencies).shape, tensors.at(kFrequencies).values);
    return model;
  }

 private:
  static constexpr const char* kFrequencies = "rope.frequencies";

  // The sum of twelve uniform numbers: nearly normal, and the same on every platform.
  static float bell(std::mt19937& random) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(random()) / 4294967296.0;
    return static_cast<float>(sum);
  }

  uint32_t tensor(const std::string& name, const Shape& shape, float deviation, float mean = 0) {
    Tensor& added = tensors[name] = {shape, std::vector<float>(element_count(shape, name))};
    for (float& value : added.values) value = mean + deviation * bell(random_);
    if (options.noise > 0 && shape.size() == 2) {
      for (float& value : added.values) value += options.noise * deviation * bell(noise_);
    }
    return program.add_weight(name);
  }

  uint32_t op(const Attributes& attributes, std::vector<uint32_t> inputs, std::vector<uint32_t> weights,
              uint32_t width) {
    const uint32_t output = program.add_value("v" + std::to_string(program.values.size()), RowKind::tokens, width);
    program.ops.push_back({attributes, std::move(inputs), std::move(weights), output});
    return output;
  }

  uint32_t linear(const std::string& name, uint32_t input, uint32_t outputs) {
    const uint32_t inputs = program.values[input].shape.size();
    const float deviation = 1 / std::sqrt(static_cast<float>(inputs));
    return op(ops::Linear{}, {input}, {tensor(name + ".weight", {outputs, inputs}, deviation)}, outputs);
  }

  uint32_t norm(const std::string& name, uint32_t input) {
    const uint32_t width = program.values[input].shape.size();
    return op(ops::RmsNorm{1e-5f, 0}, {input}, {tensor(name + ".weight", {width}, 0.05f, 1)}, width);
  }

  uint32_t block(uint32_t x, uint32_t layer, uint32_t frequencies) {
    const std::string at = "model.layers." + std::to_string(layer) + ".";
    const uint32_t kv_width = kTinyDecoderWidth / kTinyDecoderHeads * kTinyDecoderKvHeads;
    const uint32_t normed = norm(at + "input_layernorm", x);
    const uint32_t q = linear(at + "self_attn.q_proj", normed, kTinyDecoderWidth);
    const uint32_t k = linear(at + "self_attn.k_proj", normed, kv_width);
    const uint32_t v = linear(at + "self_attn.v_proj", normed, kv_width);
    const uint32_t turned_q =
        op(ops::Rope{RopePairs::halves, kTinyDecoderHeads}, {q}, {frequencies}, kTinyDecoderWidth);
    const uint32_t turned_k = op(ops::Rope{RopePairs::halves, kTinyDecoderKvHeads}, {k}, {frequencies}, kv_width);
    const ops::Attention attention{AttentionMask::causal, kTinyDecoderHeads, kTinyDecoderKvHeads, 0};
    const uint32_t attended = op(attention, {turned_q, turned_k, v}, {}, kTinyDecoderWidth);
    x = op(ops::Add{}, {x, linear(at + "self_attn.o_proj", attended, kTinyDecoderWidth)}, {}, kTinyDecoderWidth);
    const uint32_t inner = norm(at + "post_attention_layernorm", x);
    const uint32_t gate = op(ops::Activation{ActivationFunction::silu},
                             {linear(at + "mlp.gate_proj", inner, kTinyDecoderInner)}, {}, kTinyDecoderInner);
    const uint32_t up = linear(at + "mlp.up_proj", inner, kTinyDecoderInner);
    const uint32_t product = op(ops::Multiply{}, {gate, up}, {}, kTinyDecoderInner);
    return op(ops::Add{}, {x, linear(at + "mlp.down_proj", product, kTinyDecoderWidth)}, {}, kTinyDecoderWidth);
  }

  std::string config_json() const {
    const auto field = [](const std::string& key, uint64_t value) {
      return ",\"" + key + "\":" + std::to_string(value);
    };
    return R"({"model_type":"llama","architectures":["LlamaForCausalLM"],"hidden_act":"silu","rms_norm_eps":1e-5,)"
           R"("rope_theta":10000.0,"tie_word_embeddings":)" +
           std::string(options.tied ? "true" : "false") + field("hidden_size", kTinyDecoderWidth) +
           field("num_hidden_layers", options.layers) + field("num_attention_heads", kTinyDecoderHeads) +
           field("num_key_value_heads", kTinyDecoderKvHeads) + field("intermediate_size", kTinyDecoderInner) +
           field("vocab_size", tokenizer.vocabulary.size()) + field("max_position_embeddings", options.context) +
           field("eos_token_id", tokenizer.stop_ids.back()) + field("bos_token_id", tokenizer.begin_id) + "}";
  }

  std::string tokenizer_json() const {
    const auto quoted = [](const std::string& text) {
      std::string out = "\"";
      for (const char c : text) out += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
      return out + "\"";
    };
    std::string vocabulary, merges, added;
    const size_t pieces = tokenizer.vocabulary.size() - tokenizer.added_tokens.size();
    for (size_t id = 0; id < pieces; ++id) {
      vocabulary += (id == 0 ? "" : ",") + quoted(tokenizer.vocabulary[id]) + ":" + std::to_string(id);
    }
    for (const BpeMerge& merge : tokenizer.merges) {
      merges += std::string(merges.empty() ? "" : ",") + "[" + quoted(tokenizer.vocabulary[merge.left]) + "," +
                quoted(tokenizer.vocabulary[merge.right]) + "]";
    }
    for (const AddedToken& token : tokenizer.added_tokens) {
      added += std::string(added.empty() ? "" : ",") + R"({"id":)" + std::to_string(token.id) + R"(,"content":)" +
               quoted(token.content) +
               R"(,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true})";
    }
    return R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[)" + added +
           R"(],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,)"
           R"("use_regex":true},"post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":true,)"
           R"("trim_offsets":true,"use_regex":true},"model":{"type":"BPE","dropout":null,"unk_token":null,)"
           R"("continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,)"
           R"("ignore_merges":false,"vocab":{)" +
           vocabulary + R"(},"merges":[)" + merges + "]}}";
  }

  std::mt19937 random_;
  std::mt19937 noise_;
};

/// English-like text of `lines` lines, the same on every platform; every fifth line is empty.
inline std::string tiny_prose(size_t lines) {
  static const char* const kWords[] = {"the", "and", "in",   "a",    "than", "thin", "ant",  "hat",
                                       "sun", "ran", "mane", "thin", "late", "into", "then", "an"};
  std::mt19937 random(3);
  std::string text;
  for (size_t line = 0; line < lines; ++line) {
    if (line % 5 != 4) {
      for (size_t words = 5 + random() % 8; words > 0; --words) {
        text += kWords[random() % std::size(kWords)] + std::string(words > 1 ? " " : ".");
      }
    }
    text += "\n";
  }
  return text;
}

}  // namespace lathe::test
