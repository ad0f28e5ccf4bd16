// Any bytes as a GGUF file: an error, or tensors that tile the data and can be decoded, and perhaps a model.

#include <cstdlib>

#include "formats/gguf/gguf_model.h"
#include "formats/gguf/gguf_tokenizer.h"

namespace {

using namespace lathe;

void check_tensors(const GgufFile& file) {
  for (const GgufTensor& tensor : file.tensors()) {
    if (file.find(tensor.name) != &tensor) std::abort();
    if (decode(tensor).size() != element_count(tensor.shape, "fuzz")) std::abort();
  }
}

void check_model(const std::shared_ptr<const GgufFile>& file) {
  const GgufModel model = open_gguf_model(file, true);
  for (const std::string& name : model.checkpoint->names()) {
    const TensorView view = model.checkpoint->tensor(name);
    if (view.bytes.size() != element_count(view.shape, "fuzz") * dtype_bytes(view.dtype)) std::abort();
  }
}

template <class Action>
void attempt(Action action) {
  try {
    action();
  } catch (const Error& error) {
    if (error.code() == Errc::internal) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  attempt([&] {
    const auto file = std::make_shared<const GgufFile>(std::as_bytes(std::span(data, size)), "fuzz.gguf");
    check_tensors(*file);
    attempt([&] { check_model(file); });
    attempt([&] { read_gguf_tokenizer(*file); });
  });
  return 0;
}
