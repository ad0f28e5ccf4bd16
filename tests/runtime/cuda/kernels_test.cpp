// Kernels against the reference decode and plain loops, on the host double.

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "runtime/cpu/kernels/registry.h"
#include "runtime/cuda/launch.h"
#include "runtime/cuda/linear.h"
#include "runtime/cuda/weights.h"
#include "tests/runtime/cuda/host/host_device.h"
#include "tests/runtime/cuda/random_weight.h"

namespace lathe::cuda {
namespace {

using test::HostDevice;
using test::random_weight;
using test::ThreadOrder;

// A device with memory that lives as long as it.
struct Bench {
  HostDevice device{{.order = ThreadOrder::random, .seed = 3}};
  std::unique_ptr<Queue> queue = device.make_queue();
  std::vector<DeviceMemory> memory;

  template <class T>
  T* room(size_t count) {
    memory.emplace_back(device, count * sizeof(T), "test");
    return reinterpret_cast<T*>(memory.back().data());
  }
  template <class T>
  T* put(const std::vector<T>& values) {
    T* const at = room<T>(values.size());
    queue->upload(at, values.data(), values.size() * sizeof(T));
    return at;
  }
  template <class T>
  std::vector<T> get(const T* from, size_t count) {
    std::vector<T> values(count);
    queue->download(values.data(), from, count * sizeof(T));
    return values;
  }
};

std::vector<float> random_numbers(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random() % 4001) / 1000 - 2;
  return values;
}

// A program of one linear layer, so that weights are uploaded as a model's are.
Program linear_program(uint32_t outputs, uint32_t inputs) {
  Program program;
  program.weights = {"w", "b"};
  program.add_value("x", RowKind::samples, inputs);
  program.add_value("y", RowKind::samples, outputs);
  program.ops.push_back({ops::Linear{}, {0}, {0, 1}, 1});
  program.inputs = {0};
  program.outputs = {1};
  return program;
}

struct Layer {
  EncodedBuffer weight;
  std::vector<float> bias;
  WeightStore store;

  Layer(Bench& bench, const Encoding& encoding, uint32_t outputs, uint32_t inputs)
      : weight(random_weight(outputs, inputs, encoding, outputs * 31 + inputs)), bias(random_numbers(outputs, 5)) {
    const EncodedBuffer bias_buffer = f32_buffer({outputs}, bias);
    store = upload_weights(bench.device, linear_program(outputs, inputs),
                           [&](const std::string& name) { return name == "w" ? weight.view() : bias_buffer.view(); });
  }
  const WeightView& view() const { return store.matrices.at("w"); }
  const float* device_bias() const { return store.vectors.at("b").data(); }
};

const std::vector<Encoding>& integer_encodings() {
  static const std::vector<Encoding> kEncodings = {
      {ValueType::int8, Sparsity::dense, 0},    {ValueType::int8, Sparsity::bitmask, 0},
      {ValueType::int4, Sparsity::dense, 32},   {ValueType::int4, Sparsity::dense, 64},
      {ValueType::int4, Sparsity::bitmask, 32}, {ValueType::int4, Sparsity::dense, 7},
      {ValueType::int4, Sparsity::bitmask, 7}};
  return kEncodings;
}

// What the layer has to give for quantized rows, in the order of roundings of the CPU's kernels.
std::vector<float> expected_integer(const Layer& layer, const std::vector<uint8_t>& x, size_t stride,
                                    const std::vector<float>& scales, const std::vector<int32_t>& zeros, bool wide) {
  const EncodedTensor tensor = layer.weight.view();
  const std::vector<uint64_t> starts = row_starts(tensor);
  const size_t rows = scales.size(), outputs = tensor.rows(), inputs = tensor.cols();
  std::vector<float> products(rows * outputs);
  std::vector<int8_t> integers(inputs);
  for (size_t o = 0; o < outputs; ++o) {
    decode_row_integers(tensor, o, starts[o], integers.data());
    for (size_t r = 0; r < rows; ++r) {
      int64_t sum = 0, column_sum = 0;
      for (size_t i = 0; i < inputs; ++i) {
        sum += int64_t{x[r * stride + i]} * integers[i];
        column_sum += integers[i];
      }
      products[r * outputs + o] = static_cast<float>(sum - zeros[r] * column_sum) * (scales[r] * row_scale(tensor, o));
    }
  }
  std::vector<float> y;
  for (size_t r = 0; r < rows; r += wide ? 2 : 1) {
    for (size_t o = 0; o < outputs; ++o) {
      const float product = products[r * outputs + o];
      y.push_back((wide ? product + products[(r + 1) * outputs + o] : product) + layer.bias[o]);
    }
  }
  return y;
}

void check_integer_linear(const Encoding& encoding, uint32_t outputs, uint32_t inputs, uint32_t rows, bool wide) {
  CAPTURE(encoding_name(encoding), outputs, inputs, rows, wide);
  Bench bench;
  const Layer layer(bench, encoding, outputs, inputs);
  const uint32_t byte_rows = wide ? 2 * rows : rows;
  const uint32_t stride = static_cast<uint32_t>(round_up(inputs, 64));
  std::mt19937_64 random(rows);
  std::vector<uint8_t> x(static_cast<size_t>(byte_rows) * stride, 0);
  std::vector<float> scales;
  std::vector<int32_t> zeros;
  for (uint32_t r = 0; r < byte_rows; ++r) {
    for (uint32_t i = 0; i < inputs; ++i) x[static_cast<size_t>(r) * stride + i] = static_cast<uint8_t>(random());
    scales.push_back(0.001f + static_cast<float>(random() % 100) / 1000);
    zeros.push_back(static_cast<int32_t>(random() % 256));
  }
  float* const y = bench.room<float>(static_cast<size_t>(rows) * outputs);
  IntegerLinearArgs args{layer.view(),
                         {bench.put(x), bench.put(scales), bench.put(zeros), stride},
                         layer.device_bias(),
                         nullptr,
                         byte_rows,
                         wide ? 1u : 0u,
                         {},
                         y};
  unsigned char* const expanded = bench.room<unsigned char>(outputs * round_up(inputs, 16));
  launch_linear(*bench.queue, args, expanded, 4);
  CHECK(bench.get(y, static_cast<size_t>(rows) * outputs) == expected_integer(layer, x, stride, scales, zeros, wide));
}

}  // namespace

