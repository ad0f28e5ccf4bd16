#include <catch2/catch.hpp>

#include "tests/runtime/cpu/kernels/kernel_fixtures.h"

namespace lathe::kernels {
namespace {

constexpr size_t kMostRows = 65;

/// A weight, its activations and what every kernel has to make of them.
struct Case {
  size_t outputs, inputs, group;
  std::vector<int8_t> integers;
  std::vector<uint8_t> group_scales;
  std::vector<float> scales, bias;  // padded to 64 entries, as the kernels may read them
  std::vector<int32_t> column_sums;
  size_t x_stride;
  std::vector<uint8_t> x;
  std::vector<float> x_scales;
  std::vector<int32_t> x_zeros;
  std::vector<int64_t> sums;  // [kMostRows, outputs], without the zero point

  IntegerWeight weight() const {
    return {integers.data(), outputs, inputs, group == 0 ? nullptr : group_scales.data(), group};
  }
  double exact(size_t row, size_t output) const {
    const int64_t sum = sums[row * outputs + output] - int64_t{x_zeros[row]} * column_sums[output];
    return static_cast<double>(x_scales[row]) * scales[output] * static_cast<double>(sum) + bias[output];
  }
  /// The same in the order of operations that all kernels keep.
  float expected(size_t row, size_t output) const {
    const int64_t sum = sums[row * outputs + output] - int64_t{x_zeros[row]} * column_sums[output];
    const float scale = x_scales[row] * scales[output];
    const float product = static_cast<float>(sum) * scale;
    return product + bias[output];
  }
};

void fill_integers(Random& random, double sparsity, Case& c) {
  const size_t groups = c.group == 0 ? 0 : (c.inputs + c.group - 1) / c.group;
  c.group_scales.resize(c.outputs * groups);
  for (auto& m : c.group_scales) m = static_cast<uint8_t>(random() % 16);  // 0 among them
  c.integers.assign(c.outputs * c.inputs, 0);
  for (size_t i = 0; i < c.integers.size(); ++i) {
    if (uniform(random, 0.0F, 1.0F) < sparsity) continue;
    if (c.group == 0) {
      c.integers[i] = static_cast<int8_t>(static_cast<int>(random() % 255) - 127);
      continue;
    }
    const int multiplier = c.group_scales[i / c.inputs * groups + i % c.inputs / c.group];
    c.integers[i] = static_cast<int8_t>((static_cast<int>(random() % 16) - 8) * multiplier);
  }
}

Case make_case(size_t outputs, size_t inputs, size_t group, double sparsity) {
  Random random(static_cast<unsigned>(outputs * 7919 + inputs * 31 + group));
  Case c{};
  c.outputs = outputs;
  c.inputs = inputs;
  c.group = group;
  fill_integers(random, sparsity, c);
  const size_t padded = padded_to(outputs, 64);
  c.scales.assign(padded, NAN);
  c.bias.assign(padded, NAN);
  c.column_sums.assign(padded, 0x7FFFFFFF);
  for (size_t o = 0; o < outputs; ++o) {
    c.scales[o] = uniform(random, 1e-4F, 2e-3F);
    c.bias[o] = uniform(random, -1.0F, 1.0F);
    c.column_sums[o] = 0;
    for (size_t i = 0; i < inputs; ++i) c.column_sums[o] += c.integers[o * inputs + i];
  }
  c.x_stride = padded_to(inputs, kInputPadding) + kInputPadding;
  c.x.resize(kMostRows * c.x_stride);
  for (auto& x : c.x) x = static_cast<uint8_t>(random());  // also what lies beyond `inputs`: its value is ignored
  for (size_t r = 0; r < kMostRows; ++r) {
    c.x_scales.push_back(uniform(random, 1e-3F, 5e-2F));
    c.x_zeros.push_back(static_cast<int32_t>(random() % 256));
  }
  c.sums.resize(kMostRows * outputs);
  for (size_t r = 0; r < kMostRows; ++r) {
    for (size_t o = 0; o < outputs; ++o) {
      int32_t sum = 0;
      for (size_t i = 0; i < inputs; ++i) sum += int32_t{c.x[r * c.x_stride + i]} * c.integers[o * inputs + i];
      c.sums[r * outputs + o] = sum;
    }
  }
  return c;
}

/// A weight packed by a kernel, with what a call needs.
struct Prepared {
  const IntegerLinearKernel& kernel;
  const Case& c;
  GuardedBuffer packed, scratch;

