#include "compress/calibration/dense_samples.h"

#include <catch2/catch.hpp>

#include "compress/calibration/calibration.h"
#include "tests/support/tiny_mlp.h"

namespace lathe {
namespace {

using Catch::Contains;
using test::kMlpClasses;
using test::mlp_samples;
using test::PlainMlp;
using test::TempDir;

PlainMlp plain(const SourceModel& model) {
  PlainMlp network;
  for (const std::string& name : model.program.weights) network.weights[name] = decode(model.weight(name));
  return network;
}

WeightLookup lookup_of(const SourceModel& model) {
  return [&model](const std::string& name) { return model.weight(name); };
}

}  // namespace

TEST_CASE("a network over feature rows or images gives what plain loops give", "[compress][dense]") {
  const RowShape shape = GENERATE(RowShape(24), RowShape(2, 3, 4));
  const TempDir dir;
  const SourceModel source = test::tiny_mlp(dir.path(), shape);
  const DenseSamples samples = mlp_samples(shape, 50, 2);
  const Model model = Model::build(source.program, lookup_of(source), "test");
  Session session(model, GENERATE(1u, 3u));
  const std::vector<float> logits = run_samples(session, samples);
  const PlainMlp network = plain(source);
  REQUIRE(logits.size() == 50 * kMlpClasses);
  for (size_t s = 0; s < samples.count; ++s) {
    const std::vector<double> expected = network.logits(samples.inputs[0].data() + s * 24, 24);
    for (size_t c = 0; c < kMlpClasses; ++c) CHECK(logits[s * kMlpClasses + c] == Approx(expected[c]).margin(1e-5));
  }
}

TEST_CASE("a part of samples has their rows", "[compress][dense]") {
  const DenseSamples samples = mlp_samples(6, 10, 2);
  const DenseSamples part = part_of(samples, 3, 4);
  CHECK(part.count == 4);
  CHECK(part.inputs[0] == std::vector<float>(samples.inputs[0].begin() + 18, samples.inputs[0].begin() + 42));
}

TEST_CASE("samples that do not fit the program are refused", "[compress][dense]") {
  const TempDir dir;
  const Program program = test::tiny_mlp(dir.path(), RowShape(2, 3, 4)).program;
  DenseSamples samples = mlp_samples(24, 10, 2);
  CHECK_NOTHROW(check_samples(program, samples));
  SECTION("none") { CHECK_THROWS_WITH(check_samples(program, DenseSamples{}), Contains("there are no samples")); }
  SECTION("another number of inputs") {
    samples.inputs.emplace_back();
    CHECK_THROWS_WITH(check_samples(program, samples), Contains("the samples have 2 inputs, the program has 1"));
  }
  SECTION("another width") {
    samples.inputs[0].pop_back();
    CHECK_THROWS_WITH(check_samples(program, samples),
                      Contains("input features: 10 samples of 2 x 3 x 4 have 240 numbers, but there are 239"));
  }
  SECTION("a number that is not finite") {
    samples.inputs[0][24 * 7 + 1] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH(check_samples(program, samples), Contains("input features: sample 7 has a number that is not"));
  }
}

TEST_CASE("calibration on samples sees what each layer reads", "[compress][dense][calibration]") {
  const TempDir dir;
  const SourceModel source = test::tiny_mlp(dir.path(), 24);
  const DenseSamples samples = mlp_samples(24, 5000, 3);  // more than one part
  Calibration calibration(samples, lookup_of(source), lookup_of(source), 2);
  const PlainMlp network = plain(source);
  const size_t widths[] = {24, test::kMlpHidden, test::kMlpHidden};
  std::vector<std::vector<double>> sums(3);
  for (size_t layer = 0; layer < 3; ++layer) sums[layer].resize(widths[layer]);
  for (size_t s = 0; s < samples.count; ++s) {
    const float* row = samples.inputs[0].data() + s * 24;
    std::vector<double> x(row, row + 24);
    for (size_t layer = 0; layer < 3; ++layer) {
      for (size_t i = 0; i < x.size(); ++i) sums[layer][i] += x[i];
      if (layer < 2) x = network.layer("layer" + std::to_string(layer), std::move(x), test::kMlpHidden, true);
    }
  }
  for (size_t layer = 0; layer < 3; ++layer) {
    CAPTURE(layer);
    const InputStatistics statistics = calibration.collect(source.program, source.program, 2 * layer);
    CHECK(statistics.tokens == samples.count);
    REQUIRE(statistics.sum.size() == widths[layer]);
    for (size_t i = 0; i < widths[layer]; ++i) CHECK(statistics.sum[i] == Approx(sums[layer][i]).margin(0.05));
  }
}

}  // namespace lathe
