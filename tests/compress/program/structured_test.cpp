#include "compress/program/structured.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <set>

#include "compress/methods/layer.h"
#include "formats/artifact/error.h"
#include "tests/compress/methods/layer_samples.h"
#include "tests/support/tiny_model.h"

namespace lathe {
namespace {

using test::correlated_inputs;
using test::output_error;
using test::random_matrix;
using test::statistics_of;
using test::TinyModel;

Matrix rows_of(const Matrix& matrix, size_t first, size_t count) {
  Matrix out(count, matrix.cols);
  std::copy_n(matrix.row(first), count * matrix.cols, out.values.begin());
  return out;
}

Matrix without_columns(Matrix weight, const std::vector<uint32_t>& kept, uint32_t width) {
  for (size_t c = 0; c < weight.cols; ++c) {
    if (std::find(kept.begin(), kept.end(), c / width) != kept.end()) continue;
    for (size_t r = 0; r < weight.rows; ++r) weight.row(r)[c] = 0;
  }
  return weight;
}

std::set<uint32_t> removed(const Reduction& reduction, uint32_t count) {
  std::set<uint32_t> out;
  for (uint32_t unit = 0; unit < count; ++unit) out.insert(unit);
  for (const uint32_t unit : reduction.kept) out.erase(unit);
  return out;
}

double relative_error(const Matrix& weight, const std::vector<float>& bias, const Reduction& reduction,
                      const Matrix& x) {
  return output_error(weight, bias, x, reduction.weight, reduction.bias, x) /
         output_error(weight, bias, x, Matrix(weight.rows, weight.cols), bias, x);
}

// Tokens enough that damping is at its least.
constexpr size_t kTokens = 30000;

// Columns that share something with the next one and differ in size.
Matrix neighbours_mixed(const Matrix& x) {
  Matrix out = x;
  for (size_t t = 0; t < x.rows; ++t) {
    for (size_t c = 0; c < x.cols; ++c) {
      const float mixed = x.row(t)[c] + 0.8f * x.row(t)[(c + 1) % x.cols];
      out.row(t)[c] = mixed * (1 + static_cast<float>(c % 4));
    }
  }
  return out;
}

// Second moments about the mean, damped as the compressor does.
std::vector<double> damped_moments(const Matrix& x) {
  const InputStatistics sums = statistics_of(x);
  const auto tokens = static_cast<double>(sums.tokens);
  std::vector<double> out(x.cols * x.cols);
  double energy = 0;
  for (size_t i = 0; i < x.cols; ++i) {
    for (size_t j = 0; j < x.cols; ++j) {
      out[i * x.cols + j] = sums.gram[i * x.cols + j] / tokens - sums.sum[i] / tokens * (sums.sum[j] / tokens);
    }
    energy += out[i * x.cols + i];
  }
  for (size_t i = 0; i < x.cols; ++i) {
    out[i * x.cols + i] += default_damping(sums.tokens) * energy / static_cast<double>(x.cols);
  }
  return out;
}

// What is left of the output's variance when the units are gone and the rest predicts it as well as it can: the
// moments of the units after elimination of all other columns.
double best_loss(const Matrix& weight, std::vector<double> moments, const std::set<uint32_t>& gone, uint32_t width) {
  const size_t n = weight.cols;
  for (size_t k = 0; k < n; ++k) {
    if (gone.contains(static_cast<uint32_t>(k / width))) continue;
    for (size_t i = 0; i < n; ++i) {
      if (i == k || moments[k * n + k] == 0) continue;
      const double factor = moments[i * n + k] / moments[k * n + k];
      for (size_t j = 0; j < n; ++j) moments[i * n + j] -= factor * moments[k * n + j];
    }
  }
  double loss = 0;
  for (size_t r = 0; r < weight.rows; ++r) {
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) {
        const bool both =
            gone.contains(static_cast<uint32_t>(i / width)) && gone.contains(static_cast<uint32_t>(j / width));
        if (both) loss += weight.row(r)[i] * moments[i * n + j] * weight.row(r)[j];
      }
    }
  }
  return loss;
}

}  // namespace

