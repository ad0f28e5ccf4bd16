#include <catch2/catch.hpp>
#include <limits>

#include "formats/artifact/half.h"
#include "tests/runtime/cpu/kernels/kernel_fixtures.h"

namespace lathe::kernels {
namespace {

constexpr size_t kWidths[] = {1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 48, 100, 384, 1536};

struct Quantized {
  std::vector<uint8_t> out;
  std::vector<float> scales;
  std::vector<int32_t> zeros;
  bool operator==(const Quantized&) const = default;
};

Quantized quantize(const RowKernels& kernel, const std::vector<float>& x, size_t rows, size_t width) {
  const size_t stride = padded_to(width, kInputPadding);
  GuardedBuffer out(rows * stride);
  std::memset(out.data(), 0x77, rows * stride);
  Quantized q{{}, std::vector<float>(rows), std::vector<int32_t>(rows)};
  kernel.quantize(x.data(), x.size() / rows, rows, width, static_cast<uint8_t*>(out.data()), stride, q.scales.data(),
                  q.zeros.data());
  CHECK(out.intact());
  const auto* bytes = static_cast<const uint8_t*>(out.data());
  q.out.assign(bytes, bytes + rows * stride);
  return q;
}

}  // namespace

TEST_CASE("add_layer_norm agrees with double precision", "[runtime][kernels]") {
  Random random(3);
  for (const auto* kernel : runnable(row_kernels())) {
    for (const size_t width : kWidths) {
      for (const bool has_b : {true, false}) {
        INFO(kernel->name << ": width " << width << (has_b ? ", two terms" : ", one term"));
        const auto a = uniform_floats(random, 5 * (width + 2), 2.0F, 4.0F);  // far from zero mean
        const auto b = uniform_floats(random, 5 * (width + 3));
        const auto gamma = uniform_floats(random, width);
        const auto beta = uniform_floats(random, width);
        GuardedMatrix y(5, width, 4);
        kernel->add_layer_norm(a.data(), width + 2, has_b ? b.data() : nullptr, width + 3, 5, width, gamma.data(),
                               beta.data(), 1e-5F, y.data(), y.stride());
        CHECK(y.intact());
        double worst = 0.0;
        for (size_t r = 0; r < 5; ++r) {
          std::vector<double> sum(width);
          double mean = 0.0;
          double variance = 0.0;
          for (size_t i = 0; i < width; ++i) {
            sum[i] = static_cast<double>(a[r * (width + 2) + i]) + (has_b ? b[r * (width + 3) + i] : 0.0F);
            mean += sum[i] / static_cast<double>(width);
          }
          for (const double s : sum) variance += (s - mean) * (s - mean) / static_cast<double>(width);
          const double inverse = 1.0 / std::sqrt(variance + 1e-5);
          for (size_t i = 0; i < width; ++i) {
            const double exact = (sum[i] - mean) * inverse * gamma[i] + beta[i];
            // Terms of up to 5 are rounded and then scaled by `inverse`.
            const double bound = 6e-8 * 5.0 * (4.0 * inverse + 4.0);
            worst = std::max(worst, std::abs(y.at(r, i) - exact) / bound);
          }
        }
        CHECK(worst <= 1.0);
      }
    }
  }
}

TEST_CASE("row kernels may write over their input", "[runtime][kernels]") {
  Random random(4);
  const size_t width = 37;
  const auto a = uniform_floats(random, 3 * width);
  const auto b = uniform_floats(random, 3 * width);
  for (const auto* kernel : runnable(row_kernels())) {
    INFO(kernel->name);
    std::vector<float> apart(a.size());
    std::vector<float> over = a;
    kernel->add_layer_norm(a.data(), width, b.data(), width, 3, width, b.data(), a.data(), 1e-5F, apart.data(), width);
    kernel->add_layer_norm(over.data(), width, b.data(), width, 3, width, b.data(), a.data(), 1e-5F, over.data(),
                           width);
    CHECK(over == apart);
    over = a;
    kernel->activate(Epilogue::gelu, a.data(), width, 3, width, apart.data(), width);
    kernel->activate(Epilogue::gelu, over.data(), width, 3, width, over.data(), width);
    CHECK(over == apart);
    over = a;
    kernel->add(over.data(), width, b.data(), width, 3, width, over.data(), width);
    for (size_t i = 0; i < a.size(); ++i) REQUIRE(over[i] == a[i] + b[i]);
  }
}

TEST_CASE("add writes the sums and nothing else", "[runtime][kernels]") {
  Random random(5);
  for (const auto* kernel : runnable(row_kernels())) {
    for (const size_t width : kWidths) {
      const auto a = uniform_floats(random, 3 * (width + 1));
      const auto b = uniform_floats(random, 3 * (width + 2));
      GuardedMatrix y(3, width, 5);
      kernel->add(a.data(), width + 1, b.data(), width + 2, 3, width, y.data(), y.stride());
      CHECK(y.intact());
      for (size_t r = 0; r < 3; ++r) {
        for (size_t i = 0; i < width; ++i) REQUIRE(y.at(r, i) == a[r * (width + 1) + i] + b[r * (width + 2) + i]);
      }
    }
  }
}

TEST_CASE("activations agree with double precision over their whole range", "[runtime][kernels]") {
  std::vector<float> x;
  for (int i = -24000; i <= 24000; ++i) x.push_back(static_cast<float>(i) * 0.0005F);
  for (const float edge : {0.0F, -0.0F, 1e-30F, -1e-30F, 50.0F, -50.0F, 90.0F, -90.0F, 1e4F, -1e4F}) x.push_back(edge);
  for (const auto* kernel : runnable(row_kernels())) {
    for (const Epilogue kind : kEpilogues) {
      INFO(kernel->name << ", epilogue " << static_cast<int>(kind));
      GuardedMatrix y(1, x.size(), 0);
      kernel->activate(kind, x.data(), x.size(), 1, x.size(), y.data(), x.size());
      CHECK(y.intact());
      double worst = 0.0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double exact = reference_epilogue(kind, x[i]);
        const double error = std::abs(y.at(0, i) - exact) / (1.0 + 0.25 * std::abs(exact));
        if (!(error <= worst)) worst = error;
      }
      CHECK(worst <= 1e-6);
    }
  }
}

