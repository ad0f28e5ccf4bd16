// Any bytes as what the HDF5 worker writes, which is as untrusted as the file that it has read: an error, or tensors
// with names that are unique and entries that are there.

#include <cstdlib>

#include "formats/artifact/error.h"
#include "formats/hdf5/tensor_names.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lathe;
  try {
    const Hdf5Description file = parse_hdf5_description(std::as_bytes(std::span(data, size)), "fuzz.h5");
    const Hdf5Names names = name_tensors(file);
    for (size_t i = 0; i < names.tensors.size(); ++i) {
      const Hdf5Tensor& tensor = names.tensors[i];
      if (file.header.find(tensor.entry->name) != tensor.entry) std::abort();
      if (i > 0 && !(names.tensors[i - 1].name < tensor.name)) std::abort();
      if (tensor.is_kernel && tensor.entry->shape.size() < 2) std::abort();
    }
  } catch (const Error& error) {
    if (error.code() == Errc::internal) std::abort();
  }
  return 0;
}