  Prepared(const IntegerLinearKernel& kernel_of, const Case& case_of)
      : kernel(kernel_of),
        c(case_of),
        packed(kernel.packed_bytes(c.weight())),
        scratch(kernel.scratch_bytes(c.outputs, c.inputs)) {
    kernel.pack(c.weight(), packed.data());
  }
  void run(size_t rows, Epilogue epilogue, GuardedMatrix& y, Part part = {}) {
    const PackedInteger weight{packed.data(),        c.outputs,    c.inputs, c.group, c.scales.data(),
                               c.column_sums.data(), c.bias.data()};
    kernel.run({c.x.data(), c.x_stride, c.x_scales.data(), c.x_zeros.data(), rows, &weight, y.data(), y.stride(),
                epilogue, scratch.data(), part});
  }
};

size_t count_wrong(const Case& c, const GuardedMatrix& y, size_t rows) {
  size_t wrong = 0;
  for (size_t r = 0; r < rows; ++r) {
    for (size_t o = 0; o < c.outputs; ++o) {
      const double exact = c.exact(r, o);
      // Rounding of sum, scale product, product and sum: four halves of an ulp of either term.
      const double bound = 2.5e-7 * (std::abs(exact - c.bias[o]) + std::abs(c.bias[o]) + std::abs(exact));
      if (!(std::abs(y.at(r, o) - exact) <= bound) || y.at(r, o) != c.expected(r, o)) ++wrong;
    }
  }
  return wrong;
}

void check_all_kernels(IntegerFormat format, const Case& c) {
  for (const auto* kernel : runnable(integer_linear_kernels())) {
    if (kernel->format != format || !kernel->supports(c.weight())) continue;
    INFO(kernel->name << ": " << c.outputs << " outputs, " << c.inputs << " inputs, group " << c.group);
    Prepared prepared(*kernel, c);
    REQUIRE(prepared.packed.intact());
    for (const size_t rows : {1, 2, 3, 4, 5, 8, 9, 64, 65}) {
      INFO(rows << " rows");
      GuardedMatrix y(rows, c.outputs, 5);
      prepared.run(rows, Epilogue::none, y);
      CHECK(count_wrong(c, y, rows) == 0);
      CHECK(y.intact());
    }
    CHECK(prepared.packed.intact());
    CHECK(prepared.scratch.intact());
  }
}

constexpr size_t kOutputs[] = {1, 15, 16, 17, 47, 48, 49, 96, 100, 384};
constexpr size_t kInputs[] = {1, 3, 4, 5, 63, 64, 65, 384, 1536};

void check_shapes(IntegerFormat format, size_t group, double sparsity) {
  for (const size_t outputs : kOutputs) {
    for (const size_t inputs : kInputs) {
      if (outputs * inputs > 100 * 1536 && sparsity != 0.5) continue;  // the largest once
      check_all_kernels(format, make_case(outputs, inputs, group, sparsity));
    }
  }
}

}  // namespace

TEST_CASE("int8 kernels give the exact integers on every instruction set", "[runtime][kernels]") {
  check_shapes(IntegerFormat::int8_dense, 0, 0.0);
}

TEST_CASE("int8 bitmask kernels give the exact integers at every sparsity", "[runtime][kernels]") {
  for (const double sparsity : {0.0, 0.5, 0.9, 1.0}) check_shapes(IntegerFormat::int8_bitmask, 0, sparsity);
}

TEST_CASE("int4 kernels give the exact integers for every group", "[runtime][kernels]") {
  for (const size_t group : {4, 7, 16, 32, 128}) check_shapes(IntegerFormat::int4_dense, group, 0.0);
}

TEST_CASE("int4 bitmask kernels give the exact integers for every group and sparsity", "[runtime][kernels]") {
  for (const size_t group : {4, 7, 32}) {
    for (const double sparsity : {0.0, 0.5, 1.0}) check_shapes(IntegerFormat::int4_bitmask, group, sparsity);
  }
}

TEST_CASE("the parts of a layer's outputs add up to the layer, and each leaves the rest alone", "[runtime][kernels]") {
  for (const size_t outputs : {1, 17, 48, 100, 384}) {
    for (const size_t group : {0, 32}) {
      const Case c = make_case(outputs, 100, group, 0.5);
      for (const auto* kernel : runnable(integer_linear_kernels())) {
        if (!kernel->supports(c.weight())) continue;
        INFO(kernel->name << ": " << outputs << " outputs, group " << group);
        Prepared prepared(*kernel, c);
        for (const size_t rows : {1, 9}) {
          for (const size_t parts : {2, 3}) {
            GuardedMatrix y(rows, outputs, 5);
            std::fill_n(y.data(), rows * y.stride() - 5, NAN);
            for (size_t part = 0; part < parts; ++part) prepared.run(rows, Epilogue::none, y, {part, parts});
            CHECK(count_wrong(c, y, rows) == 0);
            GuardedMatrix whole(rows, outputs, 5);
            prepared.run(rows, Epilogue::silu, whole);
            for (size_t part = parts; part-- > 0;) prepared.run(rows, Epilogue::silu, y, {part, parts});
            size_t differ = 0;
            for (size_t o = 0; o < outputs; ++o) differ += y.at(rows - 1, o) != whole.at(rows - 1, o);
            CHECK(differ == 0);
            std::fill_n(y.data(), rows * y.stride() - 5, 7.0F);
            prepared.run(rows, Epilogue::none, y, {1, parts});
            size_t touched = 0;
            for (size_t o = 0; o < outputs; ++o) touched += y.at(0, o) != 7.0F;
            CHECK((outputs < 384 || touched < outputs));  // a small layer is one part
          }
        }
      }
    }
  }
}

TEST_CASE("sums of the largest products do not saturate", "[runtime][kernels]") {
  Case c = make_case(49, 1536, 0, 0.0);
  for (auto& w : c.integers) w = 127;
  for (size_t o = 0; o < c.outputs; o += 2) {
    for (size_t i = 0; i < c.inputs; ++i) c.integers[o * c.inputs + i] = -128;
  }
  for (auto& x : c.x) x = 255;
  for (size_t o = 0; o < c.outputs; ++o) {
    const int w = o % 2 == 0 ? -128 : 127;
    c.column_sums[o] = w * 1536;
    for (size_t r = 0; r < kMostRows; ++r) c.sums[r * c.outputs + o] = int64_t{w} * 255 * 1536;
  }
  check_all_kernels(IntegerFormat::int8_dense, c);
  check_all_kernels(IntegerFormat::int8_bitmask, c);
}

TEST_CASE("integer kernels apply every epilogue", "[runtime][kernels]") {
  for (const size_t outputs : {1, 49, 100}) {
    const Case c = make_case(outputs, 65, 0, 0.0);
    for (const auto* kernel : runnable(integer_linear_kernels())) {
      if (!kernel->supports(c.weight())) continue;
      Prepared prepared(*kernel, c);
      for (const Epilogue epilogue : kEpilogues) {
        INFO(kernel->name << ", epilogue " << static_cast<int>(epilogue));
        GuardedMatrix y(9, outputs, 3);
        prepared.run(9, epilogue, y);
        double worst = 0.0;
        for (size_t r = 0; r < 9; ++r) {
          for (size_t o = 0; o < outputs; ++o) {
            const double exact = reference_epilogue(epilogue, c.exact(r, o));
            worst = std::max(worst, std::abs(y.at(r, o) - exact) / (1.0 + std::abs(exact)));
          }
        }
        CHECK(worst < 1e-6);
        CHECK(y.intact());
      }
    }
  }
}

TEST_CASE("bitmask formats store the kept integers only", "[runtime][kernels]") {
  const Case dense = make_case(384, 384, 0, 0.0);
  const Case sparse = make_case(384, 384, 0, 0.9);
  const Case nibbles = make_case(384, 384, 32, 0.5);
  for (const auto* kernel : runnable(integer_linear_kernels())) {
    INFO(kernel->name);
    const double weights = 384.0 * 384.0;
    if (kernel->format == IntegerFormat::int8_dense) {
      CHECK(static_cast<double>(kernel->packed_bytes(dense.weight())) == weights);
    } else if (kernel->format == IntegerFormat::int8_bitmask) {
      CHECK(static_cast<double>(kernel->packed_bytes(sparse.weight())) < (0.125 + 0.13) * weights);
    } else if (kernel->format == IntegerFormat::int4_dense) {
      CHECK(static_cast<double>(kernel->packed_bytes(nibbles.weight())) < (0.5 + 1.0 / 32 + 0.01) * weights);
    } else {
      CHECK(static_cast<double>(kernel->packed_bytes(nibbles.weight())) < (0.125 + 0.25 + 1.0 / 32 + 0.01) * weights);
    }
  }
}

}  // namespace lathe::kernels
