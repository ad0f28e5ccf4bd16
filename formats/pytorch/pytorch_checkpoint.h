#pragma once
// Checkpoints as torch.save writes them: pytorch_model.bin, model.pt, model.pth.

#include <filesystem>
#include <memory>

#include "formats/sharded_checkpoint.h"

namespace lathe {

/// One file. A tensor that lies row by row and little-endian in a record without compression is a view of the file;
/// tensors that share a storage share its bytes. Others are converted when they are first asked for, into a temporary
/// file (converted_checkpoint.h). A record's checksum is compared when a tensor of it is first asked for: a difference
/// is an Error{malformed} of tensor(). There, too, a tensor whose elements overlap so that it would need more bytes
/// than its storage has is an Error{limit}, and one that is sparse or quantized an Error{unsupported}. Opening throws
/// the errors of read_torch_file and MappedFile.
std::unique_ptr<ShardFile> open_pytorch(const std::filesystem::path& file);

/// The same, with the names as they are stored, even where all begin with "module.": an index knows them like that.
std::unique_ptr<ShardFile> open_pytorch_shard(const std::filesystem::path& file);

}  // namespace lathe