TEST_CASE("quantize gives the nearest integers, and the same on every instruction set", "[runtime][kernels]") {
  Random random(6);
  const auto kernels = runnable(row_kernels());
  for (const size_t width : kWidths) {
    for (const auto& [low, high] : {std::pair{-3.0F, 5.0F}, std::pair{0.5F, 2.0F}, std::pair{-2.0F, -1.0F}}) {
      INFO("width " << width << ", values from " << low << " to " << high);
      const size_t rows = 4;
      const size_t stride = width + 3;
      const auto x = uniform_floats(random, rows * stride, low, high);
      const Quantized wanted = quantize(*kernels.back(), x, rows, width);
      const size_t out_stride = padded_to(width, kInputPadding);
      size_t wrong = 0;
      for (size_t r = 0; r < rows; ++r) {
        for (size_t i = 0; i < out_stride; ++i) {
          const uint8_t q = wanted.out[r * out_stride + i];
          if (i >= width) {
            wrong += q != 0 ? 1 : 0;
            continue;
          }
          const double error = (q - wanted.zeros[r]) * static_cast<double>(wanted.scales[r]) - x[r * stride + i];
          wrong += std::abs(error) <= wanted.scales[r] * 0.5001 ? 0 : 1;
        }
        CHECK((wanted.zeros[r] >= 0 && wanted.zeros[r] <= 255));
      }
      CHECK(wrong == 0);
      for (const auto* kernel : kernels) {
        INFO(kernel->name);
        CHECK(quantize(*kernel, x, rows, width) == wanted);
      }
    }
  }
}

TEST_CASE("quantize rounds halves to even", "[runtime][kernels]") {
  // The range is 255, so the scale is 1.
  const std::vector<float> x = {0.0F, 255.0F, 0.5F, 1.5F, 2.5F, 3.5F, 4.4999995F, 100.5F};
  for (const auto* kernel : runnable(row_kernels())) {
    const Quantized q = quantize(*kernel, x, 1, x.size());
    CHECK(q.scales[0] == 1.0F);
    CHECK(q.zeros[0] == 0);
    const std::vector<uint8_t> first(q.out.begin(), q.out.begin() + 8);
    CHECK(first == std::vector<uint8_t>{0, 255, 0, 2, 2, 4, 4, 100});
  }
}

TEST_CASE("quantize stays finite on rows of zeros, tiny, huge and invalid values", "[runtime][kernels]") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<std::vector<float>> rows = {std::vector<float>(20, 0.0F),  std::vector<float>(20, 1e-42F),
                                                std::vector<float>(20, 3e38F), {NAN, 1.0F, -1.0F, NAN},
                                                {-3e38F, 3e38F, 1.0F},         {kInfinity, 1.0F, -2.0F}};
  const auto kernels = runnable(row_kernels());
  for (const auto& x : rows) {
    const Quantized wanted = quantize(*kernels.back(), x, 1, x.size());
    CHECK((wanted.zeros[0] >= 0 && wanted.zeros[0] <= 255));
    for (const auto* kernel : kernels) {
      INFO(kernel->name);
      CHECK(quantize(*kernel, x, 1, x.size()) == wanted);
    }
  }
  const Quantized zero = quantize(*kernels.back(), rows[0], 1, 20);
  CHECK(zero.scales[0] == 1.0F);
  CHECK(zero.zeros[0] == 0);
  CHECK(zero.out == std::vector<uint8_t>(64, 0));
}

