#pragma once
// Four floats in the vector extension that GCC and Clang compile for any CPU. The same interface as simd_avx2.h and
// simd_avx512.h: the templates in common/ are written once over it.

#include <cstddef>
#include <cstdint>

namespace lathe::kernels {
namespace {

using FloatVector = float __attribute__((vector_size(16)));
using IntVector = int32_t __attribute__((vector_size(16)));

struct F32 {
  static constexpr size_t kWidth = 4;
  FloatVector v;
};

inline F32 set(float x) { return {FloatVector{x, x, x, x}}; }
inline F32 load(const float* p) {
  F32 out;
  __builtin_memcpy(&out.v, p, sizeof(out.v));
  return out;
}
/// The first n lanes; zero in the others, whose memory is not touched.
inline F32 load_part(const float* p, size_t n) {
  F32 out = set(0.0F);
  for (size_t i = 0; i < n; ++i) out.v[i] = p[i];
  return out;
}
inline void store(float* p, F32 a) { __builtin_memcpy(p, &a.v, sizeof(a.v)); }
inline void store_part(float* p, F32 a, size_t n) {
  for (size_t i = 0; i < n; ++i) p[i] = a.v[i];
}
inline F32 operator+(F32 a, F32 b) { return {a.v + b.v}; }
inline F32 operator-(F32 a, F32 b) { return {a.v - b.v}; }
inline F32 operator*(F32 a, F32 b) { return {a.v * b.v}; }
inline F32 operator/(F32 a, F32 b) { return {a.v / b.v}; }
/// a * b + c, rounded once. Here through double, where the product is exact; the second rounding differs from a fused
/// one for about one sum in 2^29.
inline F32 fma(F32 a, F32 b, F32 c) {
  using DoubleVector = double __attribute__((vector_size(32)));
  const DoubleVector sum = __builtin_convertvector(a.v, DoubleVector) * __builtin_convertvector(b.v, DoubleVector) +
                           __builtin_convertvector(c.v, DoubleVector);
  return {__builtin_convertvector(sum, FloatVector)};
}
/// a * b + c, rounded as is fastest.
inline F32 multiply_add(F32 a, F32 b, F32 c) { return {a.v * b.v + c.v}; }
/// table[the lowest four bits of each lane of index]; the table has 16 entries and is aligned to 64 bytes.
inline F32 pick(const float* table, F32 index) {
  const IntVector lanes = reinterpret_cast<IntVector>(index.v) & 15;
  return {FloatVector{table[lanes[0]], table[lanes[1]], table[lanes[2]], table[lanes[3]]}};
}
/// b where a is NaN, like the instruction.
inline F32 max(F32 a, F32 b) { return {a.v > b.v ? a.v : b.v}; }
inline F32 min(F32 a, F32 b) { return {a.v < b.v ? a.v : b.v}; }
inline F32 abs(F32 a) {
  const IntVector bits = reinterpret_cast<IntVector>(a.v) & 0x7FFFFFFF;
  return {reinterpret_cast<FloatVector>(bits)};
}
/// a < b ? yes : no
inline F32 select_less(F32 a, F32 b, F32 yes, F32 no) { return {a.v < b.v ? yes.v : no.v}; }
/// The magnitude of `magnitude` with the sign of `sign`.
inline F32 copy_sign(F32 magnitude, F32 sign) {
  const IntVector bits = (reinterpret_cast<IntVector>(magnitude.v) & 0x7FFFFFFF) |
                         (reinterpret_cast<IntVector>(sign.v) & static_cast<int32_t>(0x80000000U));
  return {reinterpret_cast<FloatVector>(bits)};
}
/// Half to even; |a| < 2^22.
inline F32 round_nearest(F32 a) {
  const FloatVector magic = {12582912.0F, 12582912.0F, 12582912.0F, 12582912.0F};
  return {(a.v + magic) - magic};
}
/// a * 2^n for an integral n in [-126, 127].
inline F32 scale_by_power(F32 a, F32 n) {
  const IntVector bits = (__builtin_convertvector(n.v, IntVector) + 127) << 23;
  return {a.v * reinterpret_cast<FloatVector>(bits)};
}
inline float reduce_max(F32 a) {
  const float x = a.v[0] > a.v[1] ? a.v[0] : a.v[1];
  const float y = a.v[2] > a.v[3] ? a.v[2] : a.v[3];
  return x > y ? x : y;
}
inline float reduce_min(F32 a) {
  const float x = a.v[0] < a.v[1] ? a.v[0] : a.v[1];
  const float y = a.v[2] < a.v[3] ? a.v[2] : a.v[3];
  return x < y ? x : y;
}
/// Stores kWidth integral values of [0, 255] as bytes.
inline void store_u8(uint8_t* p, F32 a) {
  for (size_t i = 0; i < F32::kWidth; ++i) p[i] = static_cast<uint8_t>(static_cast<int32_t>(a.v[i]));
}
inline F32 load_i8(const int8_t* p) {
  return {FloatVector{static_cast<float>(p[0]), static_cast<float>(p[1]), static_cast<float>(p[2]),
                      static_cast<float>(p[3])}};
}
/// Half precision, rounded to nearest even; too large becomes infinite.
inline F32 load_f16(const uint16_t* p) {
  F32 out{};
  for (size_t i = 0; i < F32::kWidth; ++i) {
    const uint32_t sign = (p[i] & 0x8000U) << 16U;
    const uint32_t magnitude = p[i] & 0x7FFFU;
    uint32_t bits = (magnitude << 13U) + (112U << 23U);
    if (magnitude >= 0x7C00U) bits = 0x7F800000U | ((magnitude & 0x3FFU) << 13U);
    if (magnitude < 0x0400U) {  // zero or subnormal
      const float value = static_cast<float>(magnitude) * 0x1p-24F;
      __builtin_memcpy(&bits, &value, sizeof(bits));
    }
    bits |= sign;
    float value;
    __builtin_memcpy(&value, &bits, sizeof(value));
    out.v[i] = value;
  }
  return out;
}
inline void store_f16(uint16_t* p, F32 a) {
  for (size_t i = 0; i < F32::kWidth; ++i) {
    const float value = a.v[i];
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    const uint32_t sign = (bits >> 16U) & 0x8000U;
    const uint32_t magnitude = bits & 0x7FFFFFFFU;
    uint32_t half = (magnitude - (112U << 23U) + 0xFFFU + ((magnitude >> 13U) & 1U)) >> 13U;
    if (magnitude >= 0x477FF000U) half = magnitude > 0x7F800000U ? 0x7E00U : 0x7C00U;
    if (magnitude < 0x38800000U) {  // subnormal: adding 0.5 aligns and rounds the mantissa
      float shifted;
      __builtin_memcpy(&shifted, &magnitude, sizeof(shifted));
      shifted += 0.5F;
      __builtin_memcpy(&half, &shifted, sizeof(half));
      half -= 0x3F000000U;
    }
    p[i] = static_cast<uint16_t>(sign | half);
  }
}

}  // namespace
}  // namespace lathe::kernels
