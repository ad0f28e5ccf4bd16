#include "compress/program/blocks.h"

#include <catch2/catch.hpp>

#include "compress/source/source_model.h"
#include "tests/support/tiny_model.h"

namespace lathe {
namespace {

// Emits ops of a made-up model by hand; weights have names alone.
struct Builder {
  Program program;
  uint32_t embedded(uint32_t width) { return emit(ops::Embedding{}, {}, width, {"table"}); }
  uint32_t linear(uint32_t x, uint32_t width) { return emit(ops::Linear{}, {x}, width, {"w"}); }
  uint32_t norm(uint32_t x) { return emit(ops::LayerNorm{}, {x}, program.values[x].shape.size(), {"gamma", "beta"}); }
  uint32_t active(uint32_t x) { return emit(ops::Activation{}, {x}, program.values[x].shape.size(), {}); }
  uint32_t add(uint32_t a, uint32_t b) { return emit(ops::Add{}, {a, b}, program.values[a].shape.size(), {}); }
  uint32_t attention(uint32_t x, uint32_t heads) {
    const uint32_t width = program.values[x].shape.size();
    const uint32_t q = linear(x, width);
    const uint32_t k = linear(x, width);
    const uint32_t v = linear(x, width);
    return linear(emit(ops::Attention{AttentionMask::full, heads, heads, 0}, {q, k, v}, width, {}), width);
  }
  uint32_t feed_forward(uint32_t x, uint32_t neurons) {
    return linear(active(linear(x, neurons)), program.values[x].shape.size());
  }
  void pool(uint32_t x) {
    const uint32_t out = program.add_value("pooled", RowKind::sequences, program.values[x].shape.size());
    program.ops.push_back({ops::Pool{}, {x}, {}, out});
    program.outputs = {out};
  }

