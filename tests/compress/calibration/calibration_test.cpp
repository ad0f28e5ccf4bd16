#include "compress/calibration/calibration.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/support/compress_tiny.h"

namespace lathe {
namespace {

using test::TempDir;
using test::TinyModel;

struct Fixture {
  TempDir dir;
  SourceModel source = open_source(TinyModel().write(dir), false);
  TokenBatch samples = test::samples_of(source, test::quick_recipe("int8")).batch;
  std::vector<float> changed;  // another first query weight, for the compressed model

  WeightLookup original() const {
    return [this](const std::string& name) { return source.weight(name); };
  }
  WeightLookup compressed() const {
    return [this](const std::string& name) {
      EncodedTensor tensor = source.weight(name);
      if (!changed.empty() && name == "encoder.layer.0.attention.self.query.weight") {
        tensor.planes[0] = as_bytes_of(changed);
      }
      return tensor;
    };
  }
  void change_query() {
    changed = decode(source.weight("encoder.layer.0.attention.self.query.weight"));
    for (float& value : changed) value = std::round(value * 4) / 4;
  }

  std::vector<size_t> linear_ops() const {
    std::vector<size_t> ops;
    for (size_t i = 0; i < source.program.ops.size(); ++i) {
      if (source.program.ops[i].is<ops::Linear>()) ops.push_back(i);
    }
    return ops;
  }

  // What the op reads, from one run of the program up to there.
  std::vector<float> inputs_of(size_t op, const WeightLookup& weights) const {
    ProgramSlice part = slice(source.program, {}, {source.program.ops[op].inputs[0]});
    const Model model = Model::build(part.program, weights, "test");
    Session session(model, 1);
    std::vector<float> rows(samples.tokens() * part.program.values[part.program.outputs[0]].shape.size());
    float* const out[] = {rows.data()};
    session.run(samples, {}, out);
    return rows;
  }
};

// Largest difference of `actual` from sum over rows of a^T b, relative to the largest entry.
double gram_error(const std::vector<double>& actual, const std::vector<float>& a, const std::vector<float>& b,
                  size_t width) {
  double worst = 0;
  double largest = 0;
  for (size_t i = 0; i < width; ++i) {
    for (size_t j = 0; j < width; ++j) {
      double sum = 0;
      for (size_t row = 0; row < a.size(); row += width) sum += static_cast<double>(a[row + i]) * b[row + j];
      worst = std::max(worst, std::abs(sum - actual[i * width + j]));
      largest = std::max(largest, std::abs(sum));
    }
  }
  return worst / largest;
}

}  // namespace

TEST_CASE("statistics are those of the values that each layer reads", "[compress][calibration]") {
  const Fixture f;
  Calibration calibration(f.samples, f.original(), f.compressed(), 2);
  for (const size_t op : f.linear_ops()) {
    INFO("op " << op);
    const InputStatistics statistics = calibration.collect(f.source.program, f.source.program, op);
    const std::vector<float> x = f.inputs_of(op, f.original());
    CHECK(statistics.tokens == f.samples.tokens());
    REQUIRE(statistics.width * statistics.tokens == x.size());
    CHECK(gram_error(statistics.gram, x, x, statistics.width) < 1e-5);
    for (size_t i = 0; i < statistics.width; ++i) {
      double sum = 0;
      for (size_t row = 0; row < x.size(); row += statistics.width) sum += x[row + i];
      CHECK(statistics.sum[i] == Approx(sum).margin(1e-3));
    }
    CHECK(statistics.cross_gram.empty());  // the two models are the same
  }
}

TEST_CASE("once the models differ, a layer sees what the compressed one gives and what it should be",
          "[compress][calibration]") {
  Fixture f;
  f.change_query();
  Calibration calibration(f.samples, f.original(), f.compressed(), 1);
  const std::vector<size_t> ops = f.linear_ops();
  CHECK(calibration.collect(f.source.program, f.source.program, ops[0]).cross_gram.empty());  // before the change
  const InputStatistics after = calibration.collect(f.source.program, f.source.program, ops[3]);
  const std::vector<float> x = f.inputs_of(ops[3], f.compressed());
  const std::vector<float> y = f.inputs_of(ops[3], f.original());
  REQUIRE(x != y);
  CHECK(gram_error(after.gram, x, x, after.width) < 1e-5);
  REQUIRE_FALSE(after.cross_gram.empty());
  CHECK(gram_error(after.cross_gram, y, x, after.width) < 1e-5);
  CHECK(gram_error(after.cross_gram, x, x, after.width) > 1e-4);  // the check above can tell them apart
}

TEST_CASE("statistics are the same for any number of threads", "[compress][calibration]") {
  Fixture f;
  f.change_query();
  const size_t op = f.linear_ops()[4];
  Calibration one(f.samples, f.original(), f.compressed(), 1);
  const InputStatistics expected = one.collect(f.source.program, f.source.program, op);
  for (const size_t threads : {2, 3}) {
    Calibration more(f.samples, f.original(), f.compressed(), threads);
    const InputStatistics statistics = more.collect(f.source.program, f.source.program, op);
    CHECK(statistics.gram == expected.gram);
    CHECK(statistics.cross_gram == expected.cross_gram);
    CHECK(statistics.sum == expected.sum);
    CHECK(statistics.original_sum == expected.original_sum);
  }
}

TEST_CASE("layers may be skipped on the way", "[compress][calibration]") {
  const Fixture f;
  const std::vector<size_t> ops = f.linear_ops();
  Calibration all(f.samples, f.original(), f.compressed(), 1);
  InputStatistics stepwise;
  for (const size_t op : ops) stepwise = all.collect(f.source.program, f.source.program, op);
  Calibration direct(f.samples, f.original(), f.compressed(), 1);
  CHECK(direct.collect(f.source.program, f.source.program, ops.back()).gram == stepwise.gram);
}

}  // namespace lathe