TEST_CASE("heads and neurons of BERT are found with the layers around them", "[compress][structured]") {
  const test::TempDir dir;
  const Program program = open_source(TinyModel().write(dir), false).program;
  const auto name = [&](size_t op) { return program.weights[program.ops[op].weights[0]]; };
  const std::vector<ParallelUnits> heads = find_heads(program);
  const std::vector<ParallelUnits> neurons = find_neurons(program);
  REQUIRE(heads.size() == 2);
  REQUIRE(neurons.size() == 2);
  for (size_t layer = 0; layer < 2; ++layer) {
    const std::string at = "encoder.layer." + std::to_string(layer) + ".";
    REQUIRE(heads[layer].before.size() == 3);
    CHECK(name(heads[layer].before[0]) == at + "attention.self.query.weight");
    CHECK(name(heads[layer].before[1]) == at + "attention.self.key.weight");
    CHECK(name(heads[layer].before[2]) == at + "attention.self.value.weight");
    CHECK(program.ops[heads[layer].between].is<ops::Attention>());
    CHECK(name(heads[layer].after) == at + "attention.output.dense.weight");
    CHECK(heads[layer].count == 4);
    CHECK(heads[layer].width == 8);
    REQUIRE(neurons[layer].before.size() == 1);
    CHECK(name(neurons[layer].before[0]) == at + "intermediate.dense.weight");
    CHECK(name(neurons[layer].after) == at + "output.dense.weight");
    CHECK(neurons[layer].count == 80);
    CHECK(neurons[layer].width == 1);
  }
}

TEST_CASE("what something else reads or uses is not removed", "[compress][structured]") {
  const test::TempDir dir;
  const Program program = open_source(TinyModel().write(dir), false).program;
  const std::vector<ParallelUnits> heads = find_heads(program);
  const std::vector<ParallelUnits> neurons = find_neurons(program);
  SECTION("a value that the caller gets") {
    for (const size_t op : {neurons[0].before[0], neurons[0].between}) {
      Program changed = program;
      changed.outputs.push_back(program.ops[op].output);
      CHECK(find_neurons(changed).size() == 1);
      CHECK(find_heads(changed).size() == 2);
    }
  }
  SECTION("a value that two ops read") {
    Program changed = program;
    changed.ops[heads[0].between].inputs[1] = changed.ops[heads[0].between].inputs[0];
    CHECK(find_heads(changed).size() == 1);
  }
  SECTION("a weight or a bias of two layers") {
    for (const size_t slot : {0, 1}) {
      Program changed = program;
      changed.ops[neurons[0].before[0]].weights[slot] = changed.ops[neurons[1].before[0]].weights[slot];
      CHECK(find_neurons(changed).empty());
    }
  }
  SECTION("what works on whole sequences") {
    Program changed = program;
    uint32_t x = changed.outputs[0];
    for (const Attributes& kind :
         {Attributes(ops::Linear{}), Attributes(ops::Activation{}), Attributes(ops::Linear{})}) {
      const bool linear = std::holds_alternative<ops::Linear>(kind);
      const std::vector<uint32_t> weights = linear ? std::vector{changed.add_weight("head")} : std::vector<uint32_t>{};
      const uint32_t next = changed.add_value("head", RowKind::sequences, TinyModel::kHidden);
      changed.ops.push_back({kind, {x}, weights, next});
      x = next;
    }
    changed.outputs = {x};
    CHECK(find_neurons(changed).size() == 2);
  }
  SECTION("something other than a linear layer after") {
    Program changed = program;
    changed.ops[neurons[1].after].attributes = ops::Activation{};
    CHECK(find_neurons(changed).size() == 1);
  }
}

TEST_CASE("solving the rest anew loses less than leaving columns out, on inputs not seen before",
          "[compress][structured]") {
  for (const uint32_t width : {1u, 4u}) {
    CAPTURE(width);
    const Matrix weight = random_matrix(12, 32, 1);
    const std::vector<float> bias = random_matrix(1, 12, 2).values;
    const Matrix all = correlated_inputs(3000, 32, 3);
    const Matrix x = rows_of(all, 0, 2000);
    const Matrix unseen = rows_of(all, 2000, 1000);
    const Reduction reduction = reduce_inputs("w", weight, bias, statistics_of(x), width, 16 / width);
    REQUIRE(reduction.kept.size() == 16 / width);
    CHECK(std::is_sorted(reduction.kept.begin(), reduction.kept.end()));
    CHECK(without_columns(reduction.weight, reduction.kept, width).values == reduction.weight.values);
    const Matrix plain = without_columns(weight, reduction.kept, width);
    const double solved = output_error(weight, bias, unseen, reduction.weight, reduction.bias, unseen);
    CHECK(solved < 0.2 * output_error(weight, bias, unseen, plain, bias, unseen));
    CHECK(reduction.loss == Approx(output_error(weight, bias, x, reduction.weight, reduction.bias, x) /
                                   output_error(weight, {}, x, Matrix(12, 32), {}, x))
                                .epsilon(1e-3));
    CHECK(reduction.fallbacks.empty());
  }
}

TEST_CASE("without a bias the means are unit of what is solved", "[compress][structured]") {
  const Matrix weight = random_matrix(6, 24, 4);
  const Matrix x = correlated_inputs(3000, 24, 5);
  const Reduction reduction = reduce_inputs("w", weight, {}, statistics_of(x), 1, 12);
  CHECK(reduction.bias.empty());
  const double plain = output_error(weight, {}, x, without_columns(weight, reduction.kept, 1), {}, x);
  CHECK(output_error(weight, {}, x, reduction.weight, {}, x) < 0.2 * plain);
}