 private:
  uint32_t emit(const Attributes& attributes, std::vector<uint32_t> inputs, uint32_t width,
                const std::vector<std::string>& weights) {
    Op op{attributes, std::move(inputs), {}, program.add_value("", RowKind::tokens, width)};
    for (const std::string& weight : weights) op.weights.push_back(program.add_weight(weight));
    program.ops.push_back(op);
    return op.output;
  }
};

// Norms stand before attention and feed-forward, and one after the last layer. Returns what each half gives.
std::vector<uint32_t> add_pre_norm_layers(Builder& b, uint32_t x, size_t layers, uint32_t neurons) {
  std::vector<uint32_t> ends;
  for (size_t layer = 0; layer < layers; ++layer) {
    x = b.add(x, b.attention(b.norm(x), 2));
    ends.push_back(x);
    x = b.add(x, b.feed_forward(b.norm(x), neurons));
    ends.push_back(x);
  }
  return ends;
}

void check_chain(const std::vector<Block>& blocks) {
  for (size_t i = 1; i < blocks.size(); ++i) {
    CHECK(blocks[i].first == blocks[i - 1].last + 1);
    CHECK(blocks[i].input == blocks[i - 1].output);
  }
}

}  // namespace

TEST_CASE("the blocks of BERT are the embeddings and the two halves of each layer, each with its norm",
          "[compress][blocks]") {
  const test::TempDir dir;
  const Program program = open_source(test::TinyModel().write(dir), false).program;
  const std::vector<Block> blocks = find_blocks(program);
  std::vector<std::string> ends;
  for (const Block& block : blocks) ends.push_back(program.values[block.output].name);
  CHECK(ends == std::vector<std::string>{"embeddings.LayerNorm", "encoder.layer.0.attention.output.LayerNorm",
                                         "encoder.layer.0.output.LayerNorm",
                                         "encoder.layer.1.attention.output.LayerNorm",
                                         "encoder.layer.1.output.LayerNorm"});
  REQUIRE_FALSE(blocks.empty());
  CHECK(blocks[0].first == 0);
  CHECK(blocks[0].input == kNone);
  check_chain(blocks);
  CHECK(program.ops[blocks.back().last + 1].is<ops::Pool>());  // what works on sequences is no block
}

TEST_CASE("the layers of BERT are two blocks each", "[compress][blocks]") {
  const test::TempDir dir;
  const Program program = open_source(test::TinyModel().write(dir), false).program;
  const std::vector<Block> blocks = find_blocks(program);
  const std::vector<Block> layers = find_layers(program);
  REQUIRE(layers.size() == 2);
  for (size_t layer = 0; layer < 2; ++layer) {
    const Block& attention = blocks[1 + 2 * layer];
    const Block& feed_forward = blocks[2 + 2 * layer];
    CHECK(layers[layer] == Block{attention.first, feed_forward.last, attention.input, feed_forward.output});
  }
}

TEST_CASE("where norms stand before the layers, blocks end at the sums", "[compress][blocks]") {
  Builder b;
  const uint32_t embedded = b.embedded(8);
  const std::vector<uint32_t> ends = add_pre_norm_layers(b, embedded, 3, 20);
  const uint32_t last = b.norm(ends.back());
  b.pool(last);
  const std::vector<Block> blocks = find_blocks(b.program);
  REQUIRE(blocks.size() == 7);
  CHECK(blocks[0] == Block{0, 0, kNone, embedded});
  for (size_t i = 0; i < 5; ++i) CHECK(blocks[i + 1].output == ends[i]);
  CHECK(blocks[6].output == last);  // the norm at the end has no linear weight and joins what it follows
  check_chain(blocks);

  const std::vector<Block> layers = find_layers(b.program);
  REQUIRE(layers.size() == 3);  // the last one as well, without the norm behind it
  for (size_t layer = 0; layer < 3; ++layer) {
    CHECK(layers[layer].input == (layer == 0 ? embedded : ends[2 * layer - 1]));
    CHECK(layers[layer].output == ends[2 * layer + 1]);
    CHECK(b.program.ops[layers[layer].first].is<ops::LayerNorm>());
    CHECK(b.program.ops[layers[layer].last].is<ops::Add>());
  }
  check_chain(layers);
}

TEST_CASE("a token table with a layer that widens it is one block", "[compress][blocks]") {
  Builder b;
  const uint32_t words = b.linear(b.embedded(4), 8);
  const uint32_t positions = b.embedded(8);
  const uint32_t start = b.norm(b.add(words, positions));
  b.pool(add_pre_norm_layers(b, start, 2, 20).back());
  const std::vector<Block> blocks = find_blocks(b.program);
  REQUIRE(blocks.size() == 5);
  CHECK(blocks[0] == Block{0, 4, kNone, start});
}

TEST_CASE("a single layer repeats nothing", "[compress][blocks]") {
  Builder b;
  b.pool(add_pre_norm_layers(b, b.embedded(8), 1, 20).back());
  CHECK(find_layers(b.program).empty());
  CHECK(find_layers(Program{}).empty());
  CHECK(find_blocks(Program{}).empty());
}

TEST_CASE("layers are the longest run of equal ones", "[compress][blocks]") {
  Builder b;
  const std::vector<uint32_t> wide = add_pre_norm_layers(b, b.embedded(8), 2, 30);
  const std::vector<uint32_t> narrow = add_pre_norm_layers(b, wide.back(), 3, 20);
  b.pool(narrow.back());
  const std::vector<Block> layers = find_layers(b.program);
  REQUIRE(layers.size() == 3);
  CHECK(layers.front().input == wide.back());
  CHECK(layers.back().output == narrow.back());
}

TEST_CASE("of periods that fit, the smallest counts", "[compress][blocks]") {
  Builder b;
  uint32_t x = b.embedded(8);
  for (int i = 0; i < 4; ++i) x = b.active(b.linear(x, 8));
  b.pool(x);
  const std::vector<Block> layers = find_layers(b.program);
  REQUIRE(layers.size() == 4);
  CHECK(layers[0].last - layers[0].first == 1);
  CHECK(find_blocks(b.program).size() == 5);
}

TEST_CASE("a part of a program begins with the value that it is given", "[compress][blocks]") {
  Builder b;
  const uint32_t start = b.embedded(8);
  const std::vector<uint32_t> ends = add_pre_norm_layers(b, start, 2, 20);
  const ProgramSlice part = slice(b.program, {start}, {ends.back()});
  const std::vector<Block> blocks = find_blocks(part.program);
  REQUIRE(blocks.size() == 4);
  CHECK(blocks[0].input == part.program.inputs[0]);
  CHECK(blocks[3].output == part.program.outputs[0]);
  CHECK(find_layers(part.program).size() == 2);
}

}  // namespace lathe
