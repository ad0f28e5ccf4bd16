// Calibration whose samples run on a device gives the statistics of the CPU.

#include "compress/calibration/calibration.h"

#include <catch2/catch.hpp>
#include <cmath>

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
  Calibration on_device(samples, original, compressed, 1, test::on_host_device());
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

}  // namespace lathe
