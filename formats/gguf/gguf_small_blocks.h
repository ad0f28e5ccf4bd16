#pragma once
// Tensor types of GGUF with two or three bits a number, or with four bits that name entries of a table. Each function
// writes the numbers of `blocks` blocks, as GgufTypeTraits::decode does.

#include <cstddef>

#include "formats/artifact/bytes.h"
#include "formats/artifact/half.h"

namespace lathe::detail {

// What blocks of every type are read with.
inline uint8_t byte_at(const std::byte* data, size_t i) { return static_cast<uint8_t>(data[i]); }
inline float half_at(const std::byte* data) { return f16_to_f32(load_le<uint16_t>(data)); }

void decode_q2_k(const std::byte* data, size_t blocks, float* out);
void decode_q3_k(const std::byte* data, size_t blocks, float* out);
void decode_iq4_nl(const std::byte* data, size_t blocks, float* out);
void decode_iq4_xs(const std::byte* data, size_t blocks, float* out);
void decode_mxfp4(const std::byte* data, size_t blocks, float* out);

}  // namespace lathe::detail
