// How the tensor types of GGUF hold their numbers. Every product and sum is one rounding of f32, in the order of the
// format's own code, so that the numbers are the same to the bit.

#include <algorithm>
#include <array>
#include <cmath>

#include "formats/artifact/half.h"
#include "formats/gguf/gguf.h"
#include "formats/gguf/gguf_small_blocks.h"

namespace lathe {
namespace {

using detail::byte_at;
using detail::half_at;

void decode_f32(const std::byte* data, size_t blocks, float* out) { std::memcpy(out, data, blocks * sizeof(float)); }

void decode_f16(const std::byte* data, size_t blocks, float* out) {
  for (size_t i = 0; i < blocks; ++i) out[i] = half_at(data + 2 * i);
}

void decode_bf16(const std::byte* data, size_t blocks, float* out) {
  for (size_t i = 0; i < blocks; ++i) out[i] = bf16_to_f32(load_le<uint16_t>(data + 2 * i));
}

/// f16 scale, 32 signed bytes.
void decode_q8_0(const std::byte* data, size_t blocks, float* out) {
  for (size_t b = 0; b < blocks; ++b, data += 34, out += 32) {
    const float scale = half_at(data);
    for (size_t i = 0; i < 32; ++i) out[i] = scale * static_cast<float>(static_cast<int8_t>(data[2 + i]));
  }
}

/// f16 scale, 32 nibbles: the low ones of 16 bytes first, then the high ones.
void decode_q4_0(const std::byte* data, size_t blocks, float* out) {
  for (size_t b = 0; b < blocks; ++b, data += 18, out += 32) {
    const float scale = half_at(data);
    for (size_t i = 0; i < 16; ++i) {
      const int both = byte_at(data, 2 + i);
      out[i] = scale * static_cast<float>((both & 15) - 8);
      out[i + 16] = scale * static_cast<float>((both >> 4) - 8);
    }
  }
}

/// f16 scale, f16 minimum, nibbles as in Q4_0.
void decode_q4_1(const std::byte* data, size_t blocks, float* out) {
  for (size_t b = 0; b < blocks; ++b, data += 20, out += 32) {
    const float scale = half_at(data);
    const float minimum = half_at(data + 2);
    for (size_t i = 0; i < 16; ++i) {
      const int both = byte_at(data, 4 + i);
      out[i] = scale * static_cast<float>(both & 15) + minimum;
      out[i + 16] = scale * static_cast<float>(both >> 4) + minimum;
    }
  }
}

/// The fifth bits of 32 values follow the head of the block, nibbles follow them.
int with_fifth_bit(uint32_t bits, size_t i, int nibble) { return nibble | static_cast<int>(((bits >> i) & 1u) << 4); }

void decode_q5_0(const std::byte* data, size_t blocks, float* out) {
  for (size_t b = 0; b < blocks; ++b, data += 22, out += 32) {
    const float scale = half_at(data);
    const auto bits = load_le<uint32_t>(data + 2);
    for (size_t i = 0; i < 16; ++i) {
      const int both = byte_at(data, 6 + i);
      out[i] = scale * static_cast<float>(with_fifth_bit(bits, i, both & 15) - 16);
      out[i + 16] = scale * static_cast<float>(with_fifth_bit(bits, i + 16, both >> 4) - 16);
    }
  }
}

void decode_q5_1(const std::byte* data, size_t blocks, float* out) {
  for (size_t b = 0; b < blocks; ++b, data += 24, out += 32) {
    const float scale = half_at(data);
    const float minimum = half_at(data + 2);
    const auto bits = load_le<uint32_t>(data + 4);
    for (size_t i = 0; i < 16; ++i) {
      const int both = byte_at(data, 8 + i);
      out[i] = scale * static_cast<float>(with_fifth_bit(bits, i, both & 15)) + minimum;
      out[i + 16] = scale * static_cast<float>(with_fifth_bit(bits, i + 16, both >> 4)) + minimum;
    }
  }
}

/// Scale and minimum of group 0..7 of a block of 256, six bits each, in 12 bytes: the first four groups have theirs in
/// the low bits of bytes 0..3 and 4..7; the others take low nibbles of bytes 8..11 and the high bits that are left.
struct SixBits {
  int scale;
  int minimum;
};
SixBits six_bits(const std::byte* packed, size_t group) {
  if (group < 4) return {byte_at(packed, group) & 63, byte_at(packed, group + 4) & 63};
  const int low = byte_at(packed, group + 4);
  return {(low & 15) | (byte_at(packed, group - 4) >> 6) << 4, (low >> 4) | (byte_at(packed, group) >> 6) << 4};
}

/// f16 scale of scales, f16 scale of minima, 12 bytes of them, 256 nibbles: groups 2 k and 2 k + 1 share 32 bytes.
/// FIFTH: before the nibbles stand 32 bytes whose bit g is the fifth bit of group g.
template <bool FIFTH>
void decode_q45_k(const std::byte* data, size_t blocks, float* out) {
  constexpr size_t kNibbles = FIFTH ? 48 : 16;
  for (size_t b = 0; b < blocks; ++b, data += kNibbles + 128, out += 256) {
    const float scale = half_at(data);
    const float minimum = half_at(data + 2);
    for (size_t group = 0; group < 8; ++group) {
      const SixBits six = six_bits(data + 4, group);
      const float step = scale * static_cast<float>(six.scale);
      const float low = minimum * static_cast<float>(six.minimum);
      const std::byte* nibbles = data + kNibbles + group / 2 * 32;
      for (size_t i = 0; i < 32; ++i) {
        int value = group % 2 == 0 ? byte_at(nibbles, i) & 15 : byte_at(nibbles, i) >> 4;
        if constexpr (FIFTH) value |= ((byte_at(data, 16 + i) >> group) & 1) << 4;
        out[group * 32 + i] = step * static_cast<float>(value) - low;
      }
    }
  }
}

/// 128 bytes of low nibbles, 64 bytes of two high bits, 16 signed scales, f16 scale of scales. Each half of the block
/// is four runs of 32 values.
void decode_q6_k(const std::byte* data, size_t blocks, float* out) {
  for (size_t b = 0; b < blocks; ++b, data += 210, out += 256) {
    const float scale = half_at(data + 208);
    for (size_t i = 0; i < 256; ++i) {
      const size_t half = i / 128;
      const size_t run = i / 32 % 4;
      const size_t lane = i % 32;
      const int low = byte_at(data, half * 64 + run % 2 * 32 + lane) >> (run / 2 * 4) & 15;
      const int high = byte_at(data, 128 + half * 32 + lane) >> (run * 2) & 3;
      const float step = scale * static_cast<float>(static_cast<int8_t>(data[192 + i / 16]));
      out[i] = step * static_cast<float>((low | high << 4) - 32);
    }
  }
}

constexpr std::array<GgufTypeTraits, 16> kTypes = {{
    {GgufType::f32, "F32", 1, 4, false, decode_f32},
    {GgufType::f16, "F16", 1, 2, false, decode_f16},
    {GgufType::q4_0, "Q4_0", 32, 18, true, decode_q4_0},
    {GgufType::q4_1, "Q4_1", 32, 20, true, decode_q4_1},
    {GgufType::q5_0, "Q5_0", 32, 22, true, decode_q5_0},
    {GgufType::q5_1, "Q5_1", 32, 24, true, decode_q5_1},
    {GgufType::q8_0, "Q8_0", 32, 34, true, decode_q8_0},
    {GgufType::q2_k, "Q2_K", 256, 84, true, detail::decode_q2_k},
    {GgufType::q3_k, "Q3_K", 256, 110, true, detail::decode_q3_k},
    {GgufType::q4_k, "Q4_K", 256, 144, true, decode_q45_k<false>},
    {GgufType::q5_k, "Q5_K", 256, 176, true, decode_q45_k<true>},
    {GgufType::q6_k, "Q6_K", 256, 210, true, decode_q6_k},
    {GgufType::iq4_nl, "IQ4_NL", 32, 18, true, detail::decode_iq4_nl},
    {GgufType::iq4_xs, "IQ4_XS", 256, 136, true, detail::decode_iq4_xs},
    {GgufType::bf16, "BF16", 1, 2, false, decode_bf16},
    {GgufType::mxfp4, "MXFP4", 32, 17, true, detail::decode_mxfp4},
}};

}  // namespace

const GgufTypeTraits* find_gguf_traits(uint32_t type) noexcept {
  const auto found = std::find_if(kTypes.begin(), kTypes.end(),
                                  [&](const auto& row) { return static_cast<uint32_t>(row.type) == type; });
  return found == kTypes.end() ? nullptr : &*found;
}

const GgufTypeTraits& gguf_traits(GgufType type) {
  const GgufTypeTraits* traits = find_gguf_traits(static_cast<uint32_t>(type));
  if (traits == nullptr)
    fail(Errc::internal, message("GGUF type ", static_cast<uint32_t>(type), " is not in the table"));
  return *traits;
}

std::vector<float> decode(const GgufTensor& tensor) {
  const GgufTypeTraits& traits = gguf_traits(tensor.type);
  const size_t blocks = tensor.bytes.size() / traits.block_bytes;
  std::vector<float> values(blocks * traits.block_values);
  traits.decode(tensor.bytes.data(), blocks, values.data());
  return values;
}

}  // namespace lathe
