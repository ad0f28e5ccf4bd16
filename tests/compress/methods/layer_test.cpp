#include "compress/methods/layer.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "formats/artifact/error.h"
#include "tests/compress/methods/layer_samples.h"

using namespace lathe;

namespace {

LayerGoal goal_for(ValueType type, uint32_t group, double sparsity) {
  LayerGoal goal;
  goal.encoding = {type, sparsity > 0 ? Sparsity::bitmask : Sparsity::dense, group};
  goal.sparsity = sparsity;
  return goal;
}

const std::vector<LayerGoal> kGoals = {goal_for(ValueType::f32, 0, 0.5),   goal_for(ValueType::f16, 0, 0.5),
                                       goal_for(ValueType::int8, 0, 0.5),  goal_for(ValueType::int8, 0, 0.0),
                                       goal_for(ValueType::int4, 32, 0.0), goal_for(ValueType::int4, 32, 0.5)};

Matrix decoded(const LayerOutcome& outcome, size_t rows, size_t cols) {
  Matrix out(rows, cols);
  out.values = decode(outcome.encoded.view());
  return out;
}

double energy(const Matrix& w, const Matrix& x) { return test::output_error(w, {}, x, Matrix(w.rows, w.cols), {}, x); }

void check_sane(const LayerOutcome& outcome) {
  REQUIRE_NOTHROW(validate(outcome.encoded.view(), "w"));
  for (const float value : decode(outcome.encoded.view())) REQUIRE(std::isfinite(value));
  for (const float value : outcome.bias) REQUIRE(std::isfinite(value));
  CHECK(std::isfinite(outcome.loss));
  CHECK(std::isfinite(outcome.loss_uncorrected));
}

}  // namespace

TEST_CASE("the loss is the error of the layer's output, measured on the inputs themselves", "[compress][layer]") {
  const Matrix weight = test::random_matrix(24, 130, 1);
  const Matrix x = test::correlated_inputs(400, 130, 2);
  const InputStatistics statistics = test::statistics_of(x);
  const std::vector<float> bias(24, 0.25f);
  for (LayerGoal goal : kGoals) {
    for (const bool corrects_bias : {true, false}) {
      goal.bias_correction = corrects_bias;
      CAPTURE(encoding_name(goal.encoding), corrects_bias);
      const LayerOutcome outcome = compress_layer("w", weight, bias, &statistics, goal);
      const Matrix values = decoded(outcome, 24, 130);
      const double expected = test::output_error(weight, bias, x, values, outcome.bias, x) / energy(weight, x);
      CHECK(outcome.loss == Approx(expected).epsilon(1e-3));
    }
  }
}

TEST_CASE("error feedback leaves a fraction of the error of magnitude and rounding", "[compress][layer]") {
  const Matrix weight = test::random_matrix(48, 200, 3);
  const InputStatistics statistics = test::statistics_of(test::correlated_inputs(700, 200, 4));
  for (const LayerGoal& goal : kGoals) {
    CAPTURE(encoding_name(goal.encoding));
    const LayerOutcome outcome = compress_layer("w", weight, {}, &statistics, goal);
    CHECK(outcome.method == "error_feedback");
    CHECK(outcome.loss < 0.4 * outcome.loss_uncorrected);
    CHECK(outcome.fallbacks.empty());
  }
}

TEST_CASE("the uncorrected loss is that of what the plain methods give", "[compress][layer]") {
  const Matrix weight = test::random_matrix(20, 64, 5);
  const Matrix x = test::correlated_inputs(200, 64, 6);
  const InputStatistics statistics = test::statistics_of(x);
  LayerGoal goal = goal_for(ValueType::int8, 0, 0.5);
  const double told = compress_layer("w", weight, {}, &statistics, goal).loss_uncorrected;
  goal.prune_method = PruneMethod::magnitude;
  goal.quant_method = QuantMethod::nearest;
  const LayerOutcome plain = compress_layer("w", weight, {}, nullptr, goal);
  CHECK(plain.method == "magnitude+nearest");
  CHECK(told == Approx(test::output_error(weight, {}, x, decoded(plain, 20, 64), {}, x) / energy(weight, x)));
}