TEST_CASE("integer layers give the CPU's integers and roundings, for few rows and for many",
          "[runtime][cuda][kernels]") {
  for (const Encoding& encoding : integer_encodings()) {
    for (const uint32_t rows : {1u, 3u, 8u, 9u, 40u}) {
      for (const bool wide : {false, true}) check_integer_linear(encoding, 37, 77, rows, wide);
    }
    check_integer_linear(encoding, 5, 1100, 2, false);     // more than one pass of a warp
    check_integer_linear(encoding, 130, 640, 130, false);  // large tiles, with what is left over on both sides
    check_integer_linear(encoding, 1, 1, 1, true);
  }
}

TEST_CASE("float layers agree with sums in double", "[runtime][cuda][kernels]") {
  for (const ValueType type : {ValueType::f32, ValueType::f16, ValueType::bf16}) {
    for (const Sparsity sparsity : {Sparsity::dense, Sparsity::bitmask}) {
      for (const uint32_t rows : {1u, 5u, 70u}) {
        constexpr uint32_t kOutputs = 67, kInputs = 93;
        CAPTURE(encoding_name({type, sparsity, 0}), rows);
        Bench bench;
        const Layer layer(bench, {type, sparsity, 0}, kOutputs, kInputs);
        const std::vector<float> x = random_numbers(rows * kInputs, rows);
        const std::vector<float> w = decode(layer.weight.view());
        float* const y = bench.room<float>(rows * kOutputs);
        launch_linear(
            *bench.queue,
            FloatLinearArgs{
                layer.view(), bench.put(x), layer.device_bias(), nullptr, rows, {Function::relu, nullptr}, y});
        const std::vector<float> actual = bench.get(y, rows * kOutputs);
        for (uint32_t r = 0; r < rows; ++r) {
          for (uint32_t o = 0; o < kOutputs; ++o) {
            double sum = layer.bias[o], size = 0;
            for (uint32_t i = 0; i < kInputs; ++i) {
              const double product = static_cast<double>(x[r * kInputs + i]) * w[o * kInputs + i];
              sum += product;
              size += std::abs(product);
            }
            CHECK(std::abs(actual[r * kOutputs + o] - std::max(sum, 0.0)) < 4e-6 * (size + 1));
          }
        }
      }
    }
  }
}

