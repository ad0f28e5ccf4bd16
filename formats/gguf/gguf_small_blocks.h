#pragma once
// Tensor types of GGUF with two or three bits a number, or with four bits that name entries of a table. Each function
// writes the numbers of `blocks` blocks, as GgufTypeTraits::decode does.

#include <cstddef>

namespace lathe::detail {

void decode_q2_k(const std::byte* data, size_t blocks, float* out);
void decode_q3_k(const std::byte* data, size_t blocks, float* out);
void decode_iq4_nl(const std::byte* data, size_t blocks, float* out);
void decode_iq4_xs(const std::byte* data, size_t blocks, float* out);
void decode_mxfp4(const std::byte* data, size_t blocks, float* out);

}  // namespace lathe::detail
