#pragma once
// The form in which torch.save wrote before version 1.6, and writes with _use_new_zipfile_serialization=False: five
// pickles (a magic number, a protocol, the machine, the object, the keys of its storages), and then for each key the
// number of elements and their bytes.

#include "formats/pytorch/torch_contents.h"

namespace lathe {

/// By the first pickle.
bool is_legacy_file(Bytes file) noexcept;

/// Reads a file of which that is true. Throws the errors of unpickle and find_state_dict, and Error{malformed} when the
/// parts contradict each other or the file does not end with the last storage.
TorchContents read_legacy_file(Bytes file, std::string_view path, TorchNames names);

}  // namespace lathe