TEST_CASE("the share of zeros is exact to the weight", "[compress][layer]") {
  const Matrix weight = test::random_matrix(17, 129, 7);
  const InputStatistics statistics = test::statistics_of(test::correlated_inputs(300, 129, 8));
  for (const ValueType type : {ValueType::f32, ValueType::int8, ValueType::int4}) {
    for (const double sparsity : {0.1, 0.5, 0.613, 0.9}) {
      const LayerGoal goal = goal_for(type, type == ValueType::int4 ? 32 : 0, sparsity);
      const LayerOutcome outcome = compress_layer("w", weight, {}, &statistics, goal);
      const uint64_t zeros = count_zeros(outcome.encoded.view());
      CAPTURE(encoding_name(goal.encoding), sparsity);
      CHECK(outcome.sparsity == static_cast<double>(zeros) / (17 * 129));
      if (type == ValueType::int4 && sparsity < 0.5) {
        CHECK(zeros >= 219);  // so many places that some are worth nothing on a coarse grid
      } else {
        CHECK(zeros == static_cast<uint64_t>(std::llround(sparsity * 17 * 129)));
      }
    }
  }
}

TEST_CASE("a mask that is given keeps its zeros", "[compress][layer]") {
  const Matrix weight = test::random_matrix(10, 70, 9);
  const InputStatistics statistics = test::statistics_of(test::correlated_inputs(200, 70, 10));
  for (LayerGoal goal : kGoals) {
    goal.encoding.sparsity = Sparsity::bitmask;
    goal.mask = std::vector<bool>(700);
    for (size_t i = 0; i < 700; ++i) (*goal.mask)[i] = i % 3 == 0;
    const Matrix values = decoded(compress_layer("w", weight, {}, &statistics, goal), 10, 70);
    for (size_t i = 0; i < 700; ++i) {
      if (i % 3 != 0) REQUIRE(values.values[i] == 0);
    }
  }
}

TEST_CASE("bias correction removes the mean error of the output", "[compress][layer]") {
  const Matrix weight = test::random_matrix(12, 60, 11);
  const Matrix x = test::correlated_inputs(150, 60, 12);
  const InputStatistics statistics = test::statistics_of(x);
  const auto mean_error = [&](const LayerOutcome& outcome, const std::vector<float>& bias) {
    const Matrix values = decoded(outcome, 12, 60);
    double largest = 0;
    for (size_t r = 0; r < 12; ++r) {
      double mean = test::bias_at(outcome.bias, r) - test::bias_at(bias, r);
      for (size_t c = 0; c < 60; ++c) {
        mean += (static_cast<double>(values.row(r)[c]) - weight.row(r)[c]) * statistics.sum[c] / 150;
      }
      largest = std::max(largest, std::abs(mean));
    }
    return largest;
  };
  LayerGoal goal = goal_for(ValueType::int4, 32, 0.7);
  for (const std::vector<float>& bias : {std::vector<float>{}, std::vector<float>(12, -1.5f)}) {
    goal.bias_correction = true;
    CHECK(mean_error(compress_layer("w", weight, bias, &statistics, goal), bias) < 1e-5);
    goal.bias_correction = false;
    const LayerOutcome without = compress_layer("w", weight, bias, &statistics, goal);
    CHECK(without.bias == bias);
    CHECK(mean_error(without, bias) > 1e-3);
  }
}

TEST_CASE("a layer makes up for the errors of those before it", "[compress][layer]") {
  const Matrix weight = test::random_matrix(16, 48, 13);
  const Matrix y = test::correlated_inputs(500, 48, 14);
  Matrix x = y;  // as if the layer before had been changed: inputs scaled, shifted and mixed
  for (size_t t = 0; t < x.rows; ++t) {
    for (size_t c = 0; c < 48; ++c) x.row(t)[c] = 0.8f * y.row(t)[c] + 0.1f * y.row(t)[(c + 1) % 48] + 0.2f;
  }
  const InputStatistics aware = test::statistics_of(x, &y);
  const InputStatistics unaware = test::statistics_of(x);
  const LayerGoal goal = goal_for(ValueType::int8, 0, 0.3);
  const LayerOutcome with = compress_layer("w", weight, {}, &aware, goal);
  const LayerOutcome without = compress_layer("w", weight, {}, &unaware, goal);
  const double error_with = test::output_error(weight, {}, y, decoded(with, 16, 48), with.bias, x);
  const double error_without = test::output_error(weight, {}, y, decoded(without, 16, 48), without.bias, x);
  CHECK(error_with < 0.3 * error_without);
  CHECK(with.loss < with.loss_uncorrected);

  LayerGoal ignoring = goal;
  ignoring.target_correction = 0;
  CHECK(decoded(compress_layer("w", weight, {}, &aware, ignoring), 16, 48).values == decoded(without, 16, 48).values);
}

