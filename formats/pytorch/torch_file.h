#pragma once
// The files that torch.save writes, told apart by their first bytes.

#include "formats/pytorch/torch_contents.h"

namespace lathe {

/// `file` is the whole file, `path` its name for messages. Throws the errors of read_torch_archive and
/// read_legacy_file; Error{unsupported}, with advice, for the tar archives that the oldest versions wrote and for
/// pickles alone.
TorchContents read_torch_file(Bytes file, std::string_view path, TorchNames names);

}  // namespace lathe
