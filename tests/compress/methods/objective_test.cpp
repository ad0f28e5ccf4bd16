#include "compress/methods/objective.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "compress/methods/linalg.h"
#include "tests/compress/methods/layer_samples.h"

using namespace lathe;

namespace {

// tr(a moments a^T), by the definition.
double trace_form(const Matrix& a, const std::vector<double>& moments) {
  double trace = 0;
  for (size_t r = 0; r < a.rows; ++r) {
    for (size_t i = 0; i < a.cols; ++i) {
      for (size_t j = 0; j < a.cols; ++j) {
        trace += static_cast<double>(a.row(r)[i]) * moments[i * a.cols + j] * a.row(r)[j];
      }
    }
  }
  return trace;
}

Matrix difference(const Matrix& a, const Matrix& b) {
  Matrix out = a;
  for (size_t i = 0; i < out.values.size(); ++i) out.values[i] -= b.values[i];
  return out;
}

// Second moments of one input, about the mean or not.
std::vector<double> moments_of(const InputStatistics& statistics, bool about_mean) {
  const double tokens = static_cast<double>(statistics.tokens);
  std::vector<double> out = statistics.gram;
  for (size_t i = 0; i < statistics.width; ++i) {
    for (size_t j = 0; j < statistics.width; ++j) {
      double& moment = out[i * statistics.width + j];
      moment /= tokens;
      if (about_mean) moment -= statistics.sum[i] / tokens * (statistics.sum[j] / tokens);
    }
  }
  return out;
}

LayerGoal goal_with(bool bias_correction, double target_correction = 1.0) {
  LayerGoal goal;
  goal.bias_correction = bias_correction;
  goal.target_correction = target_correction;
  return goal;
}

// Inputs of a model whose earlier layers have changed: y with errors that depend on it.
Matrix changed_inputs(const Matrix& y, uint64_t seed) {
  Matrix x = y;
  const Matrix noise = test::random_matrix(y.rows, y.cols, seed);
  for (size_t t = 0; t < y.rows; ++t) {
    for (size_t c = 0; c < y.cols; ++c) {
      x.row(t)[c] += 0.2f * y.row(t)[(c + 1) % y.cols] + 0.05f * noise.row(t)[c] + 0.1f;
    }
  }
  return x;
}

}  // namespace

TEST_CASE("the loss is tr(D G D^T) / tr(T G T^T), about the mean where the bias is corrected",
          "[compress][objective]") {
  const Matrix weight = test::random_matrix(140, 30, 1);
  const Matrix values = test::random_matrix(140, 30, 2);
  const InputStatistics statistics = test::statistics_of(test::correlated_inputs(200, 30, 3));
  const Matrix change = difference(values, weight);
  const double energy = trace_form(weight, moments_of(statistics, false));
  const double whole = trace_form(change, moments_of(statistics, false)) / energy;
  const double centred = trace_form(change, moments_of(statistics, true)) / energy;
  CHECK(centred < 0.99 * whole);
  std::vector<std::string> fallbacks;
  const LayerObjective corrects = make_objective(weight, &statistics, goal_with(true), fallbacks);
  CHECK(corrects.loss(values, true) == Approx(centred).epsilon(1e-5));
  CHECK(corrects.loss(values, false) == Approx(whole).epsilon(1e-5));
  const LayerObjective plain = make_objective(weight, &statistics, goal_with(false), fallbacks);
  CHECK(plain.loss(values, false) == Approx(whole).epsilon(1e-5));
  CHECK(fallbacks.empty());
}

TEST_CASE("the target itself has no loss, and zeros have a loss of 1", "[compress][objective]") {
  const Matrix weight = test::random_matrix(5, 12, 4);
  const InputStatistics statistics = test::statistics_of(test::correlated_inputs(100, 12, 5));
  std::vector<std::string> fallbacks;
  for (const InputStatistics* given : {static_cast<const InputStatistics*>(nullptr), &statistics}) {
    const LayerObjective objective = make_objective(weight, given, goal_with(false), fallbacks);
    CHECK(objective.loss(weight, false) == 0);
    CHECK(objective.loss(Matrix(5, 12), false) == Approx(1));
  }
  const LayerObjective nothing = make_objective(Matrix(5, 12), nullptr, goal_with(false), fallbacks);
  CHECK(nothing.loss(Matrix(5, 12), false) == 0);
}