TEST_CASE("each unit that goes is the one whose loss is smallest once the rest is solved anew",
          "[compress][structured]") {
  for (const uint32_t width : {1u, 3u}) {
    const Matrix weight = random_matrix(5, 15, 16);
    const Matrix x = neighbours_mixed(random_matrix(kTokens, 15, 7));
    const std::vector<double> moments = damped_moments(x);
    const uint32_t count = 15 / width;
    std::set<uint32_t> gone;
    for (uint32_t step = 1; step <= 3; ++step) {
      double least = std::numeric_limits<double>::infinity();
      double most = 0;
      for (uint32_t unit = 0; unit < count; ++unit) {
        if (gone.contains(unit)) continue;
        std::set<uint32_t> tried = gone;
        tried.insert(unit);
        least = std::min(least, best_loss(weight, moments, tried, width));
        most = std::max(most, best_loss(weight, moments, tried, width));
      }
      CAPTURE(width, step);
      REQUIRE(least < 0.9 * most);
      const std::set<uint32_t> before = gone;
      gone = removed(reduce_inputs("w", weight, std::vector<float>(5), statistics_of(x), width, count - step), count);
      CHECK(gone.size() == step);
      CHECK(std::includes(gone.begin(), gone.end(), before.begin(), before.end()));
      CHECK(best_loss(weight, moments, gone, width) < 1.0001 * least);
    }
  }
}

TEST_CASE("a duplicate is replaced by the other without loss", "[compress][structured]") {
  for (const uint32_t width : {1u, 4u}) {
    CAPTURE(width);
    Matrix x = random_matrix(kTokens, 24, 8);
    for (size_t t = 0; t < x.rows; ++t) {
      for (size_t i = 0; i < width; ++i) {
        x.row(t)[5 * width + i] = x.row(t)[2 * width + i];
        x.row(t)[4 * width + i] = -2 * x.row(t)[i];
      }
    }
    const Matrix weight = random_matrix(7, 24, 9);
    const std::vector<float> bias(7, 0.5f);
    const uint32_t count = 24 / width;
    const Reduction reduction = reduce_inputs("w", weight, bias, statistics_of(x), width, count - 2);
    const std::set<uint32_t> gone = removed(reduction, count);
    CHECK(gone.contains(2) != gone.contains(5));  // never both of a pair
    CHECK(gone.contains(0) != gone.contains(4));
    CHECK(relative_error(weight, bias, reduction, x) < 1e-4);
  }
}

TEST_CASE("a unit that never changes goes first, and the bias takes it up", "[compress][structured]") {
  Matrix x = correlated_inputs(kTokens, 16, 10);
  for (size_t t = 0; t < x.rows; ++t) x.row(t)[11] = 3;
  const Matrix weight = random_matrix(7, 16, 11);
  const std::vector<float> bias(7, 0.5f);
  const Reduction reduction = reduce_inputs("w", weight, bias, statistics_of(x), 1, 15);
  CHECK(removed(reduction, 16) == std::set<uint32_t>{11});
  CHECK(relative_error(weight, bias, reduction, x) < 1e-8);
}

TEST_CASE("the bias takes up the mean error of the layers before", "[compress][structured]") {
  const Matrix y = correlated_inputs(4000, 24, 12);
  Matrix x = y;
  for (size_t i = 0; i < x.values.size(); ++i) x.values[i] += 0.1f * static_cast<float>(i % 24);
  const Matrix weight = random_matrix(6, 24, 13);
  const std::vector<float> bias(6, 0.1f);
  const Reduction blind = reduce_inputs("w", weight, bias, statistics_of(x), 1, 16);
  const Reduction seeing = reduce_inputs("w", weight, bias, statistics_of(x, &y), 1, 16);
  CHECK(output_error(weight, bias, y, seeing.weight, seeing.bias, x) <
        0.3 * output_error(weight, bias, y, blind.weight, blind.bias, x));
  CHECK(output_error(weight, bias, y, seeing.weight, seeing.bias, x) ==
        Approx(output_error(weight, bias, x, blind.weight, blind.bias, x)).epsilon(0.01));
}

TEST_CASE("statistics that are not numbers are refused by name", "[compress][structured]") {
  InputStatistics statistics = statistics_of(correlated_inputs(100, 8, 14));
  statistics.gram[9] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(reduce_inputs("layer.7", random_matrix(4, 8, 15), {}, statistics, 1, 4),
                    Catch::Contains("layer.7") && Catch::Contains("not finite"));
}

}  // namespace lathe