TEST_CASE("rows are rounded to the integers of the CPU's kernels", "[runtime][cuda][kernels]") {
  constexpr uint32_t kRows = 7, kWidth = 83, kStride = 128;
  std::vector<float> x = random_numbers(kRows * kWidth, 4);
  std::fill_n(x.begin() + 2 * kWidth, kWidth, 0.0f);   // flat
  std::fill_n(x.begin() + 3 * kWidth, kWidth, -1.5f);  // all of one sign
  for (const bool wide : {false, true}) {
    Bench bench;
    const size_t rows = wide ? 2 * kRows : kRows;
    const QuantizedRows out{bench.room<unsigned char>(rows * kStride), bench.room<float>(rows),
                            bench.room<int32_t>(rows), kStride};
    launch<Quantize>(*bench.queue, {blocks_for(kRows, kWarpsOfBlock)},
                     {bench.put(x), kRows, kWidth, wide ? 1u : 0u, out});
    std::vector<uint8_t> values(rows * kStride);
    std::vector<float> scales(rows);
    std::vector<int32_t> zeros(rows);
    const kernels::RowKernels& reference = *kernels::row_kernels().back();  // generic: they stand in falling order
    (wide ? reference.quantize_wide : reference.quantize)(x.data(), kWidth, kRows, kWidth, values.data(), kStride,
                                                          scales.data(), zeros.data());
    CHECK(bench.get(out.values, rows * kStride) == values);
    CHECK(bench.get(out.scales, rows) == scales);
    CHECK(bench.get(out.zeros, rows) == zeros);
  }
}

TEST_CASE("rows of a table are those of the reference decode", "[runtime][cuda][kernels]") {
  std::vector<Encoding> encodings = integer_encodings();
  for (const ValueType type : {ValueType::f32, ValueType::f16, ValueType::bf16}) {
    encodings.push_back({type, Sparsity::dense, 0});
    encodings.push_back({type, Sparsity::bitmask, 0});
  }
  for (const Encoding& encoding : encodings) {
    CAPTURE(encoding_name(encoding));
    constexpr uint32_t kRows = 23, kWidth = 71;
    Bench bench;
    const Layer layer(bench, encoding, kRows, kWidth);
    const std::vector<int32_t> ids = {22, 0, 7, 7, 13};
    float* const y = bench.room<float>(ids.size() * kWidth);
    launch<Gather>(*bench.queue, {blocks_for(ids.size(), kWarpsOfBlock)},
                   {layer.view(), bench.put(ids), static_cast<uint32_t>(ids.size()), y});
    const std::vector<float> table = decode(layer.weight.view());
    std::vector<float> expected;
    for (const int32_t id : ids) expected.insert(expected.end(), &table[id * kWidth], &table[id * kWidth] + kWidth);
    CHECK(bench.get(y, ids.size() * kWidth) == expected);
  }
}

TEST_CASE("halves are rounded to nearest even, and back without loss", "[runtime][cuda][kernels]") {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = f16_to_f32(half);
    if (std::isnan(value)) {
      CHECK(std::isnan(from_f16(half)));
      continue;
    }
    if (from_f16(half) != value || to_f16(value) != half) FAIL_CHECK("half " << bits);
  }
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const float value = as_float(static_cast<uint32_t>(random()));
    if (std::isnan(value)) continue;
    if (to_f16(value) != f32_to_f16(value)) FAIL_CHECK("value " << value);
  }
}

TEST_CASE("the index of the largest number is the first one among equals", "[runtime][cuda][kernels]") {
  constexpr uint32_t kRows = 4, kWidth = 1000;
  std::vector<float> x = random_numbers(kRows * kWidth, 8);
  x[kWidth + 999] = x[kWidth + 400] = x[kWidth + 401] = 50;
  x[2 * kWidth] = 60;
  Bench bench;
  auto* const y = bench.room<int32_t>(kRows);
  launch<Argmax>(*bench.queue, {kRows}, {bench.put(x), kRows, kWidth, y});
  std::vector<int32_t> expected;
  for (uint32_t r = 0; r < kRows; ++r) {
    const auto first = x.begin() + r * kWidth;
    expected.push_back(static_cast<int32_t>(std::max_element(first, first + kWidth) - first));
  }
  CHECK(bench.get(y, kRows) == expected);
}

}  // namespace lathe::cuda
