#pragma once
// The zip archive that torch.save and TorchScript write: a pickle that describes tensors, and a record with the bytes
// of each storage (https://pytorch.org/docs/stable/notes/serialization.html).

#include "formats/pytorch/torch_contents.h"

namespace lathe {

/// `file` is the whole file, `path` its name for messages. The checksums of records with tensors are not looked at yet.
/// Throws the errors of read_zip_directory, unpickle, find_state_dict and find_script_tensors, and Error{malformed} for
/// records that are missing or contradict the pickle.
TorchContents read_torch_archive(Bytes file, std::string_view path, TorchNames names);

}  // namespace lathe
