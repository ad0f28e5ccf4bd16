#include "formats/gguf/gguf_small_blocks.h"

#include <array>
#include <cmath>

namespace lathe::detail {
namespace {

/// Two bits of number i of 256: each half of the block is four runs of 32, which share its 32 bytes.
int two_bits(const std::byte* packed, size_t i) {
  const size_t half = i / 128, run = i / 32 % 4, lane = i % 32;
  return byte_at(packed, half * 32 + lane) >> (2 * run) & 3;
}

/// The scale of 16 numbers, six bits: the low four in the first eight bytes, the high two in the last four.
int scale_of_q3(const std::byte* packed, size_t group) {
  const int low = group < 8 ? byte_at(packed, group) & 15 : byte_at(packed, group - 8) >> 4;
  const int high = byte_at(packed, 8 + group % 4) >> (2 * (group / 4)) & 3;
  return low | high << 4;
}

/// What a nibble of IQ4 stands for: close together where numbers are small.
constexpr std::array<int8_t, 16> kUneven = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
/// Twice the numbers of a float with two bits of exponent and one of mantissa.
constexpr std::array<int8_t, 16> kFloat4 = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// 32 nibbles that name entries of a table: the low ones of 16 bytes first, then the high ones.
void decode_named(const std::byte* nibbles, const std::array<int8_t, 16>& table, float scale, float* out) {
  for (size_t i = 0; i < 16; ++i) {
    const int both = byte_at(nibbles, i);
    out[i] = scale * static_cast<float>(table[static_cast<size_t>(both & 15)]);
    out[i + 16] = scale * static_cast<float>(table[static_cast<size_t>(both >> 4)]);
  }
}

}  // namespace

/// 16 bytes with a scale (low nibble) and a minimum (high nibble) of 16 numbers each, 64 bytes of two bits, f16 scale
/// of scales, f16 scale of minima.
void decode_q2_k(const std::byte* data, size_t blocks, float* out) {
  for (size_t b = 0; b < blocks; ++b, data += 84, out += 256) {
    const float scale = half_at(data + 80);
    const float minimum = half_at(data + 82);
    for (size_t i = 0; i < 256; ++i) {
      const int both = byte_at(data, i / 16);
      const float step = scale * static_cast<float>(both & 15);
      const float low = minimum * static_cast<float>(both >> 4);
      out[i] = step * static_cast<float>(two_bits(data + 16, i)) - low;
    }
  }
}

/// 32 bytes whose bit g is the third bit of run g, 64 bytes of two bits, 12 bytes of scales, f16 scale of scales. The
/// third bit, where it is not set, takes 4 away.
void decode_q3_k(const std::byte* data, size_t blocks, float* out) {
  for (size_t b = 0; b < blocks; ++b, data += 110, out += 256) {
    const float scale = half_at(data + 108);
    for (size_t i = 0; i < 256; ++i) {
      const float step = scale * static_cast<float>(scale_of_q3(data + 96, i / 16) - 32);
      const int third = byte_at(data, i % 32) >> (i / 32) & 1;
      out[i] = step * static_cast<float>(two_bits(data + 32, i) - (third != 0 ? 0 : 4));
    }
  }
}

/// f16 scale, 32 nibbles.
void decode_iq4_nl(const std::byte* data, size_t blocks, float* out) {
  for (size_t b = 0; b < blocks; ++b, data += 18, out += 32) decode_named(data + 2, kUneven, half_at(data), out);
}

/// f16 scale of scales; the high two bits of the scales of eight groups of 32, then their low four; 256 nibbles.
void decode_iq4_xs(const std::byte* data, size_t blocks, float* out) {
  for (size_t b = 0; b < blocks; ++b, data += 136, out += 256) {
    const float scale = half_at(data);
    const auto high = load_le<uint16_t>(data + 2);
    for (size_t group = 0; group < 8; ++group) {
      const int low = byte_at(data, 4 + group / 2) >> (4 * (group % 2)) & 15;
      const int six = low | (high >> (2 * group) & 3) << 4;
      decode_named(data + 8 + 16 * group, kUneven, scale * static_cast<float>(six - 32), out + 32 * group);
    }
  }
}

/// The exponent of a power of two, 32 nibbles.
void decode_mxfp4(const std::byte* data, size_t blocks, float* out) {
  constexpr int kBias = 128;  // one more than that of f32, because the table is doubled
  for (size_t b = 0; b < blocks; ++b, data += 17, out += 32) {
    decode_named(data + 1, kFloat4, std::ldexp(1.0f, byte_at(data, 0) - kBias), out);
  }
}

}  // namespace lathe::detail