TEST_CASE("without statistics the loss is the plain squared error", "[compress][objective]") {
  const Matrix weight = test::random_matrix(7, 9, 6);
  const Matrix values = test::random_matrix(7, 9, 7);
  std::vector<std::string> fallbacks;
  const LayerObjective objective = make_objective(weight, nullptr, {}, fallbacks);
  double error = 0;
  double energy = 0;
  for (size_t i = 0; i < 63; ++i) {
    error += std::pow(static_cast<double>(values.values[i]) - weight.values[i], 2);
    energy += std::pow(static_cast<double>(weight.values[i]), 2);
  }
  CHECK(objective.loss(values, false) == Approx(error / energy));
  CHECK(objective.damped.empty());
  CHECK(objective.importance.empty());
}

TEST_CASE("the corrected target solves its normal equations", "[compress][objective]") {
  // (T - W) (S + d) = W (C - S), with S the moments of x, C the cross moments of y and x, and d the damping.
  const Matrix weight = test::random_matrix(6, 20, 8);
  const Matrix y = test::correlated_inputs(300, 20, 9);
  const Matrix x = changed_inputs(y, 10);
  const InputStatistics statistics = test::statistics_of(x, &y);
  for (const bool about_mean : {true, false}) {
    std::vector<std::string> fallbacks;
    const LayerObjective objective = make_objective(weight, &statistics, goal_with(about_mean), fallbacks);
    CHECK(fallbacks.empty());
    std::vector<double> spread = moments_of(statistics, about_mean);
    std::vector<double> step = statistics.cross_gram;
    double mean_moment = 0;
    for (size_t i = 0; i < 20; ++i) {
      mean_moment += spread[i * 20 + i] / 20;
      for (size_t j = 0; j < 20; ++j) {
        double& value = step[i * 20 + j];
        value = value / 300 - spread[i * 20 + j];
        if (about_mean) value -= statistics.original_sum[i] / 300 * (statistics.sum[j] / 300);
      }
    }
    for (size_t i = 0; i < 20; ++i) spread[i * 20 + i] += default_damping(300) * mean_moment;
    const Matrix change = difference(objective.target, weight);
    for (size_t r = 0; r < 6; ++r) {
      for (size_t j = 0; j < 20; ++j) {
        double left = 0;
        double right = 0;
        for (size_t i = 0; i < 20; ++i) {
          left += change.row(r)[i] * spread[i * 20 + j];
          right += weight.row(r)[i] * step[i * 20 + j];
        }
        CHECK(left == Approx(right).margin(1e-4 * mean_moment));
      }
    }
  }
}

TEST_CASE("the corrected target brings the output nearer to the original, and half a correction goes half the way",
          "[compress][objective]") {
  const Matrix weight = test::random_matrix(6, 20, 11);
  const Matrix y = test::correlated_inputs(400, 20, 12);
  const Matrix x = changed_inputs(y, 13);
  const InputStatistics statistics = test::statistics_of(x, &y);
  std::vector<std::string> fallbacks;
  const Matrix whole = make_objective(weight, &statistics, goal_with(false), fallbacks).target;
  const Matrix half = make_objective(weight, &statistics, goal_with(false, 0.5), fallbacks).target;
  const Matrix none = make_objective(weight, &statistics, goal_with(false, 0.0), fallbacks).target;
  CHECK(none.values == weight.values);
  for (size_t i = 0; i < weight.values.size(); ++i) {
    CHECK(half.values[i] == Approx(0.5f * (weight.values[i] + whole.values[i])).margin(1e-5));
  }
  const double before = test::output_error(weight, {}, y, weight, {}, x);
  const double after = test::output_error(weight, {}, y, whole, {}, x);
  CHECK(after < 0.3 * before);
}

TEST_CASE("a target that singular moments leave open stays the weight, with a note", "[compress][objective]") {
  InputStatistics statistics;  // two inputs that are always equal, and a cross moment that no weight explains
  statistics.tokens = 1;
  statistics.width = 2;
  statistics.gram = {4, 4, 4, 4};
  statistics.cross_gram = {4, 0, 0, 4};
  statistics.sum = {2, 2};
  statistics.original_sum = {2, 2};
  LayerGoal goal = goal_with(false);
  goal.damping = 0;
  const Matrix weight = test::random_matrix(3, 2, 14);
  std::vector<std::string> fallbacks;
  CHECK(make_objective(weight, &statistics, goal, fallbacks).target.values == weight.values);
  REQUIRE(fallbacks.size() == 1);
  CHECK_THAT(fallbacks[0], Catch::Contains("singular"));
  goal.damping = 0.1;
  CHECK(make_objective(weight, &statistics, goal, fallbacks).target.values != weight.values);
  CHECK(fallbacks.size() == 1);
}

