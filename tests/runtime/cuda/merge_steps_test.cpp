#include "runtime/cuda/merge_steps.h"

#include <catch2/catch.hpp>

namespace lathe::cuda {
namespace {

Step step(const StepKind& kind, uint32_t a, uint32_t b, uint32_t output) { return {kind, {a, b, kNone}, output}; }
Step linear(uint32_t x, uint32_t y) { return step(LinearStep{}, x, kNone, y); }
Step add(uint32_t a, uint32_t b, uint32_t y) { return step(ElementwiseStep{Combine::add}, a, b, y); }
Step multiply(uint32_t a, uint32_t b, uint32_t y) { return step(ElementwiseStep{Combine::multiply}, a, b, y); }
Step activate(uint32_t a, uint32_t y) {
  return step(ElementwiseStep{Combine::activate, {Function::silu, nullptr}}, a, kNone, y);
}
Step quantize(uint32_t x, InputBits bits = InputBits::eight) { return step(QuantizeStep{bits}, x, kNone, kNone); }

}  // namespace

TEST_CASE("a layer adds the residual itself, on whichever side it stands", "[runtime][cuda][merge]") {
  for (const bool first : {true, false}) {
    const std::vector<Step> merged = merge_steps({linear(0, 1), first ? add(1, 2, 3) : add(2, 1, 3)}, {1, 1, 1, 1});
    REQUIRE(merged.size() == 1);
    CHECK(std::holds_alternative<LinearStep>(merged[0].kind));
    CHECK(merged[0].inputs == std::array<uint32_t, 3>{0, 2, kNone});
    CHECK(merged[0].output == 3);
  }
}

TEST_CASE("a layer whose output somebody else reads is left alone, and so is its double", "[runtime][cuda][merge]") {
  CHECK(merge_steps({linear(0, 1), add(2, 1, 3)}, {1, 2, 1, 1}).size() == 2);
  CHECK(merge_steps({linear(0, 1), add(1, 1, 3)}, {1, 2, 1, 1}).size() == 2);
  CHECK(merge_steps({linear(0, 1), add(2, 4, 3)}, {1, 1, 1, 1, 1}).size() == 2);
  // One layer adds one value.
  CHECK(merge_steps({linear(0, 1), add(2, 1, 3), add(3, 2, 4)}, {1, 1, 2, 1, 1}).size() == 2);
}

TEST_CASE("an activation joins the product that it gates", "[runtime][cuda][merge]") {
  const std::vector<Step> merged = merge_steps({activate(0, 1), multiply(1, 2, 3)}, {1, 1, 1, 1});
  REQUIRE(merged.size() == 1);
  CHECK(std::get<ElementwiseStep>(merged[0].kind).combine == Combine::gated);
  CHECK(std::get<ElementwiseStep>(merged[0].kind).activation.function == Function::silu);
  CHECK(merged[0].inputs == std::array<uint32_t, 3>{0, 2, kNone});
  CHECK(merge_steps({activate(0, 1), multiply(2, 1, 3)}, {1, 1, 1, 1}).size() == 2);  // the other factor is activated
  CHECK(merge_steps({activate(0, 1), multiply(1, 2, 3)}, {1, 2, 1, 1}).size() == 2);
  CHECK(merge_steps({activate(0, 1), multiply(1, 1, 3)}, {1, 2, 1, 1}).size() == 2);
}

TEST_CASE("rounding joins kernels that write whole rows", "[runtime][cuda][merge]") {
  const std::vector<Step> gated =
      merge_steps({activate(0, 1), multiply(1, 2, 3), quantize(3, InputBits::sixteen)}, {1, 1, 1, 1});
  REQUIRE(gated.size() == 1);
  CHECK(gated[0].rounds == InputBits::sixteen);
  CHECK(merge_steps({step(RmsNormStep{nullptr, 0, 1}, 0, kNone, 1), quantize(1)}, {1, 1}).size() == 1);
  CHECK(merge_steps({step(LayerNormStep{}, 0, kNone, 1), quantize(1)}, {1, 1}).size() == 1);
  // Heads are parts of a row; a layer writes columns; and another value is not what was written.
  CHECK(merge_steps({step(RmsNormStep{nullptr, 0, 3}, 0, kNone, 1), quantize(1)}, {1, 1}).size() == 2);
  CHECK(merge_steps({linear(0, 1), quantize(1)}, {1, 1}).size() == 2);
  CHECK(merge_steps({step(LayerNormStep{}, 0, kNone, 1), quantize(0)}, {2, 1}).size() == 2);
  // The quantized rows hold one value at a time.
  CHECK(
      merge_steps({step(LayerNormStep{}, 0, kNone, 1), quantize(1), quantize(1, InputBits::sixteen)}, {1, 1}).size() ==
      2);
}

}  // namespace lathe::cuda
