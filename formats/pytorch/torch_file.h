#pragma once
// The zip archive that torch.save writes: a pickle that describes tensors, and a record with the bytes of each storage
// (https://pytorch.org/docs/stable/notes/serialization.html).

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "formats/pytorch/pickle_value.h"
#include "formats/pytorch/zip_directory.h"

namespace lathe {

struct TorchTensor {
  std::string name;
  PickleTensor layout;  // its storage is an index of TorchContents::records
};

/// What a file holds. Every record lies inside the file and has the size that the pickle gives its storage; every
/// tensor lies inside its storage.
struct TorchContents {
  std::vector<TorchTensor> tensors;  // sorted by name, which is unique
  std::vector<ZipMember> records;
  bool is_big_endian = false;
  std::vector<std::string> notes;  // one sentence each

  /// nullptr when there is no such tensor.
  const TorchTensor* find(std::string_view name) const;
};

/// How tensors are called: as the file has it, or without a "module." that all of them begin with.
enum class TorchNames { as_stored, without_module };

/// `file` is the whole file, `path` its name for messages. The checksums of records with tensors are not looked at yet.
/// Throws the errors of read_zip_directory, unpickle and find_state_dict; Error{malformed} for records that are missing
/// or contradict the pickle; Error{unsupported}, with advice, for files that torch.save wrote before version 1.6.
TorchContents read_torch_file(Bytes file, std::string_view path, TorchNames names);

}  // namespace lathe
