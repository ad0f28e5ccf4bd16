// Which weights of a stage are kept as its best.

#include "compress/training/torch/best.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "tests/compress/training/torch/random_program.h"

namespace lathe::training {
namespace {

// Weights of a small program, which can be given a value to know them by.
struct Student {
  test::RandomProgram random;
  ThreadPool pool{1};
  TrainableWeights weights;

  Student() : weights(model(), {}, at::Device(at::kCPU), pool) {}
  TrainableModel model() {
    random.program.outputs = {random.linear(random.embedding(Stream::tokens, 5, 3), 2)};
    return {random.program, random.weights};
  }
  void fill(double value) {
    for (Parameter& parameter : weights.parameters()) parameter.value.fill_(value);
    weights.refresh(pool);
  }
  bool holds(double value) const {
    for (const Parameter& parameter : weights.parameters()) {
      if (!(parameter.value == value).all().item<bool>()) return false;
    }
    return (weights.effective()[0] == value).all().item<bool>();
  }
  bool keep(BestWeights& best, double loss, uint64_t step, double pruning_progress = -1) {
    fill(static_cast<double>(step));
    return keep_if_best(best, {loss, step, pruning_progress}, weights);
  }
};

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

TEST_CASE("the weights with the lowest loss are kept and come back", "[compress][torch][best]") {
  Student student;
  BestWeights best;
  CHECK_FALSE(best.exist());
  CHECK(student.keep(best, 0.5, 1));
  CHECK_FALSE(student.keep(best, 0.6, 2));
  CHECK(student.keep(best, 0.4, 3));
  CHECK_FALSE(student.keep(best, 0.4, 4));  // no better
  CHECK(best.exist());
  CHECK(best.loss == 0.4);
  CHECK(best.step == 3);
  CHECK(student.holds(4));
  restore(best, student.weights, student.pool);
  CHECK(student.holds(3));
  student.fill(9);  // the kept values are copies
  restore(best, student.weights, student.pool);
  CHECK(student.holds(3));
}

TEST_CASE("a loss that is no number is never the best", "[compress][torch][best]") {
  Student student;
  BestWeights best;
  CHECK_FALSE(student.keep(best, kNoNumber, 1));
  CHECK_FALSE(student.keep(best, INFINITY, 2));
  CHECK_FALSE(best.exist());
  CHECK(student.keep(best, 1e9, 3));
  CHECK_FALSE(student.keep(best, kNoNumber, 4));
  CHECK(best.step == 3);
}

TEST_CASE("weights that are pruned further are kept even when their loss is higher", "[compress][torch][best]") {
  Student student;
  BestWeights best;
  CHECK(student.keep(best, 0.1, 1, 0));
  CHECK(student.keep(best, 0.9, 2, 0.5));
  CHECK_FALSE(student.keep(best, 0.95, 3, 0.5));
  CHECK(student.keep(best, 0.8, 4, 0.5));
  CHECK(student.keep(best, 2.0, 5, 1));
  CHECK(best.step == 5);
  CHECK(best.pruning_progress == 1);
}

TEST_CASE("three losses far above the lowest mean that training has failed", "[compress][torch][best]") {
  Student student;
  BestWeights best;
  student.keep(best, 0.5, 1);
  student.keep(best, 0.99, 2);  // less than twice the lowest
  CHECK(best.bad_checks == 0);
  student.keep(best, 1.01, 3);
  student.keep(best, kNoNumber, 4);
  CHECK(best.bad_checks == 2);
  CHECK_FALSE(has_diverged(best));
  SECTION("the third is one too many") {
    student.keep(best, 7, 5);
    CHECK(has_diverged(best));
  }
  SECTION("a better one makes up for all") {
    student.keep(best, 0.4, 5);
    CHECK(best.bad_checks == 0);
  }
  SECTION("a negligible loss is never far above") {
    student.keep(best, 1e-6, 5);
    student.keep(best, 9e-3, 6);
    CHECK(best.bad_checks == 0);
  }
}

}  // namespace
}  // namespace lathe::training
