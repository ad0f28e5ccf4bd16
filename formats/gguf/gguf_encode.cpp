#include "formats/gguf/gguf_encode.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "formats/gguf/gguf_encode_parts.h"

namespace lathe {
namespace {

using namespace detail;

void encode_f32(const GgufRow& row, const std::string&, std::byte* out) {
  std::memcpy(out, row.values.data(), row.values.size_bytes());
}

void encode_f16(const GgufRow& row, const std::string& what, std::byte* out) {
  for (size_t i = 0; i < row.values.size(); ++i) store(out + 2 * i, half_of(row.values[i], what));
}

std::span<const float> block_of(const GgufRow& row, size_t block) {
  return row.values.subspan(block * kGgufBlock, kGgufBlock);
}

bool keeps_q8_0(const GgufRow& row) {
  if (row.integers.empty() || !keeps_scale(row.scale, 0)) return false;
  for (size_t i = 0; i < row.integers.size(); ++i) {
    const int value = row.integers[i] * row.multipliers[i / kGgufBlock];
    if (value < INT8_MIN || value > INT8_MAX) return false;
  }
  return true;
}

void encode_q8_0(const GgufRow& row, const std::string& what, std::byte* out) {
  const bool is_kept = keeps_q8_0(row);
  for (size_t block = 0; block < row.values.size() / kGgufBlock; ++block, out += 34) {
    const std::span<const float> values = block_of(row, block);
    const float scale = is_kept ? row.scale : std::abs(largest_of(values)) / 127;
    const float inverse = scale == 0 ? 0 : 1 / scale;
    store(out, half_of(scale, what));
    for (size_t i = 0; i < kGgufBlock; ++i) {
      const int kept = is_kept ? row.integers[block * kGgufBlock + i] * row.multipliers[block] : 0;
      const float rounded = std::round(values[i] * inverse);
      store(out + 2 + i, static_cast<int8_t>(is_kept ? kept : static_cast<int>(rounded)));
    }
  }
}

void encode_q4_0(const GgufRow& row, const std::string& what, std::byte* out) {
  const bool is_kept = keeps_grid(row, -8, 7);
  for (size_t block = 0; block < row.values.size() / kGgufBlock; ++block, out += 18) {
    const std::span<const float> values = block_of(row, block);
    const float scale = is_kept ? row.scale * static_cast<float>(row.multipliers[block]) : largest_of(values) / -8;
    const float inverse = scale == 0 ? 0 : 1 / scale;
    const auto nibble = [&](size_t i) {
      if (is_kept) return row.integers[block * kGgufBlock + i] + 8;
      return std::min(15, static_cast<int>(values[i] * inverse + 8.5f));
    };
    store(out, half_of(scale, what));
    for (size_t i = 0; i < kGgufBlock / 2; ++i) {
      store(out + 2 + i, static_cast<uint8_t>(nibble(i) | nibble(i + kGgufBlock / 2) << 4));
    }
  }
}

struct Encoder {
  GgufType type;
  void (*encode)(const GgufRow& row, const std::string& what, std::byte* out);
};
constexpr std::array<Encoder, 6> kEncoders = {{{GgufType::f32, encode_f32},
                                               {GgufType::f16, encode_f16},
                                               {GgufType::q8_0, encode_q8_0},
                                               {GgufType::q4_0, encode_q4_0},
                                               {GgufType::q4_k, encode_q4_k},
                                               {GgufType::q6_k, encode_q6_k}}};

const Encoder* find_encoder(GgufType type) {
  const auto found = std::find_if(kEncoders.begin(), kEncoders.end(), [&](const Encoder& e) { return e.type == type; });
  return found == kEncoders.end() ? nullptr : &*found;
}

}  // namespace

float detail::largest_of(std::span<const float> values) {
  return *std::max_element(values.begin(), values.end(), [](float a, float b) { return std::abs(a) < std::abs(b); });
}

bool detail::keeps_grid(const GgufRow& row, int low, int high) {
  if (row.integers.empty()) return false;
  const bool fits = std::all_of(row.integers.begin(), row.integers.end(), [&](int v) { return v >= low && v <= high; });
  return fits && std::all_of(row.multipliers.begin(), row.multipliers.end(), [&](int multiplier) {
           return multiplier <= 63 && keeps_scale(row.scale * static_cast<float>(multiplier), kScaleTolerance);
         });
}

bool is_gguf_writable(GgufType type) { return find_encoder(type) != nullptr; }

uint64_t gguf_row_bytes(GgufType type, uint64_t values) {
  const GgufTypeTraits& traits = gguf_traits(type);
  return checked_mul(values / traits.block_values, traits.block_bytes, "a row of a GGUF tensor");
}

void encode_gguf_row(GgufType type, const GgufRow& row, const std::string& what, std::byte* out) {
  for (size_t i = 0; i < row.values.size(); ++i) {
    if (!std::isfinite(row.values[i])) {
      fail(Errc::malformed, message(what, ": number ", i, " is ", row.values[i], ", which is not finite"));
    }
  }
  const Encoder* encoder = find_encoder(type);
  if (encoder == nullptr) fail(Errc::internal, message(what, ": ", gguf_traits(type).name, " is not written"));
  encoder->encode(row, what, out);
}

}  // namespace lathe