TEST_CASE("damping raises every moment of the diagonal by a share of their mean", "[compress][objective]") {
  const Matrix weight = test::random_matrix(3, 16, 15);
  const InputStatistics statistics = test::statistics_of(test::correlated_inputs(80, 16, 16));
  std::vector<std::string> fallbacks;
  LayerObjective objective = make_objective(weight, &statistics, goal_with(true), fallbacks);
  const std::vector<double> spread = objective.spread;
  double mean = 0;
  for (size_t i = 0; i < 16; ++i) mean += spread[i * 16 + i] / 16;
  for (const double damping : {0.0, 0.1, 10.0}) {
    damp(objective, damping);
    double importance = 0;
    for (size_t i = 0; i < 16; ++i) {
      importance += objective.importance[i] / 16;
      for (size_t j = 0; j < 16; ++j) {
        const double added = i == j ? damping * mean : 0.0;
        CHECK(objective.damped[i * 16 + j] == Approx(spread[i * 16 + j] + added).margin(1e-12));
      }
    }
    CHECK(importance == Approx(1));
    CHECK(objective.spread == spread);
  }
}

TEST_CASE("inputs that calibration never saw are counted and still have a weight", "[compress][objective]") {
  Matrix x = test::correlated_inputs(60, 8, 17);
  for (size_t t = 0; t < 60; ++t) x.row(t)[3] = x.row(t)[5] = 0;
  const InputStatistics statistics = test::statistics_of(x);
  LayerGoal goal = goal_with(true);
  goal.damping = 0;
  std::vector<std::string> fallbacks;
  const LayerObjective objective = make_objective(test::random_matrix(2, 8, 18), &statistics, goal, fallbacks);
  CHECK(objective.dead_inputs == 2);
  for (const size_t dead : {3u, 5u}) {
    CHECK(objective.damped[dead * 8 + dead] > 0);
    CHECK(objective.importance[dead] > 0);
  }
  DoubleMatrix factor = square(objective.damped, 8);
  CHECK(factor_of_inverse(factor));
}

TEST_CASE("an input that never varies costs nothing where the bias takes it up", "[compress][objective]") {
  Matrix x = test::correlated_inputs(50, 6, 19);
  for (size_t t = 0; t < 50; ++t) x.row(t)[2] = 0.7f;
  const InputStatistics statistics = test::statistics_of(x);
  const Matrix weight = test::random_matrix(4, 6, 20);
  Matrix values = weight;
  for (size_t r = 0; r < 4; ++r) values.row(r)[2] += 5;
  std::vector<std::string> fallbacks;
  const LayerObjective objective = make_objective(weight, &statistics, goal_with(true), fallbacks);
  CHECK(objective.loss(values, true) == 0);
  CHECK(objective.loss(values, false) > 1);
}

TEST_CASE("the corrected bias gives the layer the mean output of the original", "[compress][objective]") {
  const Matrix weight = test::random_matrix(5, 10, 21);
  const Matrix values = test::random_matrix(5, 10, 22);
  const Matrix y = test::correlated_inputs(90, 10, 23);
  const Matrix x = changed_inputs(y, 24);
  const InputStatistics statistics = test::statistics_of(x, &y);
  for (const std::vector<float>& bias : {std::vector<float>{}, std::vector<float>{1, 2, 3, 4, 5}}) {
    const std::vector<float> corrected = corrected_bias(weight, values, bias, statistics);
    REQUIRE(corrected.size() == 5);
    for (size_t r = 0; r < 5; ++r) {
      double original = test::bias_at(bias, r);
      double compressed = corrected[r];
      for (size_t c = 0; c < 10; ++c) {
        original += weight.row(r)[c] * statistics.original_sum[c] / 90;
        compressed += values.row(r)[c] * statistics.sum[c] / 90;
      }
      CHECK(compressed == Approx(original).margin(1e-5));
    }
  }
}
