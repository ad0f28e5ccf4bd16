// Any bytes as a file of torch.save: an error, or tensors whose every byte can be read.

#include <cstdlib>

#include "formats/pytorch/strided.h"
#include "formats/pytorch/torch_file.h"
#include "formats/pytorch/unpickler.h"
#include "formats/pytorch/zip_member.h"

namespace lathe {
namespace {

/// Reads what a checkpoint would, with the same bound.
void read_tensor(const TorchContents& contents, const PickleTensor& layout, Bytes file) {
  if (layout.type == nullptr || !layout.type->readable) return;
  const ZipMember& record = contents.records.at(layout.storage);
  const uint64_t bytes = element_count(layout.shape, "fuzz") * layout.type->bytes;
  if (bytes > record.bytes) {
    if (is_contiguous(layout)) std::abort();
    return;
  }
  std::vector<std::byte> inflated(record.is_deflated ? record.bytes : 0);
  if (record.is_deflated) inflate_member(record, file, "fuzz.pt", inflated);
  std::vector<std::byte> out(bytes);
  gather_elements(layout, record.is_deflated ? Bytes(inflated) : stored_data(record, file), contents.is_big_endian,
                  out.data());
}

void read_file(Bytes file) {
  const TorchContents contents = read_torch_file(file, "fuzz.pt", TorchNames::without_module);
  for (const TorchTensor& tensor : contents.tensors) {
    if (contents.find(tensor.name) != &tensor) std::abort();
    read_tensor(contents, tensor.layout, file);
  }
}

template <class Action>
void expect_no_internal_error(Action action) {
  try {
    action();
  } catch (const Error& error) {
    if (error.code() == Errc::internal) std::abort();
  }
}

}  // namespace
}  // namespace lathe

/// Most changes to an archive break a checksum of its pickle: the bytes are a pickle, too.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lathe;
  expect_no_internal_error([&] { read_file(std::as_bytes(std::span(data, size))); });
  expect_no_internal_error([&] { unpickle({reinterpret_cast<const char*>(data), size}, "fuzz.pt: data.pkl"); });
  return 0;
}
