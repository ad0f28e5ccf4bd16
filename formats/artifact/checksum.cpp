#include "formats/artifact/checksum.h"

#include <algorithm>

// Header-only use, so that the runtime needs no shared library for it.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace lathe {
namespace {

std::string digits_of(XXH128_hash_t hash) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint64_t half : {hash.high64, hash.low64}) {
    for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[(half >> shift) & 15];
  }
  return text;
}

}  // namespace

uint64_t checksum(Bytes bytes) noexcept { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string content_hash(const MappedFile& file) {
  constexpr size_t kWindow = size_t{4} << 20;
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  for (Bytes rest = file.bytes(); !rest.empty();) {
    const Bytes window = rest.first(std::min(kWindow, rest.size()));
    XXH3_128bits_update(&state, window.data(), window.size());
    file.release(window);
    rest = rest.subspan(window.size());
  }
  return digits_of(XXH3_128bits_digest(&state));
}

std::string content_hash(Bytes bytes) { return digits_of(XXH3_128bits(bytes.data(), bytes.size())); }

}  // namespace lathe