TEST_CASE("statistics without information fall back with a note and never give a NaN", "[compress][layer]") {
  const Matrix weight = test::random_matrix(9, 40, 15);
  Matrix huge = test::correlated_inputs(60, 40, 16);
  for (size_t t = 0; t < 60; ++t) {
    huge.row(t)[3] *= 1e12f;
    huge.row(t)[4] = huge.row(t)[3];
    huge.row(t)[5] *= 1e-12f;
  }
  const std::vector<Matrix> inputs = {Matrix(10, 40), test::correlated_inputs(1, 40, 17), huge};
  for (const Matrix& x : inputs) {
    const InputStatistics statistics = test::statistics_of(x);
    for (LayerGoal goal : kGoals) {
      for (const std::optional<double> damping : {std::optional<double>(), std::optional<double>(0.0)}) {
        for (const bool bias : {true, false}) {
          goal.damping = damping;
          goal.bias_correction = bias;
          check_sane(compress_layer("w", weight, {}, &statistics, goal));
        }
      }
    }
  }
}

TEST_CASE("damping is raised when the gram matrix is not positive definite, and given up in the end",
          "[compress][layer]") {
  const Matrix weight = test::random_matrix(9, 12, 18);
  InputStatistics statistics = test::statistics_of(test::correlated_inputs(60, 12, 19));
  LayerGoal goal = goal_for(ValueType::int8, 0, 0.5);
  goal.bias_correction = false;
  goal.damping = 0.01;
  double mean = 0;
  for (size_t i = 0; i < 12; ++i) mean += statistics.gram[i * 13] / 12;
  // Not a sum of squares: an eigenvalue of about -0.05 of the mean.
  statistics.gram[0] = 0.01 * mean;
  for (size_t i = 1; i < 12; ++i) statistics.gram[i] = statistics.gram[i * 12] = 0;
  statistics.gram[1] = statistics.gram[12] = 0.06 * mean + std::sqrt(0.01 * mean * statistics.gram[13]);
  const LayerOutcome raised = compress_layer("w", weight, {}, &statistics, goal);
  check_sane(raised);
  REQUIRE_FALSE(raised.fallbacks.empty());
  CHECK_THAT(raised.fallbacks.front(), Catch::Contains("damping raised to 0.1"));
  CHECK(raised.method == "error_feedback");

  statistics.gram[1] = statistics.gram[12] = 1e6 * mean;
  const LayerOutcome hopeless = compress_layer("w", weight, {}, &statistics, goal);
  check_sane(hopeless);
  REQUIRE(hopeless.fallbacks.size() == 4);
  CHECK_THAT(hopeless.fallbacks.back(), Catch::Contains("no error feedback"));
  CHECK(hopeless.method == "magnitude+nearest");
}

TEST_CASE("fewer tokens are damped more, within bounds", "[compress][layer]") {
  CHECK(default_damping(1'000'000) == 0.01);
  CHECK(default_damping(2500) == Approx(0.1));
  CHECK(default_damping(1) == 1.0);
}

TEST_CASE("without statistics the plain methods run and say so", "[compress][layer]") {
  const Matrix weight = test::random_matrix(6, 33, 20);
  for (const LayerGoal& goal : kGoals) {
    const LayerOutcome outcome = compress_layer("w", weight, {}, nullptr, goal);
    check_sane(outcome);
    CHECK(outcome.bias.empty());
    REQUIRE(outcome.fallbacks.size() == 1);
    CHECK(outcome.loss == outcome.loss_uncorrected);
  }
  LayerGoal plain = goal_for(ValueType::int8, 0, 0.5);
  plain.prune_method = PruneMethod::magnitude;
  plain.quant_method = QuantMethod::nearest;
  CHECK(compress_layer("w", weight, {}, nullptr, plain).fallbacks.empty());
}

