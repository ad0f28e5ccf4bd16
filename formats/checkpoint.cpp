#include "formats/checkpoint.h"

#include <array>
#include <fstream>

#include "formats/hdf5/hdf5_checkpoint.h"
#include "formats/pytorch/pytorch_checkpoint.h"
#include "formats/safetensors/safetensors.h"
#include "formats/safetensors/safetensors_checkpoint.h"
#include "formats/sharded_checkpoint.h"
#include "formats/text.h"

namespace lathe {
namespace {

using std::filesystem::path;

// What a file is by bytes near its beginning. None of these can be safetensors: the length that the first eight bytes
// would be is far beyond the limit.
struct FormatRow {
  size_t at;  // where the bytes stand
  std::string_view bytes;
  OpenShard alone;
  OpenShard as_shard;
};
constexpr std::array<FormatRow, 4> kFormats = {{{0, "PK\x03\x04", open_pytorch, open_pytorch_shard},
                                                {0, "PK\x05\x06", open_pytorch, open_pytorch_shard},
                                                {0, "\x80", open_pytorch, open_pytorch_shard},
                                                {257, "ustar", open_pytorch, open_pytorch_shard}}};

struct MagicRow {
  std::string_view first_bytes;
  Errc code;
  const char* what;
};
constexpr std::array<MagicRow, 4> kMagic = {{{"GGUF", Errc::unsupported, "a GGUF file"},
                                             {"version https://git-lfs", Errc::malformed,
                                              "a Git LFS pointer instead of the data: fetch it with `git lfs pull`"},
                                             {"\x1f\x8b", Errc::unsupported, "a gzip archive"},
                                             {"<!DOCTYPE", Errc::malformed, "an HTML page instead of the data"}}};

/// As many as the rows above look at.
std::string first_bytes(const path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string bytes(512, '\0');
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(stream.gcount()));
  return bytes;
}

bool is_json_object(std::string_view start) {
  const size_t first = start.find_first_not_of(" \t\r\n");
  return first != start.npos && start[first] == '{';
}

/// Whether what the file begins with can be the length of a header.
bool could_be_safetensors(std::string_view start) {
  return start.size() < 8 || load_le<uint64_t>(std::as_bytes(std::span(start)).data()) <= kMaxSafetensorsHeader;
}

/// Throws for a file of a format that is known and not read.
void refuse_known(std::string_view start, const path& file) {
  if (could_be_safetensors(start)) return;
  for (const MagicRow& row : kMagic) {
    if (start.starts_with(row.first_bytes)) fail(row.code, message(file.string(), ": this is ", row.what));
  }
}

/// Null for a file that can only be safetensors or JSON.
const FormatRow* find_format(std::string_view start) {
  if (could_be_safetensors(start)) return nullptr;
  for (const FormatRow& row : kFormats) {
    if (start.size() > row.at && start.substr(row.at).starts_with(row.bytes)) return &row;
  }
  return nullptr;
}

template <OpenShard open>
std::unique_ptr<Checkpoint> open_alone(const path& file) {
  refuse_known(first_bytes(file), file);
  return open(file);
}
template <OpenShard open>
std::unique_ptr<Checkpoint> open_index(const path& file) {
  return open_sharded(file, open);
}

// The weights of a model folder. Models whose configuration and tokenizer stand in the same file as the weights are
// rows of formats/source.cpp instead.
struct FolderRow {
  const char* file;
  std::unique_ptr<Checkpoint> (*open)(const path&);
};
// In order of preference. A new format of weights beside a config.json is a row here.
constexpr std::array<FolderRow, 7> kFolderFiles = {{{"model.safetensors", open_alone<open_safetensors>},
                                                    {"model.safetensors.index.json", open_index<open_safetensors>},
                                                    {"pytorch_model.bin", open_alone<open_pytorch>},
                                                    {"pytorch_model.bin.index.json", open_index<open_pytorch_shard>},
                                                    {"model.h5", open_hdf5},
                                                    {"model.weights.h5", open_hdf5},
                                                    {"tf_model.h5", open_hdf5}}};

// Weights of formats that are not read, so that the message can say more than "no weights".
constexpr std::array<const char*, 2> kOtherWeights = {"flax_model.msgpack", "model.onnx"};

std::unique_ptr<ShardFile> open_any_shard(const path& file) {
  const std::string start = first_bytes(file);
  refuse_known(start, file);
  const FormatRow* format = find_format(start);
  return format == nullptr ? open_safetensors(file) : format->as_shard(file);
}

std::unique_ptr<Checkpoint> open_file(const path& file) {
  if (is_hdf5(file)) return open_hdf5(file);
  const std::string start = first_bytes(file);
  refuse_known(start, file);
  if (const FormatRow* format = find_format(start)) return format->alone(file);
  if (!could_be_safetensors(start) && is_json_object(start)) return open_sharded(file, open_any_shard);
  return open_safetensors(file);
}

bool is_present(const path& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

std::unique_ptr<Checkpoint> open_folder(const path& folder) {
  for (const FolderRow& row : kFolderFiles) {
    if (is_present(folder / row.file)) return row.open(folder / row.file);
  }
  for (const char* other : kOtherWeights) {
    if (is_present(folder / other)) {
      fail(Errc::unsupported, message(folder.string(), " has its weights in ", other,
                                      ", which is not read; convert them to model.safetensors"));
    }
  }
  std::string wanted;
  for (const FolderRow& row : kFolderFiles) wanted += (wanted.empty() ? "" : " or ") + std::string(row.file);
  fail(Errc::no_input, message(folder.string(), ": this folder has no weights, expected ", wanted));
}

}  // namespace

TensorView float_tensor(const Checkpoint& checkpoint, std::string_view name) {
  TensorView tensor = checkpoint.tensor(name);
  if (!is_float(tensor.dtype)) {
    fail(Errc::malformed, message(checkpoint.where(name), ": tensor ", printable(name), " has type ",
                                  dtype_name(tensor.dtype), ", expected a floating-point type"));
  }
  return tensor;
}

std::vector<float> read_f32(const Checkpoint& checkpoint, std::string_view name) {
  return to_f32(float_tensor(checkpoint, name), name);
}

std::unique_ptr<Checkpoint> open_checkpoint(const path& file_or_folder) {
  std::error_code ignored;
  return std::filesystem::is_directory(file_or_folder, ignored) ? open_folder(file_or_folder)
                                                                : open_file(file_or_folder);
}

}  // namespace lathe
