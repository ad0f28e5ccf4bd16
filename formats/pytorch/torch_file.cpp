#include "formats/pytorch/torch_file.h"

#include "formats/pytorch/legacy_file.h"
#include "formats/pytorch/torch_archive.h"

namespace lathe {
namespace {

// The oldest versions saved tar archives.
constexpr std::string_view kTarMagic = "ustar";
constexpr size_t kTarMagicAt = 257;
constexpr const char* kResave =
    "load it with PyTorch and save it with torch.save(..., _use_new_zipfile_serialization=True), or as safetensors";

void refuse_other_formats(Bytes file, std::string_view path) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (text.size() > kTarMagicAt && text.substr(kTarMagicAt).starts_with(kTarMagic)) {
    fail(Errc::unsupported,
         message(path, ": a tar archive, as the oldest PyTorch saved, which is not read; ", kResave));
  }
  if (text.starts_with('\x80')) {
    fail(Errc::unsupported, message(path, ": a pickle without the archive that torch.save puts around it; ", kResave));
  }
}

}  // namespace

TorchContents read_torch_file(Bytes file, std::string_view path, TorchNames names) {
  if (is_legacy_file(file)) return read_legacy_file(file, path, names);
  refuse_other_formats(file, path);
  return read_torch_archive(file, path, names);
}

}  // namespace lathe
