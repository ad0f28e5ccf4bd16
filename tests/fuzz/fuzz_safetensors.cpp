// Any bytes as a safetensors file: an error, or tensors whose every byte can be read.

#include <cstdlib>

#include "formats/safetensors/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lathe;
  const Bytes file = std::as_bytes(std::span(data, size));
  try {
    const SafetensorsHeader header = parse_safetensors(file, "fuzz.safetensors");
    uint64_t total = header.data_offset;
    for (const SafetensorsEntry& entry : header.entries) {
      if (header.find(entry.name) != &entry) std::abort();
      total += entry.end - entry.begin;
      if (!entry.type->readable) continue;
      const TensorView view = view_of(entry, header, file, "fuzz.safetensors");
      if (view.bytes.size() != element_count(view.shape, "fuzz") * dtype_bytes(view.dtype)) std::abort();
      if (is_float(view.dtype)) to_f32(view, entry.name);
    }
    if (total != size) std::abort();  // the tensors tile the file
  } catch (const Error& error) {
    if (error.code() == Errc::internal) std::abort();
  }
  return 0;
}