TEST_CASE("inputs that calibration never saw are counted and their weights stay", "[compress][layer]") {
  const Matrix weight = test::random_matrix(8, 32, 21);
  Matrix x = test::correlated_inputs(200, 32, 22);
  for (size_t t = 0; t < x.rows; ++t) x.row(t)[7] = x.row(t)[9] = 0;
  const InputStatistics statistics = test::statistics_of(x);
  const LayerOutcome outcome = compress_layer("w", weight, {}, &statistics, goal_for(ValueType::int8, 0, 0.0));
  CHECK(outcome.dead_inputs == 2);
  const Matrix values = decoded(outcome, 8, 32);
  for (size_t r = 0; r < 8; ++r) {
    CHECK(values.row(r)[7] == Approx(weight.row(r)[7]).margin(0.01));
    CHECK(values.row(r)[9] == Approx(weight.row(r)[9]).margin(0.01));
  }
}

TEST_CASE("a layer left as it is stays bit for bit", "[compress][layer]") {
  const Matrix weight = test::random_matrix(8, 32, 23);
  const InputStatistics statistics = test::statistics_of(test::correlated_inputs(100, 32, 24));
  const std::vector<float> bias(8, 0.5f);
  const LayerOutcome outcome = compress_layer("w", weight, bias, &statistics, goal_for(ValueType::f32, 0, 0.0));
  CHECK(decoded(outcome, 8, 32).values == weight.values);
  CHECK(outcome.loss == 0);
  CHECK(outcome.bias == bias);
}

TEST_CASE("odd shapes are compressed like any other", "[compress][layer]") {
  for (const auto& [rows, cols] :
       std::vector<std::pair<size_t, size_t>>{{1, 1}, {3, 5}, {1, 40}, {40, 1}, {130, 257}}) {
    const Matrix weight = test::random_matrix(rows, cols, rows + cols);
    const InputStatistics statistics = test::statistics_of(test::correlated_inputs(cols + 20, cols, 25));
    for (const LayerGoal& goal : kGoals) {
      CAPTURE(rows, cols, encoding_name(goal.encoding));
      const LayerOutcome outcome = compress_layer("w", weight, {}, &statistics, goal);
      check_sane(outcome);
      CHECK(outcome.loss <= outcome.loss_uncorrected);
    }
  }
}

TEST_CASE("the same arguments give the same bytes", "[compress][layer]") {
  const Matrix weight = test::random_matrix(33, 140, 26);
  const InputStatistics statistics = test::statistics_of(test::correlated_inputs(300, 140, 27));
  for (const LayerGoal& goal : kGoals) {
    const LayerOutcome first = compress_layer("w", weight, {}, &statistics, goal);
    const LayerOutcome second = compress_layer("w", weight, {}, &statistics, goal);
    CHECK(first.encoded.planes == second.encoded.planes);
    CHECK(first.bias == second.bias);
    CHECK(first.loss == second.loss);
  }
}

TEST_CASE("weights that are not finite are refused by name, index and count", "[compress][layer]") {
  Matrix weight = test::random_matrix(4, 6, 28);
  weight.values[8] = std::numeric_limits<float>::quiet_NaN();
  weight.values[20] = -std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(compress_layer("layer.3.query", weight, {}, nullptr, kGoals.front()),
                    Catch::Contains("layer.3.query") && Catch::Contains("index 8") && Catch::Contains("[1, 2]") &&
                        Catch::Contains("2 such values"));
}

TEST_CASE("the largest and smallest weights there are do not break anything", "[compress][layer]") {
  Matrix weight = test::random_matrix(5, 40, 29);
  for (size_t c = 0; c < 40; ++c) {
    weight.row(1)[c] *= 1e38f;
    weight.row(2)[c] *= 1e-40f;
    weight.row(3)[c] = 0;
  }
  const InputStatistics statistics = test::statistics_of(test::correlated_inputs(100, 40, 30));
  for (const LayerGoal& goal : kGoals) check_sane(compress_layer("w", weight, {}, &statistics, goal));
}
