#pragma once
// Where weights come from: one interface over all source formats.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/artifact/tensor.h"

namespace lathe {

/// A file that a checkpoint was read from, for provenance.
struct SourceFile {
  std::string path;
  uint64_t bytes = 0;
};

/// A source of named full-precision tensors. Immutable and safe to read from several threads. Everything is validated
/// when it is opened: a tensor's bytes lie inside its file and match its type and shape.
class Checkpoint {
 public:
  virtual ~Checkpoint() = default;

  /// Sorted.
  virtual const std::vector<std::string>& names() const = 0;
  virtual bool has(std::string_view name) const = 0;
  /// A view that lives as long as the checkpoint. Throws Error{malformed} naming file and tensor when there is none,
  /// Error{unsupported} when its type is known but cannot be represented (8-bit floats, complex numbers).
  virtual TensorView tensor(std::string_view name) const = 0;
  /// A hint that the tensor's bytes will not be needed soon; they are read again from the file when touched.
  virtual void release(std::string_view name) const noexcept = 0;
  virtual std::vector<SourceFile> files() const = 0;
  /// The file that holds the tensor, for messages; the checkpoint's own path for an unknown name.
  virtual std::string where(std::string_view name) const = 0;
  /// What is odd about the source without preventing its use, one sentence each.
  virtual std::vector<std::string> warnings() const { return {}; }
};

/// The tensor, which must be of a floating-point type: throws Error{malformed} naming file, tensor and type when it is
/// not. Otherwise the errors of Checkpoint::tensor.
TensorView float_tensor(const Checkpoint& checkpoint, std::string_view name);
/// float_tensor's values as f32.
std::vector<float> read_f32(const Checkpoint& checkpoint, std::string_view name);

/// Opens a safetensors, PyTorch or HDF5 file, the index of a sharded checkpoint, or a folder that holds one of the
/// files of kFolderFiles, of which the first that is there counts. Files are told apart by their first bytes, HDF5 also
/// by its ending. Throws Error{no_input} when there is nothing to read, Error{unsupported} naming a known format that
/// is not read, Error{malformed} and Error{limit} for bad files.
std::unique_ptr<Checkpoint> open_checkpoint(const std::filesystem::path& file_or_folder);

}  // namespace lathe