TEST_CASE("accumulate_int8 adds the scaled row", "[runtime][kernels]") {
  Random random(7);
  for (const auto* kernel : runnable(row_kernels())) {
    for (const size_t width : kWidths) {
      INFO(kernel->name << ": width " << width);
      std::vector<int8_t> x(width);
      for (auto& v : x) v = static_cast<int8_t>(random());
      GuardedMatrix y(1, width, 0);
      const auto start = uniform_floats(random, width);
      std::copy(start.begin(), start.end(), y.data());
      kernel->accumulate_int8(x.data(), 0.013F, width, y.data());
      CHECK(y.intact());
      for (size_t i = 0; i < width; ++i) {
        const double exact = start[i] + 0.013F * static_cast<double>(x[i]);
        REQUIRE(std::abs(y.at(0, i) - exact) <= 1.2e-7 * (std::abs(start[i]) + std::abs(0.013 * x[i])));
      }
    }
  }
}

TEST_CASE("rms_norm agrees with double precision in every group", "[runtime][kernels]") {
  Random random(31);
  for (const auto* kernel : runnable(row_kernels())) {
    for (const size_t width : kWidths) {
      INFO(kernel->name << ": width " << width);
      constexpr size_t kGroups = 3;
      const auto x = uniform_floats(random, 4 * (kGroups * width + 5), 2.0F);
      const auto gamma = uniform_floats(random, width);
      GuardedMatrix y(4, kGroups * width, 3);
      kernel->rms_norm(x.data(), kGroups * width + 5, 4, kGroups, width, gamma.data(), 1e-6F, y.data(), y.stride());
      CHECK(y.intact());
      double worst = 0.0;
      for (size_t r = 0; r < 4; ++r) {
        for (size_t g = 0; g < kGroups; ++g) {
          const float* row = x.data() + r * (kGroups * width + 5) + g * width;
          double squares = 0.0;
          for (size_t i = 0; i < width; ++i) squares += static_cast<double>(row[i]) * row[i];
          const double inverse = 1.0 / std::sqrt(squares / static_cast<double>(width) + 1e-6);
          for (size_t i = 0; i < width; ++i) {
            worst = std::max(worst, std::abs(y.at(r, g * width + i) - row[i] * inverse * gamma[i]) / (1.0 + inverse));
          }
        }
      }
      CHECK(worst < 2e-6);
    }
  }
}

