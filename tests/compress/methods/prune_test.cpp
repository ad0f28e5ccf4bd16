#include "compress/methods/prune.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>

#include "compress/methods/layer.h"
#include "formats/artifact/error.h"
#include "tests/compress/methods/layer_samples.h"

using namespace lathe;

namespace {

uint64_t dropped(const Mask& keep) { return static_cast<uint64_t>(std::count(keep.begin(), keep.end(), uint8_t{0})); }

}  // namespace

TEST_CASE("a magnitude mask drops exactly the asked number and the smallest ones", "[compress][prune]") {
  const Matrix weight = test::random_matrix(13, 37, 1);
  for (const double sparsity : {0.0, 0.001, 0.1, 0.5, 0.77, 0.999, 1.0}) {
    const Mask keep = magnitude_mask(weight, sparsity);
    CHECK(dropped(keep) == pruned_count(sparsity, 13 * 37));
    float largest_dropped = 0;
    float smallest_kept = std::numeric_limits<float>::infinity();
    for (size_t i = 0; i < keep.size(); ++i) {
      const float size = std::abs(weight.values[i]);
      if (keep[i] != 0) smallest_kept = std::min(smallest_kept, size);
      if (keep[i] == 0) largest_dropped = std::max(largest_dropped, size);
    }
    CHECK(largest_dropped <= smallest_kept);
  }
}

TEST_CASE("among equal weights the first ones go", "[compress][prune]") {
  Matrix weight(2, 4);
  weight.values = {1, -1, 1, 2, 1, -1, 0, 1};
  CHECK(magnitude_mask(weight, 0.5) == Mask{0, 0, 0, 1, 1, 1, 0, 1});
}

TEST_CASE("scores that are not numbers are dropped last", "[compress][prune]") {
  Mask keep(4, 1);
  drop_smallest({std::numeric_limits<float>::quiet_NaN(), 3, 1, 2}, 3, keep.data());
  CHECK(keep == Mask{1, 0, 0, 0});
}

TEST_CASE("a NaN score among those that go still leaves the exact number", "[compress][prune]") {
  Mask keep(3, 1);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  drop_smallest({nan, nan, 1}, 2, keep.data());
  CHECK(keep == Mask{0, 1, 0});
}

TEST_CASE("a sparsity outside [0, 1] is refused", "[compress][prune]") {
  CHECK_THROWS_AS(pruned_count(1.01, 10), Error);
  CHECK_THROWS_AS(pruned_count(-0.1, 10), Error);
  CHECK_THROWS_AS(pruned_count(std::numeric_limits<double>::quiet_NaN(), 10), Error);
}

TEST_CASE("global masks are exact over all layers together and spare the layer with large weights",
          "[compress][prune]") {
  Matrix large = test::random_matrix(10, 11, 2);
  for (float& value : large.values) value *= 100;
  const Matrix small = test::random_matrix(7, 9, 3);
  const auto masks = global_magnitude_masks({&large, &small}, 0.3);
  REQUIRE(masks.size() == 2);
  REQUIRE(masks[0].size() == 110);
  REQUIRE(masks[1].size() == 63);
  const auto gone_large = std::count(masks[0].begin(), masks[0].end(), false);
  const auto gone_small = std::count(masks[1].begin(), masks[1].end(), false);
  CHECK(gone_large + gone_small == 52);  // round(0.3 * 173)
  CHECK(gone_small > 45);
}

TEST_CASE("global masks break ties by layer and then by index", "[compress][prune]") {
  Matrix ones(1, 3);
  ones.values = {1, 1, 1};
  const auto masks = global_magnitude_masks({&ones, &ones}, 0.5);
  CHECK(masks[0] == std::vector<bool>{false, false, false});
  CHECK(masks[1] == std::vector<bool>{true, true, true});
}
