// Calibration whose samples run on a device gives the statistics of the CPU.

#include "compress/calibration/calibration.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "compress/calibration/gram.h"
#include "runtime/cuda/moment_sum.h"
#include "runtime/random.h"
#include "tests/runtime/cuda/host/host_executor.h"
#include "tests/support/compress_tiny.h"

namespace lathe {
namespace {

// The largest difference over the largest number.
double distance(const std::vector<double>& actual, const std::vector<double>& expected) {
  REQUIRE(actual.size() == expected.size());
  double largest = 1e-30, worst = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    worst = std::max(worst, std::abs(actual[i] - expected[i]));
  }
  return worst / largest;
}

}  // namespace

TEST_CASE("statistics of samples that ran on a device are those of the CPU to 21 bits", "[runtime][cuda]") {
  const test::TempDir dir;
  const SourceModel source = open_source(test::TinyModel().write(dir), false);
  const TokenBatch samples = test::samples_of(source, test::quick_recipe("int8")).batch;
  const WeightLookup original = [&](const std::string& name) { return source.weight(name); };
  std::map<std::string, std::vector<float>> rounded;  // another value of every weight, for the compressed model
  const WeightLookup compressed = [&](const std::string& name) {
    EncodedTensor tensor = source.weight(name);
    std::vector<float>& values = rounded[name];
    if (values.empty()) {
      values = decode(tensor);
      for (float& value : values) value = std::round(value * 64) / 64;
    }
    tensor.planes[0] = as_bytes_of(values);
    return tensor;
  };
  Calibration on_cpu(samples, original, compressed, 1);
  const auto device = std::make_shared<test::HostDevice>();
  Calibration on_device(samples, original, compressed, 1, test::on_host_device(),
                        [&](size_t width) { return cuda::make_moment_sum(device, width); });
  const Program& program = source.program;
  size_t layers = 0;
  for (size_t op = 0; op < program.ops.size(); ++op) {
    if (!program.ops[op].is<ops::Linear>()) continue;
    const InputStatistics expected = on_cpu.collect(program, program, op);
    const InputStatistics actual = on_device.collect(program, program, op);
    CHECK(distance(actual.gram, expected.gram) < 1e-5);
    if (layers++ > 0) CHECK(distance(actual.cross_gram, expected.cross_gram) < 1e-5);
  }
  CHECK(layers > 4);
}

TEST_CASE("a device sums second moments as the CPU does, and a sum of one matrix is symmetric", "[runtime][cuda]") {
  ThreadPool pool(1);
  const MakeMomentSum on_cpu = cpu_moment_sums(pool);
  const auto device = std::make_shared<test::HostDevice>();
  Random random(11);
  for (const size_t width : {1u, 63u, 64u, 65u, 130u}) {
    std::vector<float> x(40 * width), y(40 * width);
    for (float& value : x) value = static_cast<float>(random.uniform() - 0.3);
    for (float& value : y) value = static_cast<float>(random.uniform() - 0.6);
    const std::unique_ptr<MomentSum> expected = on_cpu(width);
    const std::unique_ptr<MomentSum> actual = cuda::make_moment_sum(device, width);
    for (MomentSum* sum : {expected.get(), actual.get()}) {
      sum->add(x.data(), x.data(), 33);
      sum->add(y.data(), y.data(), 1);
    }
    const std::unique_ptr<MomentSum> expected_cross = expected->copy();
    const std::unique_ptr<MomentSum> actual_cross = actual->copy();
    for (MomentSum* sum : {expected_cross.get(), actual_cross.get()}) sum->add(y.data(), x.data(), 40);
    const std::vector<double> symmetric = actual->take();
    for (size_t i = 0; i < width; ++i) {
      for (size_t j = 0; j < i; ++j) REQUIRE(symmetric[i * width + j] == symmetric[j * width + i]);
    }
    CHECK(distance(symmetric, expected->take()) < 4e-6);  // as in layers of floats
    CHECK(distance(actual_cross->take(), expected_cross->take()) < 4e-6);
  }
}

TEST_CASE("more rows than are uploaded at a time are all summed", "[runtime][cuda]") {
  const std::vector<float> ones(2500 * 2, 1.0f);
  const std::unique_ptr<MomentSum> sum = cuda::make_moment_sum(std::make_shared<test::HostDevice>(), 2);
  sum->add(ones.data(), ones.data(), 2500);
  CHECK(sum->take() == std::vector<double>(4, 2500.0));
}

}  // namespace lathe
