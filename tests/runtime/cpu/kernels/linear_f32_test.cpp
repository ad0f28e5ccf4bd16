#include <catch2/catch.hpp>

#include "tests/runtime/cpu/kernels/kernel_fixtures.h"

namespace lathe::kernels {
namespace {

struct Case {
  size_t outputs, inputs, x_stride;
  std::vector<float> weight, x, bias;
};

Case make_case(size_t outputs, size_t inputs, size_t rows) {
  Random random(static_cast<unsigned>(outputs * 131 + inputs));
  Case c{outputs, inputs, inputs + 3, uniform_floats(random, outputs * inputs), {}, {}};
  c.x.assign(rows * c.x_stride, NAN);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t i = 0; i < inputs; ++i) c.x[r * c.x_stride + i] = uniform(random, -1.0F, 1.0F);
  }
  c.bias.assign(padded_to(outputs, 64), NAN);
  for (size_t o = 0; o < outputs; ++o) c.bias[o] = uniform(random, -1.0F, 1.0F);
  return c;
}

/// The largest error in units of what rounding `inputs` products of that size may cost.
double worst_error(const Case& c, const GuardedMatrix& y, size_t rows, Epilogue epilogue) {
  double worst = 0.0;
  for (size_t r = 0; r < rows; ++r) {
    for (size_t o = 0; o < c.outputs; ++o) {
      double sum = c.bias[o];
      double magnitude = std::abs(sum);
      for (size_t i = 0; i < c.inputs; ++i) {
        const double product = static_cast<double>(c.x[r * c.x_stride + i]) * c.weight[o * c.inputs + i];
        sum += product;
        magnitude += std::abs(product);
      }
      const double epsilon = epilogue == Epilogue::none ? 6e-8 : 1e-6;
      const double bound = epsilon * (magnitude * std::sqrt(static_cast<double>(c.inputs) + 4.0) + 1.0);
      const double error = std::abs(y.at(r, o) - reference_epilogue(epilogue, sum)) / bound;
      if (!(error <= worst)) worst = error;
    }
  }
  return worst;
}

struct Prepared {
  const FloatLinearKernel& kernel;
  const Case& c;
  GuardedBuffer packed;

  Prepared(const FloatLinearKernel& kernel_of, const Case& case_of)
      : kernel(kernel_of), c(case_of), packed(kernel.packed_bytes(c.outputs, c.inputs)) {
    kernel.pack(c.weight.data(), c.outputs, c.inputs, packed.data());
  }
  void run(size_t first, size_t rows, Epilogue epilogue, GuardedMatrix& y, Part part = {}) {
    const PackedFloat weight{packed.data(), c.outputs, c.inputs, c.bias.data()};
    kernel.run({c.x.data() + first * c.x_stride, c.x_stride, rows, &weight, y.data(), y.stride(), epilogue, part});
  }
};

}  // namespace

TEST_CASE("f32 linear kernels agree with double precision", "[runtime][kernels]") {
  for (const auto* kernel : runnable(float_linear_kernels())) {
    for (const size_t outputs : {1, 15, 16, 17, 47, 48, 49, 100}) {
      for (const size_t inputs : {1, 3, 64, 384}) {
        const Case c = make_case(outputs, inputs, 65);
        Prepared prepared(*kernel, c);
        for (const size_t rows : {1, 2, 7, 8, 9, 65}) {
          INFO(kernel->name << ": " << rows << " rows, " << outputs << " outputs, " << inputs << " inputs");
          GuardedMatrix y(rows, outputs, 5);
          prepared.run(0, rows, Epilogue::none, y);
          CHECK(worst_error(c, y, rows, Epilogue::none) <= 1.0);
          CHECK(y.intact());
        }
        CHECK(prepared.packed.intact());
      }
    }
  }
}

TEST_CASE("f32 linear kernels apply every epilogue", "[runtime][kernels]") {
  const Case c = make_case(49, 20, 9);
  for (const auto* kernel : runnable(float_linear_kernels())) {
    Prepared prepared(*kernel, c);
    for (const Epilogue epilogue : kEpilogues) {
      INFO(kernel->name << ", epilogue " << static_cast<int>(epilogue));
      GuardedMatrix y(9, 49, 1);
      prepared.run(0, 9, epilogue, y);
      CHECK(worst_error(c, y, 9, epilogue) <= 1.0);
      CHECK(y.intact());
    }
  }
}

TEST_CASE("a row's f32 result does not depend on the rows computed with it", "[runtime][kernels]") {
  const Case c = make_case(100, 130, 23);
  for (const auto* kernel : runnable(float_linear_kernels())) {
    INFO(kernel->name);
    Prepared prepared(*kernel, c);
    GuardedMatrix all(23, 100, 0);
    prepared.run(0, 23, Epilogue::gelu, all);
    for (size_t r = 0; r < 23; ++r) {
      GuardedMatrix one(1, 100, 0);
      prepared.run(r, 1, Epilogue::gelu, one);
      REQUIRE(std::memcmp(one.data(), all.data() + r * all.stride(), 100 * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("the parts of an f32 layer's outputs add up to the layer", "[runtime][kernels]") {
  for (const size_t outputs : {1, 16, 49, 200}) {
    const Case c = make_case(outputs, 33, 9);
    for (const auto* kernel : runnable(float_linear_kernels())) {
      INFO(kernel->name << ": " << outputs << " outputs");
      Prepared prepared(*kernel, c);
      for (const size_t rows : {1, 9}) {
        GuardedMatrix whole(rows, outputs, 3);
        GuardedMatrix parts(rows, outputs, 3);
        prepared.run(0, rows, Epilogue::none, whole);
        for (size_t part = 0; part < 3; ++part) prepared.run(0, rows, Epilogue::none, parts, {part, 3});
        CHECK(parts.intact());
        size_t wrong = 0;
        for (size_t r = 0; r < rows; ++r) {
          for (size_t o = 0; o < outputs; ++o) wrong += parts.at(r, o) != whole.at(r, o);
        }
        CHECK(wrong == 0);
      }
    }
  }
}

}  // namespace lathe::kernels