TEST_CASE("multiply takes rows of any width", "[runtime][kernels]") {
  Random random(32);
  for (const auto* kernel : runnable(row_kernels())) {
    for (const size_t width : kWidths) {
      INFO(kernel->name << ": width " << width);
      const auto a = uniform_floats(random, 3 * (width + 1));
      const auto b = uniform_floats(random, 3 * (width + 2));
      GuardedMatrix y(3, width, 1);
      kernel->multiply(a.data(), width + 1, b.data(), width + 2, 3, width, y.data(), y.stride());
      CHECK(y.intact());
      size_t wrong = 0;
      for (size_t r = 0; r < 3; ++r) {
        for (size_t i = 0; i < width; ++i) wrong += y.at(r, i) != a[r * (width + 1) + i] * b[r * (width + 2) + i];
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("rope turns the pairs of each head and leaves the rest", "[runtime][kernels]") {
  Random random(33);
  for (const auto* kernel : runnable(row_kernels())) {
    for (const auto& [head_width, pairs] : {std::pair<size_t, size_t>{64, 32}, {20, 10}, {6, 1}, {34, 13}, {2, 1}}) {
      for (const bool neighbours : {false, true}) {
        INFO(kernel->name << ": head " << head_width << ", pairs " << pairs << (neighbours ? ", neighbours" : ""));
        const size_t width = 3 * head_width;
        const auto x = uniform_floats(random, 2 * width);
        const auto rotations = uniform_floats(random, 2 * 2 * pairs);
        GuardedMatrix y(2, width, 2);
        kernel->rope({x.data(), width, 2, 3, head_width, pairs, neighbours, rotations.data(), y.data(), y.stride()});
        CHECK(y.intact());
        double worst = 0.0;
        for (size_t r = 0; r < 2; ++r) {
          for (size_t i = 0; i < width; ++i) {
            const size_t at = i % head_width;
            const float* head = x.data() + r * width + i - at;
            double exact = head[at];
            if (at < 2 * pairs) {
              const size_t pair = neighbours ? at / 2 : at % pairs;
              const bool second = neighbours ? at % 2 == 1 : at >= pairs;
              const double a = head[neighbours ? 2 * pair : pair];
              const double b = head[neighbours ? 2 * pair + 1 : pair + pairs];
              const double cosine = rotations[r * 2 * pairs + pair];
              const double sine = rotations[r * 2 * pairs + pairs + pair];
              exact = second ? b * cosine + a * sine : a * cosine - b * sine;
            }
            worst = std::max(worst, std::abs(y.at(r, i) - exact));
          }
        }
        CHECK(worst < 2e-7);
      }
    }
  }
}

TEST_CASE("half precision rounds to nearest even and back is exact", "[runtime][kernels]") {
  std::vector<float> values = {0.0F,  -0.0F, 1.0F,  65504.0F, 65519.0F, 65520.0F,
                               -1e9F, 6e-8F, 3e-8F, 2.9e-8F,  6.1e-5F,  0.1F};
  Random random(34);
  for (const float value : uniform_floats(random, 200, 300.0F)) values.push_back(value);
  for (const float value : uniform_floats(random, 200, 1e-5F)) values.push_back(value);
  for (const auto* kernel : runnable(row_kernels())) {
    INFO(kernel->name);
    for (const size_t count : {size_t{1}, size_t{7}, size_t{16}, values.size()}) {
      std::vector<uint16_t> halves(count + 1, 0xABCD);
      std::vector<float> back(count + 1, 7.0F);
      kernel->to_f16(values.data(), count, halves.data());
      kernel->from_f16(halves.data(), count, back.data());
      size_t wrong = 0;
      for (size_t i = 0; i < count; ++i) {
        wrong += halves[i] != f32_to_f16(values[i]) || back[i] != f16_to_f32(halves[i]);
      }
      CHECK(wrong == 0);
      CHECK(halves[count] == 0xABCD);
      CHECK(back[count] == 7.0F);
    }
  }
}

TEST_CASE("wide quantization keeps sixteen bits in two rows", "[runtime][kernels]") {
  Random random(35);
  for (const auto* kernel : runnable(row_kernels())) {
    for (const size_t width : kWidths) {
      for (const float shift : {0.0F, 3.0F, -3.0F}) {
        INFO(kernel->name << ": width " << width << ", shift " << shift);
        std::vector<float> x = uniform_floats(random, 3 * width, 2.0F);
        for (size_t i = 0; i < 2 * width; ++i) x[i] += shift;
        std::fill(x.begin() + static_cast<std::ptrdiff_t>(2 * width), x.end(), 0.0F);  // a flat row
        const size_t stride = padded_to(width, kInputPadding);
        GuardedBuffer out(6 * stride);
        std::vector<float> scales(6);
        std::vector<int32_t> zeros(6);
        kernel->quantize_wide(x.data(), width, 3, width, static_cast<uint8_t*>(out.data()), stride, scales.data(),
                              zeros.data());
        CHECK(out.intact());
        const auto* bytes = static_cast<const uint8_t*>(out.data());
        double worst = 0.0;
        for (size_t r = 0; r < 3; ++r) {
          CHECK(zeros[2 * r + 1] == 0);
          CHECK(scales[2 * r] == 256.0F * scales[2 * r + 1]);
          for (size_t i = 0; i < width; ++i) {
            const double upper = (bytes[2 * r * stride + i] - zeros[2 * r]) * static_cast<double>(scales[2 * r]);
            const double lower = bytes[(2 * r + 1) * stride + i] * static_cast<double>(scales[2 * r + 1]);
            worst = std::max(worst, std::abs(upper + lower - x[r * width + i]) / (r == 2 ? 1.0 : scales[2 * r + 1]));
          }
        }
        CHECK(worst <= 0.52);
      }
    }
  }
}

TEST_CASE("pairs of rows are joined with bias and activation", "[runtime][kernels]") {
  Random random(36);
  for (const auto* kernel : runnable(row_kernels())) {
    for (const size_t width : kWidths) {
      INFO(kernel->name << ": width " << width);
      const auto pairs = uniform_floats(random, 4 * (width + 3));
      const auto bias = uniform_floats(random, width);
      for (const Epilogue epilogue : {Epilogue::none, Epilogue::relu}) {
        GuardedMatrix y(2, width, 2);
        kernel->join_pairs(epilogue, pairs.data(), width + 3, bias.data(), 2, width, y.data(), y.stride());
        CHECK(y.intact());
        size_t wrong = 0;
        for (size_t r = 0; r < 2; ++r) {
          for (size_t i = 0; i < width; ++i) {
            const float sum = pairs[2 * r * (width + 3) + i] + pairs[(2 * r + 1) * (width + 3) + i] + bias[i];
            wrong += y.at(r, i) != (epilogue == Epilogue::relu ? std::max(sum, 0.0F) : sum);
          }
        }
        CHECK(wrong == 0);
      }
    }
  }
}

}  // namespace lathe::kernels
