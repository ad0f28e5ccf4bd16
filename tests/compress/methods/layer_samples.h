#pragma once
// Weights and inputs for the tests of the compressor's mathematics: seeded, the same on every platform.

#include <cmath>
#include <cstdint>
#include <vector>

#include "compress/methods/matrix.h"

namespace lathe::test {

/// xorshift64*; uniform in [-1, 1).
class Noise {
 public:
  explicit Noise(uint64_t seed) : state_(seed * 2654435761u + 88172645463325252u) {}
  float next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<float>(static_cast<double>((state_ * 2685821657736338717u) >> 11) * 0x1p-52 - 1.0);
  }

 private:
  uint64_t state_;
};

inline Matrix random_matrix(size_t rows, size_t cols, uint64_t seed) {
  Matrix out(rows, cols);
  Noise noise(seed);
  for (float& value : out.values) value = noise.next();
  return out;
}

/// Inputs [tokens, width] that share a few common causes, have a mean and differ in size: what makes errors of one
/// column correctable by others.
inline Matrix correlated_inputs(size_t tokens, size_t width, uint64_t seed) {
  const size_t causes = width / 4 + 1;
  const Matrix mixing = random_matrix(causes, width, seed + 1);
  Noise noise(seed + 2);
  Matrix out(tokens, width);
  std::vector<float> cause(causes);
  for (size_t t = 0; t < tokens; ++t) {
    for (float& value : cause) value = noise.next();
    for (size_t c = 0; c < width; ++c) {
      float sum = 0.3f * static_cast<float>(c % 5) + 0.2f * noise.next();
      for (size_t k = 0; k < causes; ++k) sum += cause[k] * mixing.row(k)[c];
      out.row(t)[c] = sum * (c % 7 == 0 ? 3.0f : 1.0f);
    }
  }
  return out;
}

/// Statistics of compressed inputs x, and of the original ones y when given.
inline InputStatistics statistics_of(const Matrix& x, const Matrix* y = nullptr) {
  const size_t n = x.cols;
  InputStatistics out;
  out.tokens = x.rows;
  out.width = n;
  out.gram.assign(n * n, 0.0);
  out.sum.assign(n, 0.0);
  if (y != nullptr) {
    out.cross_gram.assign(n * n, 0.0);
    out.original_sum.assign(n, 0.0);
  }
  for (size_t t = 0; t < x.rows; ++t) {
    for (size_t i = 0; i < n; ++i) {
      const double xi = x.row(t)[i];
      out.sum[i] += xi;
      for (size_t j = 0; j < n; ++j) out.gram[i * n + j] += xi * x.row(t)[j];
      if (y == nullptr) continue;
      const double yi = y->row(t)[i];
      out.original_sum[i] += yi;
      for (size_t j = 0; j < n; ++j) out.cross_gram[i * n + j] += yi * x.row(t)[j];
    }
  }
  return out;
}

inline double bias_at(const std::vector<float>& bias, size_t row) { return bias.empty() ? 0.0 : bias[row]; }

/// Mean over tokens of |(W y + b) - (V x + c)|^2, straight from the inputs.
inline double output_error(const Matrix& w, const std::vector<float>& b, const Matrix& y, const Matrix& v,
                           const std::vector<float>& c, const Matrix& x) {
  double total = 0;
  for (size_t t = 0; t < x.rows; ++t) {
    for (size_t r = 0; r < w.rows; ++r) {
      double difference = bias_at(b, r) - bias_at(c, r);
      for (size_t k = 0; k < w.cols; ++k) {
        difference += static_cast<double>(w.row(r)[k]) * y.row(t)[k] - static_cast<double>(v.row(r)[k]) * x.row(t)[k];
      }
      total += difference * difference;
    }
  }
  return total / static_cast<double>(x.rows);
}

}  // namespace lathe::test
