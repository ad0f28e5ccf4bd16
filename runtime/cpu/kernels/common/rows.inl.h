#pragma once
// The row kernels over F32, written once for every ISA. Include a simd_*.h, kernel.h and activation.inl.h first.

namespace lathe::kernels {
namespace {

/// Sums are kept in sixteen lanes on every ISA and folded in one order, so that all get the same bits: an 8-bit
/// activation that rounds the other way would change everything after it.
struct LaneSums {
  static constexpr size_t kLanes = 16;
  static constexpr size_t kVectors = kLanes / F32::kWidth;
  F32 vectors[kVectors];

  float total(float rest) const {
    float lanes[kLanes];
    for (size_t v = 0; v < kVectors; ++v) store(lanes + v * F32::kWidth, vectors[v]);
    for (size_t half = kLanes / 2; half > 0; half /= 2) {
      for (size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    }
    return lanes[0] + rest;
  }
};

inline LaneSums zero_sums() {
  LaneSums sums;
  for (F32& vector : sums.vectors) vector = set(0.0F);
  return sums;
}

/// y = a + b (b may be null) and the sum of y.
inline float add_and_sum(const float* a, const float* b, size_t width, float* y) {
  LaneSums sums = zero_sums();
  size_t i = 0;
  for (; i + LaneSums::kLanes <= width; i += LaneSums::kLanes) {
    for (size_t v = 0; v < LaneSums::kVectors; ++v) {
      const size_t at = i + v * F32::kWidth;
      const F32 value = b == nullptr ? load(a + at) : load(a + at) + load(b + at);
      store(y + at, value);
      sums.vectors[v] = sums.vectors[v] + value;
    }
  }
  float rest = 0.0F;
  for (; i < width; ++i) {
    y[i] = b == nullptr ? a[i] : a[i] + b[i];
    rest += y[i];
  }
  return sums.total(rest);
}

/// sum (y - mean)^2
inline float squared_distance(const float* y, size_t width, float mean) {
  LaneSums sums = zero_sums();
  size_t i = 0;
  for (; i + LaneSums::kLanes <= width; i += LaneSums::kLanes) {
    for (size_t v = 0; v < LaneSums::kVectors; ++v) {
      const F32 distance = load(y + i + v * F32::kWidth) - set(mean);
      sums.vectors[v] = fma(distance, distance, sums.vectors[v]);
    }
  }
  float rest = 0.0F;
  for (; i < width; ++i) rest += (y[i] - mean) * (y[i] - mean);
  return sums.total(rest);
}

void add_layer_norm(const float* a, size_t a_stride, const float* b, size_t b_stride, size_t rows, size_t width,
                    const float* gamma, const float* beta, float epsilon, float* y, size_t y_stride) noexcept {
  constexpr size_t kWidth = F32::kWidth;
  for (size_t r = 0; r < rows; ++r) {
    float* out = y + r * y_stride;
    const float count = static_cast<float>(width);
    const float mean = add_and_sum(a + r * a_stride, b == nullptr ? nullptr : b + r * b_stride, width, out) / count;
    const float variance = squared_distance(out, width, mean) / count;
    const F32 inverse = set(1.0F / __builtin_sqrtf(variance + epsilon));
    size_t i = 0;
    for (; i + kWidth <= width; i += kWidth) {
      store(out + i, fma((load(out + i) - set(mean)) * inverse, load(gamma + i), load(beta + i)));
    }
    if (i < width) {
      const size_t n = width - i;
      const F32 normal = (load_part(out + i, n) - set(mean)) * inverse;
      store_part(out + i, fma(normal, load_part(gamma + i, n), load_part(beta + i, n)), n);
    }
  }
}

void add(const float* a, size_t a_stride, const float* b, size_t b_stride, size_t rows, size_t width, float* y,
         size_t y_stride) noexcept {
  constexpr size_t kWidth = F32::kWidth;
  for (size_t r = 0; r < rows; ++r, a += a_stride, b += b_stride, y += y_stride) {
    size_t i = 0;
    for (; i + kWidth <= width; i += kWidth) store(y + i, load(a + i) + load(b + i));
    for (; i < width; ++i) y[i] = a[i] + b[i];
  }
}

void multiply(const float* a, size_t a_stride, const float* b, size_t b_stride, size_t rows, size_t width, float* y,
              size_t y_stride) noexcept {
  constexpr size_t kWidth = F32::kWidth;
  for (size_t r = 0; r < rows; ++r, a += a_stride, b += b_stride, y += y_stride) {
    size_t i = 0;
    for (; i + kWidth <= width; i += kWidth) store(y + i, load(a + i) * load(b + i));
    for (; i < width; ++i) y[i] = a[i] * b[i];
  }
}

void rms_norm(const float* x, size_t x_stride, size_t rows, size_t groups, size_t width, const float* gamma,
              float epsilon, float* y, size_t y_stride) noexcept {
  constexpr size_t kWidth = F32::kWidth;
  for (size_t part = 0; part < rows * groups; ++part) {
    const float* in = x + part / groups * x_stride + part % groups * width;
    float* out = y + part / groups * y_stride + part % groups * width;
    const float mean = squared_distance(in, width, 0.0F) / static_cast<float>(width);
    const F32 inverse = set(1.0F / __builtin_sqrtf(mean + epsilon));
    size_t i = 0;
    for (; i + kWidth <= width; i += kWidth) store(out + i, load(in + i) * inverse * load(gamma + i));
    if (i < width) {
      store_part(out + i, load_part(in + i, width - i) * inverse * load_part(gamma + i, width - i), width - i);
    }
  }
}

/// One head of one row, pairs (i, i + pairs).
inline void turn_halves(const float* x, size_t pairs, const float* cosines, const float* sines, float* y) {
  constexpr size_t kWidth = F32::kWidth;
  for (size_t i = 0; i < pairs; i += kWidth) {
    const size_t n = pairs - i < kWidth ? pairs - i : kWidth;
    const F32 a = load_part(x + i, n);
    const F32 b = load_part(x + pairs + i, n);
    const F32 cosine = load_part(cosines + i, n);
    const F32 sine = load_part(sines + i, n);
    store_part(y + i, a * cosine - b * sine, n);
    store_part(y + pairs + i, b * cosine + a * sine, n);
  }
}

inline void turn_neighbours(const float* x, size_t pairs, const float* cosines, const float* sines, float* y) {
  for (size_t i = 0; i < pairs; ++i) {
    const float a = x[2 * i];
    const float b = x[2 * i + 1];
    y[2 * i] = a * cosines[i] - b * sines[i];
    y[2 * i + 1] = b * cosines[i] + a * sines[i];
  }
}

void rope(const RopeArgs& args) noexcept {
  for (size_t r = 0; r < args.rows; ++r) {
    const float* cosines = args.rotations + r * 2 * args.pairs;
    for (size_t h = 0; h < args.heads; ++h) {
      const float* x = args.x + r * args.x_stride + h * args.head_width;
      float* y = args.y + r * args.y_stride + h * args.head_width;
      (args.neighbours ? turn_neighbours : turn_halves)(x, args.pairs, cosines, cosines + args.pairs, y);
      for (size_t i = 2 * args.pairs; i < args.head_width; ++i) y[i] = x[i];
    }
  }
}

void to_f16(const float* x, size_t count, uint16_t* y) noexcept {
  size_t i = 0;
  for (; i + F32::kWidth <= count; i += F32::kWidth) store_f16(y + i, load(x + i));
  if (i == count) return;
  uint16_t lanes[F32::kWidth];
  store_f16(lanes, load_part(x + i, count - i));
  for (size_t j = i; j < count; ++j) y[j] = lanes[j - i];
}

void from_f16(const uint16_t* x, size_t count, float* y) noexcept {
  size_t i = 0;
  for (; i + F32::kWidth <= count; i += F32::kWidth) store(y + i, load_f16(x + i));
  if (i == count) return;
  uint16_t lanes[F32::kWidth] = {};
  for (size_t j = i; j < count; ++j) lanes[j - i] = x[j];
  store_part(y + i, load_f16(lanes), count - i);
}

void activate(Epilogue kind, const float* x, size_t x_stride, size_t rows, size_t width, float* y,
              size_t y_stride) noexcept {
  kRowsFunctions[static_cast<size_t>(kind)](x, x_stride, rows, width, y, y_stride);
}

struct Range {
  float low, high;
};

/// The smallest and largest of the row and 0; NaN does not count.
inline Range range_of(const float* x, size_t width) {
  constexpr size_t kWidth = F32::kWidth;
  F32 low = set(0.0F);
  F32 high = set(0.0F);
  size_t i = 0;
  for (; i + kWidth <= width; i += kWidth) {
    low = min(load(x + i), low);
    high = max(load(x + i), high);
  }
  if (i < width) {
    low = min(load_part(x + i, width - i), low);
    high = max(load_part(x + i, width - i), high);
  }
  return {reduce_min(low), reduce_max(high)};
}

/// Every ISA does these operations in this order, so that all get the same integers.
void quantize(const float* x, size_t x_stride, size_t rows, size_t width, uint8_t* out, size_t out_stride,
              float* scales, int32_t* zeros) noexcept {
  constexpr size_t kWidth = F32::kWidth;
  constexpr float kSmallestRange = 1e-35F;  // 255 / range must be finite; a row as flat as that counts as all zero
  for (size_t r = 0; r < rows; ++r, x += x_stride, out += out_stride) {
    const Range range = range_of(x, width);
    const float extent = range.high - range.low;
    const bool flat = extent < kSmallestRange;
    const F32 inverse = set(flat ? 0.0F : 255.0F / extent);
    const F32 zero = round_nearest(set(0.0F - range.low) * inverse);
    scales[r] = flat ? 1.0F : extent / 255.0F;
    float zero_lanes[kWidth];
    store(zero_lanes, zero);
    zeros[r] = static_cast<int32_t>(zero_lanes[0]);
    const F32 top = set(255.0F);
    size_t i = 0;
    for (; i + kWidth <= width; i += kWidth) {
      store_u8(out + i, min(max(round_nearest(load(x + i) * inverse) + zero, set(0.0F)), top));
    }
    if (i < width) {
      uint8_t lanes[kWidth];
      const F32 value = load_part(x + i, width - i);
      store_u8(lanes, min(max(round_nearest(value * inverse) + zero, set(0.0F)), top));
      for (size_t j = i; j < width; ++j) out[j] = lanes[j - i];
    }
    __builtin_memset(out + width, 0, out_stride - width);
  }
}

void accumulate_int8(const int8_t* x, float scale, size_t width, float* y) noexcept {
  constexpr size_t kWidth = F32::kWidth;
  const F32 factor = set(scale);
  size_t i = 0;
  for (; i + kWidth <= width; i += kWidth) store(y + i, fma(load_i8(x + i), factor, load(y + i)));
  for (; i < width; ++i) y[i] += static_cast<float>(x[i]) * scale;
}

/// The zero point is a multiple of 256, so that it belongs to the upper bytes alone.
void quantize_wide(const float* x, size_t x_stride, size_t rows, size_t width, uint8_t* out, size_t out_stride,
                   float* scales, int32_t* zeros) noexcept {
  constexpr size_t kWidth = F32::kWidth;
  constexpr float kSmallestRange = 1e-33F;
  constexpr float kSteps = 65535.0F - 256.0F;  // what is left when the zero point is rounded
  for (size_t r = 0; r < rows; ++r, x += x_stride, out += 2 * out_stride) {
    const Range range = range_of(x, width);
    const float extent = range.high - range.low;
    const bool flat = extent < kSmallestRange;
    const float inverse = flat ? 0.0F : kSteps / extent;
    float lanes[kWidth];
    store(lanes, round_nearest(set((0.0F - range.low) * inverse * (1.0F / 256.0F))));
    scales[2 * r + 1] = flat ? 1.0F : extent / kSteps;
    scales[2 * r] = 256.0F * scales[2 * r + 1];
    zeros[2 * r] = static_cast<int32_t>(lanes[0]);
    zeros[2 * r + 1] = 0;
    const F32 zero = set(256.0F * lanes[0]);
    uint8_t upper[kWidth];
    uint8_t lower[kWidth];
    for (size_t i = 0; i < width; i += kWidth) {
      const size_t n = width - i < kWidth ? width - i : kWidth;
      const F32 whole = round_nearest(load_part(x + i, n) * set(inverse)) + zero;
      const F32 held = min(max(whole, set(0.0F)), set(65535.0F));
      const F32 high = round_nearest((held - set(127.5F)) * set(1.0F / 256.0F));
      store_u8(upper, high);
      store_u8(lower, held - high * set(256.0F));
      __builtin_memcpy(out + i, upper, n);
      __builtin_memcpy(out + out_stride + i, lower, n);
    }
    __builtin_memset(out + width, 0, out_stride - width);
    __builtin_memset(out + out_stride + width, 0, out_stride - width);
  }
}

void join_pairs(Epilogue kind, const float* pairs, size_t pair_stride, const float* bias, size_t rows, size_t width,
                float* y, size_t y_stride) noexcept {
  constexpr size_t kWidth = F32::kWidth;
  for (size_t r = 0; r < rows; ++r, pairs += 2 * pair_stride, y += y_stride) {
    size_t i = 0;
    for (; i + kWidth <= width; i += kWidth) {
      store(y + i, load(pairs + i) + load(pairs + pair_stride + i) + load(bias + i));
    }
    for (; i < width; ++i) y[i] = pairs[i] + pairs[pair_stride + i] + bias[i];
    if (kind != Epilogue::none) activate(kind, y, y_stride, 1, width, y, y_stride);
  }
}

}  // namespace
}  // namespace lathe::kernels
