// Rounding while training: rounded weights can be stored without further change, and gradients are those of the method.

#include "compress/training/torch/fake_quant.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "compress/methods/grid.h"
#include "tests/compress/training/torch/encoded_weights.h"
#include "tests/compress/training/torch/random_program.h"

namespace lathe::training {
namespace {

using test::encoded_weight;
using test::kTrainedEncodings;
using test::random_tensor;

const at::Device kCpu(at::kCPU);
constexpr size_t kRows = 7, kCols = 75;

TEST_CASE("values on the grid do not change when they are rounded", "[compress][torch][fake_quant]") {
  for (const Encoding& encoding : kTrainedEncodings) {
    CAPTURE(encoding_name(encoding));
    const EncodedBuffer weight = encoded_weight(encoding, kRows, kCols, 3);
    const FakeQuantizer quantizer(weight.view(), kCpu);
    CHECK(quantizer.has_scales() == value_codec(encoding.values).integer);
    const at::Tensor value = decoded(weight.view(), kCpu);
    const at::Tensor scales = quantizer.has_scales() ? quantizer.fresh_scales() : at::Tensor();
    CHECK(quantizer.quantize(value, scales).equal(value));
    if (!quantizer.has_scales()) continue;
    CHECK(scales.sizes() == at::IntArrayRef({kRows, 1}));
    const std::vector<float> stored = quantizer.stored_scales(scales);
    for (size_t r = 0; r < kRows; ++r) CHECK(stored[r] == row_scale(weight.view(), r));
  }
}

TEST_CASE("after scales have moved values lie on the grid that will be stored", "[compress][torch][fake_quant]") {
  for (const Encoding& encoding : kTrainedEncodings) {
    if (!value_codec(encoding.values).integer) continue;
    CAPTURE(encoding_name(encoding));
    const EncodedBuffer weight = encoded_weight(encoding, kRows, kCols, 4);
    const FakeQuantizer quantizer(weight.view(), kCpu);
    const at::Tensor scales = 0.7 * random_tensor({kRows, 1}, 5);
    const at::Tensor latent = 0.15 * random_tensor({kRows, kCols}, 6);  // some beyond the ends
    const std::vector<float> values = floats_of(quantizer.quantize(latent, scales));
    const std::vector<float> plain = floats_of(latent);
    Grid grid = grid_of(weight.view());
    set_row_scales(grid, quantizer.stored_scales(scales));
    size_t at_ends = 0;
    for (size_t r = 0; r < kRows; ++r) {
      for (size_t c = 0; c < kCols; ++c) {
        const float value = values[r * kCols + c];
        REQUIRE(grid.snap(r, c, value) == value);
        const float step = grid.steps[(c / grid.group) * kRows + r];
        // The nearest that the grid holds.
        const float wanted = std::clamp(plain[r * kCols + c], grid.lowest * step, grid.highest * step);
        REQUIRE(std::abs(value - wanted) <= 0.50001f * step);
        at_ends += value == grid.highest * step || value == grid.lowest * step;
      }
    }
    CHECK(at_ends > 0);
    CHECK(at_ends < kRows * kCols / 2);
  }
}

TEST_CASE("gradients through rounding are those of the method", "[compress][torch][fake_quant]") {
  for (const Encoding& encoding : kTrainedEncodings) {
    if (!value_codec(encoding.values).integer) continue;
    CAPTURE(encoding_name(encoding));
    const EncodedBuffer weight = encoded_weight(encoding, kRows, kCols, 7);
    const FakeQuantizer quantizer(weight.view(), kCpu);
    const at::Tensor scales = 0.3 * random_tensor({kRows, 1}, 8);
    const at::Tensor latent = 0.15 * random_tensor({kRows, kCols}, 9);
    const at::Tensor gradient = random_tensor({kRows, kCols}, 10);
    const FakeQuantizer::Gradients pulled = quantizer.backward(latent, scales, gradient);
    Grid grid = grid_of(weight.view());
    set_row_scales(grid, quantizer.stored_scales(scales));
    size_t cut = 0;
    for (int64_t r = 0; r < static_cast<int64_t>(kRows); ++r) {
      double row = 0;
      for (int64_t c = 0; c < static_cast<int64_t>(kCols); ++c) {
        const double step = grid.steps[(static_cast<size_t>(c) / grid.group) * kRows + static_cast<size_t>(r)];
        const double from = gradient[r][c].item<float>();
        const double exact = step > 0 ? latent[r][c].item<float>() / step : 1e9;
        const bool inside = exact >= grid.lowest - 0.5 && exact <= grid.highest + 0.5;
        CHECK(pulled.latent[r][c].item<float>() == (inside ? static_cast<float>(from) : 0.0f));
        cut += !inside;
        // d(s q)/ds = q - w/s inside and q at the ends; times s for the logarithm.
        const double q = std::clamp<double>(std::nearbyint(exact), grid.lowest, grid.highest);
        row += from * (inside ? q - exact : q) * step;
      }
      CHECK(pulled.log_scales[r][0].item<float>() == Approx(row).epsilon(1e-4).margin(1e-6));
    }
    CHECK(cut > 0);
    CHECK(cut < kRows * kCols / 2);
  }
}

TEST_CASE("the gradient of a scale is what moving it does, at the ends of the grid", "[compress][torch][fake_quant]") {
  const EncodedBuffer weight = encoded_weight({ValueType::int8, Sparsity::dense, 0}, kRows, kCols, 11);
  const FakeQuantizer quantizer(weight.view(), kCpu);
  const at::Tensor latent = at::sign(random_tensor({kRows, kCols}, 12));  // all far beyond the ends of the grid
  const at::Tensor gradient = random_tensor({kRows, kCols}, 13);
  const auto loss = [&](double by) {
    return (quantizer.quantize(latent, at::full({kRows, 1}, by)) * gradient).sum(1).to(at::kDouble);
  };
  const at::Tensor moved = (loss(0.25) - loss(-0.25)) / (std::exp(0.25) - std::exp(-0.25));
  const at::Tensor pulled = quantizer.backward(latent, quantizer.fresh_scales(), gradient).log_scales.squeeze(1);
  CHECK(at::allclose(pulled.to(at::kDouble), moved, 0.02, 1e-4));  // scales are rounded to 8 bits
}

TEST_CASE("a float weight passes its gradient on as it is", "[compress][torch][fake_quant]") {
  const EncodedBuffer weight = encoded_weight({ValueType::f16, Sparsity::dense, 0}, 3, 5, 1);
  const at::Tensor gradient = random_tensor({3, 5}, 2);
  const FakeQuantizer quantizer(weight.view(), kCpu);
  const FakeQuantizer::Gradients pulled = quantizer.backward(decoded(weight.view(), kCpu), {}, gradient);
  CHECK(pulled.latent.equal(gradient));
  CHECK_FALSE(pulled.log_scales.defined());
}

TEST_CASE("rows without any weight stay zero and give no gradient", "[compress][torch][fake_quant]") {
  for (const ValueType type : {ValueType::int8, ValueType::int4}) {
    const Encoding encoding{type, Sparsity::dense, type == ValueType::int4 ? 32u : 0u};
    const Grid grid = choose_grid(Matrix(2, 40), encoding, {}, nullptr);
    const EncodedBuffer weight = encode(Matrix(2, 40), grid, encoding);
    const FakeQuantizer quantizer(weight.view(), kCpu);
    const at::Tensor zeros = at::zeros({2, 40});
    CHECK(quantizer.quantize(zeros, quantizer.fresh_scales()).equal(zeros));
    const auto pulled = quantizer.backward(zeros, quantizer.fresh_scales(), random_tensor({2, 40}, 3));
    CHECK(pulled.log_scales.abs().max().item<float>() == 0);
    CHECK(at::isfinite(pulled.latent).all().item<bool>());
    if (type == ValueType::int8) continue;
    // A group whose step is zero cannot hold anything else.
    CHECK(quantizer.quantize(random_tensor({2, 40}, 4), quantizer.fresh_scales()).equal(zeros));
    CHECK(at::isfinite(quantizer.backward(random_tensor({2, 40}, 4), quantizer.fresh_scales(), zeros + 1).log_scales)
              .all()
              .item<bool>());
  }
}

}  // namespace
}  // namespace lathe::training
