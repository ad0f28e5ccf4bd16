// The interpreter against numbers recorded from PyTorch, and against the runtime, with which it shares no arithmetic.

#include "compress/training/torch/interpreter.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "compress/evaluation/fidelity.h"
#include "compress/source/source_model.h"
#include "formats/text_file.h"
#include "runtime/session.h"
#include "runtime/text/embedder.h"
#include "tests/compress/training/torch/random_program.h"
#include "tests/support/paths.h"
#include "tests/support/recorded_decoder.h"
#include "tests/support/reference_file.h"

namespace lathe::training {
namespace {

using test::RandomProgram;
using test::worst_difference;

// Float rounding over a few layers of values of about 3; an error in any op is far above it.
constexpr double kTolerance = 2e-5;
const at::Device kCpu(at::kCPU);

std::filesystem::path data_folder(const std::string& name) { return test::data_path(name); }

WeightLookup lookup_of(const SourceModel& source) {
  return [&source](const std::string& name) { return source.weight(name); };
}

std::vector<float> by_interpreter(const Program& program, const WeightLookup& lookup, const TokenBatch& batch,
                                  uint32_t value) {
  std::vector<at::Tensor> weights;
  for (const std::string& name : program.weights) weights.push_back(decoded(lookup(name), kCpu));
  return floats_of(interpret(program, weights, make_tensor_batch(batch, kCpu), {}, {value}).at(value));
}

std::vector<float> by_runtime(const Program& program, const WeightLookup& lookup, const TokenBatch& batch,
                              uint32_t value) {
  const Model model = Model::build(slice(program, {}, {value}).program, lookup, "test");
  const bool tokens = program.values[value].rows == RowKind::tokens;
  std::vector<float> out((tokens ? batch.tokens() : batch.sequences()) * program.values[value].shape.size());
  float* const outputs[] = {out.data()};
  Session(model, 1).run(batch, {}, outputs);
  return out;
}

TokenBatch only(const TokenBatch& batch, uint32_t sequence) { return select_sequences(batch, std::span(&sequence, 1)); }

TokenBatch recorded_inputs(const std::string& name) {
  TokenBatch batch;
  for (const auto& ids : test::read_token_lines(data_folder(name) / "inputs.txt")) batch.add(ids);
  return batch;
}

std::vector<float> part_of(const std::vector<float>& values, size_t first, size_t count) {
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

TEST_CASE("hidden states of the interpreter equal PyTorch's and the runtime's for every length",
          "[compress][torch][interpreter]") {
  const std::string name = GENERATE("bert_tiny", "bert_odd", "bert_relu");
  CAPTURE(name);
  const SourceModel source = open_source(data_folder(name), false);
  const TokenBatch all = recorded_inputs(name);
  const auto expected = test::read_reference(data_folder(name) / "expected.txt");
  REQUIRE(all.sequences() == expected.size());
  const uint32_t hidden = source.program.ops[source.program.ops.size() - 3].output;  // before pool and normalize
  const size_t width = source.program.values[hidden].shape.size();
  const std::vector<float> together = by_interpreter(source.program, lookup_of(source), all, hidden);
  CHECK(worst_difference(together, by_runtime(source.program, lookup_of(source), all, hidden)) < kTolerance);
  size_t compared = 0;
  for (uint32_t s = 0; s < all.sequences(); ++s) {
    CAPTURE(s);
    const std::vector<float> rows = part_of(together, all.starts[s] * width, all.length(s) * width);
    const std::vector<float> alone = by_interpreter(source.program, lookup_of(source), only(all, s), hidden);
    CHECK(worst_difference(rows, alone) < kTolerance);
    const auto wanted = expected[s].numbers.find("hidden");  // recorded for the short sequences
    if (wanted == expected[s].numbers.end()) continue;
    CHECK(worst_difference(rows, wanted->second) < kTolerance);
    ++compared;
  }
  CHECK(compared > 0);
}

TEST_CASE("pooled vectors of the interpreter equal PyTorch's", "[compress][torch][interpreter]") {
  const SourceModel source = open_source(data_folder("bert_tiny"), false);
  const TokenBatch batch = recorded_inputs("bert_tiny");
  const auto expected = test::read_reference(data_folder("bert_tiny") / "expected.txt");
  const auto [key, pooling] = GENERATE(std::pair{"mean", Pooling::mean}, std::pair{"cls", Pooling::first});
  Program program = source.program;
  Op& pool = program.ops[program.ops.size() - 2];
  REQUIRE(pool.is<ops::Pool>());
  pool.attributes = ops::Pool{pooling};
  const std::vector<float> pooled = by_interpreter(program, lookup_of(source), batch, pool.output);
  const size_t width = source.task.dimension;
  for (size_t s = 0; s < batch.sequences(); ++s) {
    CHECK(worst_difference(part_of(pooled, s * width, width), expected[s].numbers.at(key)) < kTolerance);
  }
}

TEST_CASE("logits of the interpreter equal PyTorch's and the runtime's", "[compress][torch][interpreter]") {
  const SourceModel source = open_source(data_folder("bert_classifier"), false);
  const TokenBatch batch = recorded_inputs("bert_classifier");
  const auto expected = test::read_reference(data_folder("bert_classifier") / "expected.txt");
  const uint32_t output = source.program.outputs.at(0);
  const std::vector<float> logits = by_interpreter(source.program, lookup_of(source), batch, output);
  CHECK(worst_difference(logits, by_runtime(source.program, lookup_of(source), batch, output)) < 5e-6);
  for (uint32_t s = 0; s < batch.sequences(); ++s) {
    CAPTURE(s);
    const std::vector<float>& wanted = expected[s].numbers.at("logits");
    CHECK(worst_difference(part_of(logits, 3 * s, 3), wanted) < 5e-6);
    CHECK(worst_difference(by_interpreter(source.program, lookup_of(source), only(batch, s), output), wanted) < 5e-6);
  }
}

TEST_CASE("logits of decoders equal PyTorch's and the runtime's", "[compress][torch][interpreter]") {
  const std::string name = GENERATE(from_range(test::recorded_decoders()));
  CAPTURE(name);
  const test::RecordedDecoder decoder(name);
  const test::TempDir dir;
  const SourceModel source = open_source(decoder.copy(dir), false);
  const auto expected = decoder.expected();
  TokenBatch batch;
  for (const auto& ids : decoder.inputs()) batch.add(ids);
  REQUIRE(batch.sequences() == expected.size());
  const uint32_t output = source.program.outputs.at(0);
  const size_t width = source.task.dimension;
  constexpr double kLogitTolerance = 1e-4;  // they reach 10
  const std::vector<float> together = by_interpreter(source.program, lookup_of(source), batch, output);
  CHECK(worst_difference(together, by_runtime(source.program, lookup_of(source), batch, output)) < kLogitTolerance);
  for (uint32_t s = 0; s < batch.sequences(); ++s) {
    CAPTURE(s);
    const bool whole = expected[s].numbers.contains("logits");
    const std::vector<float>& wanted = expected[s].numbers.at(whole ? "logits" : "last");
    const size_t end = (batch.starts[s] + batch.length(s)) * width;
    CHECK(worst_difference(part_of(together, end - wanted.size(), wanted.size()), wanted) < kLogitTolerance);
    const std::vector<float> alone = by_interpreter(source.program, lookup_of(source), only(batch, s), output);
    CHECK(worst_difference(part_of(alone, alone.size() - wanted.size(), wanted.size()), wanted) < kLogitTolerance);
  }
}

// Two decoder layers with what recorded models do not have together: neighbouring pairs, and a part of each head
// turned.
RandomProgram decoder_program(RopePairs pairs, uint32_t window) {
  RandomProgram p;
  p.seed = 21;
  uint32_t x = p.embedding(Stream::tokens, 50, 24);
  for (int layer = 0; layer < 2; ++layer) {
    const uint32_t in = p.rms_norm(x);
    const uint32_t q = p.rope(p.linear(in, 32), 4, 3, pairs), k = p.rope(p.linear(in, 16), 2, 3, pairs);
    const uint32_t v = p.linear(in, 16);
    x = p.add(x, p.linear(p.causal_attention(q, k, v, 4, 2, window), 24));
    const uint32_t wide = p.rms_norm(x);
    const uint32_t gate = p.linear(wide, 40, false), up = p.linear(wide, 40, false);
    x = p.add(x, p.linear(p.multiply(p.activation(gate, ActivationFunction::silu), up), 24));
  }
  p.program.outputs = {p.linear(p.rms_norm(x), 50, false)};
  return p;
}

TEST_CASE("both kinds of pairs and every window give what the runtime gives", "[compress][torch][interpreter]") {
  const auto pairs = GENERATE(RopePairs::halves, RopePairs::neighbours);
  const uint32_t window = GENERATE(0u, 1u, 6u);
  CAPTURE(window);
  const RandomProgram p = decoder_program(pairs, window);
  const TokenBatch batch = test::random_batch({1, 9, 33, 2, 17}, 50, 3);
  const TokenBatch even = select_sequences(batch, std::vector<uint32_t>{2, 2, 2});  // no padding at all
  for (const TokenBatch& each : {batch, even}) {
    const uint32_t value = p.program.outputs[0];
    CHECK(worst_difference(by_interpreter(p.program, p.lookup(), each, value),
                           by_runtime(p.program, p.lookup(), each, value)) < 1e-4);
  }
}

// Two layers with the norms where `pre_norm` says, three streams, and a head.
RandomProgram transformer(bool pre_norm, ActivationFunction activation, Pooling pooling, bool normalize,
                          uint64_t seed) {
  RandomProgram p;
  p.seed = seed;
  constexpr uint32_t kWidth = 24;
  uint32_t x = p.add(p.embedding(Stream::tokens, 50, kWidth), p.embedding(Stream::positions, 40, kWidth));
  x = p.layer_norm(p.add(x, p.embedding(Stream::segments, 2, kWidth)));
  for (int layer = 0; layer < 2; ++layer) {
    uint32_t in = pre_norm ? p.layer_norm(x) : x;
    const uint32_t q = p.linear(in, kWidth), k = p.linear(in, kWidth, false), v = p.linear(in, kWidth);
    x = p.add(x, p.linear(p.attention(q, k, v, 3), kWidth));
    if (!pre_norm) x = p.layer_norm(x);
    in = pre_norm ? p.layer_norm(x) : x;
    x = p.add(x, p.linear(p.activation(p.linear(in, 40), activation), kWidth));
    if (!pre_norm) x = p.layer_norm(x);
  }
  uint32_t out = p.pool(pre_norm ? p.layer_norm(x) : x, pooling);
  if (normalize) out = p.normalize(out);
  out = p.linear(p.activation(p.linear(out, 17), activation), 5);
  p.program.outputs = {out};
  return p;
}

TEST_CASE("every activation and pooling gives what the runtime gives", "[compress][torch][interpreter]") {
  const auto activation = static_cast<ActivationFunction>(GENERATE(range(0u, 5u)));
  const auto pooling = static_cast<Pooling>(GENERATE(range(0u, 3u)));
  const bool pre_norm = GENERATE(false, true);
  CAPTURE(kActivations.name(activation), kPoolings.name(pooling), pre_norm);
  const RandomProgram p = transformer(pre_norm, activation, pooling, pooling == Pooling::max, 7);
  TokenBatch batch = test::random_batch({1, 9, 33, 2, 17}, 50, 3);
  batch.segments.assign(batch.tokens(), 0);
  for (size_t i = 0; i < batch.tokens(); i += 3) batch.segments[i] = 1;
  const TokenBatch even = select_sequences(batch, std::vector<uint32_t>{2, 2, 2});  // no padding at all
  for (const TokenBatch& each : {batch, even}) {
    for (const uint32_t value : {p.program.outputs[0], p.program.ops.back().inputs[0]}) {
      CHECK(worst_difference(by_interpreter(p.program, p.lookup(), each, value),
                             by_runtime(p.program, p.lookup(), each, value)) < kTolerance);
    }
  }
}

TEST_CASE("values that are given are not computed", "[compress][torch][interpreter]") {
  const RandomProgram p = transformer(false, ActivationFunction::gelu, Pooling::mean, true, 11);
  const TokenBatch batch = test::random_batch({5, 12, 3}, 50, 4);
  const TensorBatch tensors = make_tensor_batch(batch, kCpu);
  const std::vector<at::Tensor> weights = p.tensors();
  const uint32_t output = p.program.outputs[0];
  std::vector<uint32_t> every;
  for (const Op& op : p.program.ops) every.push_back(op.output);
  const Values whole = interpret(p.program, weights, tensors, {}, every);
  REQUIRE(whole.size() == every.size());
  for (const Op& op : p.program.ops) {
    if (!op.is<ops::LayerNorm>()) continue;  // where one value alone leads on
    std::vector<at::Tensor> some(weights.size());
    for (const std::string& name : slice(p.program, {op.output}, {output}).program.weights) {
      const auto at = std::find(p.program.weights.begin(), p.program.weights.end(), name) - p.program.weights.begin();
      some[static_cast<size_t>(at)] = weights[static_cast<size_t>(at)];
    }
    const Values rest = interpret(p.program, some, tensors, {{op.output, whole.at(op.output)}}, {output});
    REQUIRE(rest.size() == 1);
    CHECK(rest.at(output).equal(whole.at(output)));
    const at::Tensor moved = whole.at(op.output) + test::random_tensor(whole.at(op.output).sizes().vec(), 8);
    const Values other = interpret(p.program, some, tensors, {{op.output, moved}}, {output});
    CHECK_FALSE(other.at(output).equal(whole.at(output)));
  }
  const at::Tensor given = whole.at(output) + 1;
  CHECK(interpret(p.program, {}, tensors, {{output, given}}, {output}).at(output).equal(given));
}

TEST_CASE("products in bf16 are near those in f32 and not the same", "[compress][torch][interpreter]") {
  const RandomProgram p = transformer(false, ActivationFunction::gelu, Pooling::mean, false, 12);
  const TensorBatch batch = make_tensor_batch(test::random_batch({5, 12, 3}, 50, 4), kCpu);
  const uint32_t output = p.program.outputs[0];
  const at::Tensor full = interpret(p.program, p.tensors(), batch, {}, {output}).at(output);
  const at::Tensor half = interpret(p.program, p.tensors(), batch, {}, {output}, true).at(output);
  CHECK(half.scalar_type() == at::kFloat);
  const double error = ((half - full).norm() / full.norm()).item<double>();
  CHECK(error > 1e-5);
  CHECK(error < 0.03);
}

TEST_CASE("sequences are picked with their segments, in the order asked for", "[compress][torch][interpreter]") {
  TokenBatch batch = test::random_batch({2, 3, 1}, 50, 5);
  batch.segments = {0, 1, 1, 0, 1, 1};
  const TokenBatch picked = select_sequences(batch, std::vector<uint32_t>{2, 0});
  CHECK(picked.ids == std::vector<int32_t>{batch.ids[5], batch.ids[0], batch.ids[1]});
  CHECK(picked.segments == std::vector<int32_t>{1, 0, 1});
  CHECK(picked.starts == std::vector<uint32_t>{0, 1, 3});
}

TEST_CASE("the interpreter runs a real model as the runtime does", "[compress][torch][interpreter][real]") {
  const char* folder = std::getenv("LATHE_TEST_DATA");
  const std::filesystem::path data = folder == nullptr ? "" : folder;
  if (data.empty() || !std::filesystem::exists(data / "minilm/model.safetensors")) {
    WARN("LATHE_TEST_DATA names no folder with minilm/: skipped");
    return;
  }
  use_one_thread();
  const SourceModel source = open_source(data / "minilm", false);
  std::vector<std::string> texts = read_lines(data / "lee/background.txt");
  texts.resize(20);
  const Model model = Model::build(source.program, lookup_of(source), "minilm");
  Embedder embedder(model, source.tokenizer, 1);
  std::vector<at::Tensor> weights;
  for (const std::string& name : source.program.weights) weights.push_back(decoded(source.weight(name), kCpu));
  const uint32_t output = source.program.outputs.at(0);
  std::vector<float> out;
  for (const std::string& text : texts) {
    TokenBatch batch;
    batch.add(embedder.tokens(text));
    const at::NoGradGuard no_gradients;
    const Values values = interpret(source.program, weights, make_tensor_batch(batch, kCpu), {}, {output});
    for (const float number : floats_of(values.at(output))) out.push_back(number);
  }
  CHECK(fidelity(embedder.embed(texts), out, embedder.dimension()).minimum >= 0.99999);
}

}  // namespace
}  // namespace lathe::training
