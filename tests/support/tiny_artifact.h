#pragma once
// A BERT-like sentence encoder that is small enough to write in a test: random weights, a vocabulary of a few words.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "formats/artifact/artifact_writer.h"
#include "formats/artifact/half.h"
#include "formats/artifact/tokenizer/tokenizer_spec.h"

namespace lathe::test {

struct TinyOptions {
  uint32_t seed = 1;
  bool int8 = false;  // linear weights
  bool tokenizer = true;
  uint32_t hidden = 32;  // a multiple of 4
  uint32_t positions = 32;
  std::string results;  // JSON text of the results section
  std::string task = "kind=sentence-embedding\ndimension=32\npooling=mean\nnormalize=1\nsource=tiny\n";
};

inline TokenizerSpec tiny_tokenizer() {
  TokenizerSpec spec;
  spec.kind = TokenizerKind::wordpiece;
  spec.vocabulary = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "a",   "cat", "dog",    "sat", "on",
                     "the",   "mat",   "ran",   "##s",   "sun", "is",  "bright", ".",   "moon"};
  spec.unknown_id = 1;
  spec.begin_id = 2;
  spec.end_id = 3;
  spec.pad_id = 0;
  spec.max_length = 512;
  return spec;
}

/// Adds weights and operations one after the other.
class TinyBuilder {
 public:
  TinyBuilder(const std::filesystem::path& path, const TinyOptions& options)
      : options_(options), writer_(path), random_(options.seed) {}

  /// Returns the size of the file.
  uint64_t write() {
    const uint32_t h = options_.hidden;
    const auto vocabulary = static_cast<uint32_t>(tiny_tokenizer().vocabulary.size());
    const uint32_t words = op({ops::Embedding{Stream::tokens}, {}, {weight("words", {vocabulary, h}, 0.3f)}}, h);
    const uint32_t places =
        op({ops::Embedding{Stream::positions}, {}, {weight("places", {options_.positions, h}, 0.1f)}}, h);
    uint32_t x = op({ops::Add{}, {words, places}, {}}, h);
    const uint32_t q = linear("query", x, h), k = linear("key", x, h), v = linear("value", x, h);
    const uint32_t attended = op({ops::Attention{AttentionMask::full, 2, 2, 0}, {q, k, v}, {}}, h);
    x = norm("norm1", op({ops::Add{}, {linear("out", attended, h), x}, {}}, h));
    const uint32_t wide = op({ops::Activation{}, {linear("up", x, 2 * h)}, {}}, 2 * h);
    x = norm("norm2", op({ops::Add{}, {linear("down", wide, h), x}, {}}, h));
    const uint32_t pooled = op({ops::Pool{}, {x}, {}}, h, RowKind::sequences);
    program_.outputs = {op({ops::Normalize{1e-12f}, {pooled}, {}}, h, RowKind::sequences)};
    if (options_.tokenizer) writer_.set_section(layout::Section::tokenizer, encode_tokenizer(tiny_tokenizer()));
    if (!options_.results.empty()) writer_.set_section(layout::Section::results, options_.results);
    writer_.set_section(layout::Section::task, options_.task);
    writer_.set_section(layout::Section::recipe, R"({"quant":"f32"})");
    return writer_.finish(program_);
  }

 private:
  uint32_t op(Op op, uint32_t width, RowKind rows = RowKind::tokens) {
    op.output = program_.add_value("value" + std::to_string(program_.values.size()), rows, width);
    program_.ops.push_back(op);
    return op.output;
  }

  std::vector<float> numbers(const Shape& shape, float deviation) {
    std::normal_distribution<float> normal(0, deviation);
    std::vector<float> values(element_count(shape, "test"));
    for (float& value : values) value = normal(random_);
    return values;
  }

  uint32_t store(const std::string& name, const Shape& shape, const std::vector<float>& values) {
    EncodedTensor tensor{{}, shape, {}};
    tensor.planes[0] = as_bytes_of(values);
    writer_.add_tensor(name, tensor);
    return program_.add_weight(name);
  }

  uint32_t weight(const std::string& name, const Shape& shape, float deviation) {
    return store(name, shape, numbers(shape, deviation));
  }

  // Rounded to nearest with the largest value of a row as 127.
  uint32_t int8_weight(const std::string& name, const Shape& shape, float deviation) {
    const std::vector<float> values = numbers(shape, deviation);
    std::vector<int8_t> integers;
    std::vector<uint16_t> scales;
    for (size_t begin = 0; begin < values.size(); begin += shape[1]) {
      float largest = 0;
      for (size_t i = 0; i < shape[1]; ++i) largest = std::max(largest, std::abs(values[begin + i]));
      scales.push_back(f32_to_bf16(largest / 127));
      const float scale = bf16_to_f32(scales.back());
      for (size_t i = 0; i < shape[1]; ++i) {
        integers.push_back(static_cast<int8_t>(std::clamp(std::round(values[begin + i] / scale), -127.0f, 127.0f)));
      }
    }
    EncodedTensor tensor{{ValueType::int8, Sparsity::dense, 0}, shape, {}};
    tensor.planes[static_cast<size_t>(Plane::values)] = as_bytes_of(integers);
    tensor.planes[static_cast<size_t>(Plane::row_scales)] = as_bytes_of(scales);
    writer_.add_tensor(name, tensor);
    return program_.add_weight(name);
  }

  uint32_t linear(const std::string& name, uint32_t input, uint32_t outputs) {
    const Shape shape = {outputs, program_.values[input].shape.size()};
    const float deviation = 1 / std::sqrt(static_cast<float>(shape[1]));
    const uint32_t w =
        options_.int8 ? int8_weight(name + ".weight", shape, deviation) : weight(name + ".weight", shape, deviation);
    const uint32_t b = weight(name + ".bias", {outputs}, 0.05f);
    return op({ops::Linear{}, {input}, {w, b}}, outputs);
  }

  uint32_t norm(const std::string& name, uint32_t input) {
    const uint32_t width = options_.hidden;
    const uint32_t gamma = store(name + ".gamma", {width}, std::vector<float>(width, 1));
    const uint32_t beta = weight(name + ".beta", {width}, 0.05f);
    return op({ops::LayerNorm{1e-5f}, {input}, {gamma, beta}}, width);
  }

  TinyOptions options_;
  ArtifactWriter writer_;
  Program program_;
  std::mt19937 random_;
};

/// Writes the artifact; the same options give the same bytes. With equal seeds, f32 and int8 are the same model.
inline std::filesystem::path write_tiny(const std::filesystem::path& path, const TinyOptions& options = {}) {
  TinyBuilder(path, options).write();
  return path;
}

}  // namespace lathe::test
