// Programs that read samples of dense tensors instead of token sequences.

#include <catch2/catch.hpp>

#include "runtime/session.h"
#include "tests/formats/expect_error.h"

namespace lathe {
namespace {

using test::expect_error;

constexpr uint32_t kFeatures = 5, kHidden = 70, kClasses = 3;

// relu(x up^T + bias) down^T, with weights that are small integers: sums are exact in f32. With int8 weights the inputs
// of the layers are rounded.
class Perceptron {
 public:
  explicit Perceptron(bool int8 = false) : int8_(int8) {
    const uint32_t x = program_.add_value("x", RowKind::samples, kFeatures);
    const uint32_t hidden = program_.add_value("hidden", RowKind::samples, kHidden);
    const uint32_t active = program_.add_value("active", RowKind::samples, kHidden);
    const uint32_t y = program_.add_value("y", RowKind::samples, kClasses);
    for (const char* name : {"up", "bias", "down"}) program_.add_weight(name);
    program_.ops.push_back({ops::Linear{}, {x}, {0, 1}, hidden});
    program_.ops.push_back({ops::Activation{ActivationFunction::relu}, {hidden}, {}, active});
    program_.ops.push_back({ops::Linear{}, {active}, {2}, y});
    program_.inputs = {x};
    program_.outputs = {y};
    up_ = filled({kHidden, kFeatures}, 1);
    bias_ = filled({kHidden}, 2);
    down_ = filled({kClasses, kHidden}, 3);
  }

  Model build() const {
    const auto weight = [this](const std::string& name) {
      return (name == "up" ? up_ : name == "bias" ? bias_ : down_).view();
    };
    return Model::build(program_, weight, "test");
  }

  std::vector<float> expected(const std::vector<float>& x) const {
    const std::vector<float> up = decode(up_.view()), bias = decode(bias_.view()), down = decode(down_.view());
    std::vector<float> y;
    for (size_t sample = 0; sample < x.size() / kFeatures; ++sample) {
      std::vector<float> hidden = bias;
      for (size_t h = 0; h < kHidden; ++h) {
        for (size_t i = 0; i < kFeatures; ++i) hidden[h] += up[h * kFeatures + i] * x[sample * kFeatures + i];
      }
      for (size_t c = 0; c < kClasses; ++c) {
        float sum = 0;
        for (size_t h = 0; h < kHidden; ++h) sum += down[c * kHidden + h] * std::max(hidden[h], 0.0f);
        y.push_back(sum);
      }
    }
    return y;
  }

 private:
  EncodedBuffer filled(const Shape& shape, uint32_t seed) const {
    std::vector<float> values(element_count(shape, "test"));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>((i * 7 + seed) % 9) - 4;
    EncodedBuffer buffer;
    buffer.shape = shape;
    if (int8_ && shape.size() == 2) {
      buffer.encoding.values = ValueType::int8;
      for (const float value : values) buffer.plane(Plane::values).push_back(static_cast<std::byte>(int8_t(value)));
      set_floats(std::vector<float>(shape[0], 1.0f), buffer.plane(Plane::row_scales));
    } else {
      set_floats(values, buffer.plane(Plane::values));
    }
    return buffer;
  }

  static void set_floats(const std::vector<float>& values, std::vector<std::byte>& plane) {
    const Bytes bytes = as_bytes_of(values);
    plane.assign(bytes.begin(), bytes.end());
  }

  bool int8_;
  Program program_;
  EncodedBuffer up_, bias_, down_;
};

std::vector<float> features(size_t samples) {
  std::vector<float> x(samples * kFeatures);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * i % 13) - 6;
  return x;
}

std::vector<float> outputs_of(Session& session, const std::vector<float>& x) {
  const size_t samples = x.size() / kFeatures;
  std::vector<float> y(samples * kClasses);
  const float* const inputs[] = {x.data()};
  float* const outputs[] = {y.data()};
  session.run(DenseBatch{samples}, inputs, outputs);
  return y;
}

}  // namespace

TEST_CASE("a program over samples gives each sample its outputs, for any number of samples and threads",
          "[runtime][session]") {
  const Perceptron perceptron;
  const Model model = perceptron.build();
  CHECK(model.reads_samples());
  for (const size_t threads : {1, 2, 3}) {
    Session session(model, threads);
    for (const size_t samples : {0, 1, 5, 8, 9, 64, 65, 300, 2000}) {
      CAPTURE(threads, samples);
      const std::vector<float> x = features(samples);
      CHECK(outputs_of(session, x) == perceptron.expected(x));
    }
  }
}

TEST_CASE("an integer layer gives a sample the same bits alone and among others", "[runtime][session]") {
  const Perceptron perceptron(true);
  const Model model = perceptron.build();
  const std::vector<float> x = features(150);
  const std::vector<float> exact = perceptron.expected(x);
  for (const size_t threads : {1, 2}) {
    Session session(model, threads);
    const std::vector<float> together = outputs_of(session, x);
    // A hidden number is off by at most 0.72: half a step of 12 / 255 in five inputs times weights of at most 4, and
    // half a step of 128 / 255. Errors of 70 hidden numbers, times weights of at most 4, add up to about 0.72 * 4 *
    // sqrt(70).
    for (size_t i = 0; i < together.size(); ++i) CHECK(std::abs(together[i] - exact[i]) < 24);
    for (const size_t sample : {0, 7, 149}) {
      const auto first = x.begin() + static_cast<std::ptrdiff_t>(sample * kFeatures);
      const auto expected = together.begin() + static_cast<std::ptrdiff_t>(sample * kClasses);
      CHECK(outputs_of(session, {first, first + kFeatures}) == std::vector<float>(expected, expected + kClasses));
    }
  }
}

TEST_CASE("a batch of another kind than the program reads is refused", "[runtime][session]") {
  const Perceptron perceptron;
  const Model model = perceptron.build();
  Session session(model, 1);
  const float x[kFeatures] = {};
  float y[kClasses];
  const float* const inputs[] = {x};
  float* const outputs[] = {y};
  TokenBatch tokens;
  tokens.add(std::vector<int32_t>{1});
  expect_error(Errc::usage, {"reads samples of dense tensors", "holds token sequences"},
               [&] { session.run(tokens, inputs, outputs); });
  expect_error(Errc::usage, {"has 1 inputs and 1 outputs", "given for 0 and 1"},
               [&] { session.run(DenseBatch{1}, {}, outputs); });
}

}  // namespace lathe
