#pragma once
// Writes safetensors files, for models that were trained and for the state of a training run.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "formats/artifact/tensor.h"

namespace lathe {

/// A tensor whose bytes come later.
struct SafetensorsTensor {
  DType dtype = DType::f32;
  Shape shape;
};

/// A file as far as it is known before the bytes of its tensors are.
struct SafetensorsPlan {
  struct Place {
    std::string name;
    uint64_t offset = 0;  // from the start of the file
    uint64_t bytes = 0;
  };
  std::vector<std::byte> head;  // everything that stands before the tensors
  std::vector<Place> places;    // one behind the other, without holes
  uint64_t file_bytes = 0;
};

/// For those who write the tensors one by one, or not in order. Order and errors as of write_safetensors.
SafetensorsPlan plan_safetensors(const std::string& path, const std::map<std::string, SafetensorsTensor>& tensors,
                                 const std::map<std::string, std::string>& metadata = {});

/// Writes the file through AtomicFile: `path` holds either what it held before or the whole file. The same input gives
/// the same bytes: metadata first, sorted by key; tensors with the widest elements first and then by name, so that
/// each starts at a multiple of its element's size; the header is padded with spaces to a multiple of 8 bytes. Without
/// metadata the file says nothing of it. Throws Error{malformed, limit} for a name that the reader would refuse,
/// Error{malformed} for metadata or a name that is not UTF-8, Error{internal} when a view's bytes do not match its type
/// and shape, and AtomicFile's errors.
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace lathe
