#include "compress/pipeline/linear_job.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "compress/calibration/samples.h"
#include "compress/methods/linalg.h"
#include "tests/support/compress_tiny.h"
#include "tests/support/recorded_decoder.h"

namespace lathe {
namespace {

// Inputs whose mean is larger than what varies about it.
InputStatistics shifted_inputs(size_t width, double mean) {
  Random random(3);
  InputStatistics statistics;
  statistics.width = width;
  statistics.tokens = 40 * width;
  statistics.gram.assign(width * width, 0.0);
  statistics.sum.assign(width, 0.0);
  std::vector<double> x(width);
  for (uint64_t token = 0; token < statistics.tokens; ++token) {
    for (double& value : x) value = mean + 2 * random.uniform() - 1;
    for (size_t i = 0; i < width; ++i) {
      statistics.sum[i] += x[i];
      for (size_t j = 0; j < width; ++j) statistics.gram[i * width + j] += x[i] * x[j];
    }
  }
  statistics.rounding = 0.01 * static_cast<double>(statistics.tokens);
  return statistics;
}

}  // namespace

TEST_CASE("a layer without a bias answers for the mean of its error", "[compress][layer]") {
  const test::TempDir dir;
  const SourceModel source = open_source(test::RecordedDecoder("llama").copy(dir), false);
  Recipe recipe = test::quick_recipe("int8");
  recipe.prune = 0.5;
  const CompressionPlan plan = make_compression_plan(source, recipe);
  const auto op = std::find_if(source.program.ops.begin(), source.program.ops.end(),
                               [](const Op& each) { return each.is<ops::Linear>(); });
  const LinearJob job = make_linear_job(source, recipe, plan, *op, {});
  REQUIRE(job.bias.empty());
  const InputStatistics statistics = shifted_inputs(job.weight.cols, 3.0);
  const LinearOutcome outcome = compress_linear(job, &statistics);
  CHECK(outcome.bias.empty());

  const double output = quadratic_form(job.weight, statistics.gram);
  Matrix change = job.weight;
  const std::vector<float> now = decode(outcome.factors.at(0).encoded.view());
  for (size_t i = 0; i < now.size(); ++i) change.values[i] -= now[i];
  const double loss = quadratic_form(change, statistics.gram) / output;
  CHECK(outcome.factors[0].facts.loss.value() == Approx(loss).epsilon(0.02));

  double squares = 0;
  for (const float weight : job.weight.values) squares += static_cast<double>(weight) * weight;
  CHECK(outcome.rounding_share.value() == Approx(statistics.rounding * squares / output));
  CHECK_FALSE(compress_linear(job, nullptr).rounding_share.has_value());
}

}  // namespace lathe
