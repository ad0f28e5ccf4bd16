#include "formats/tensor_name.h"

#include <algorithm>

#include "formats/artifact/error.h"
#include "formats/text.h"

namespace lathe {

void check_tensor_name(std::string_view name, std::string_view path) {
  if (name.empty()) fail(Errc::malformed, message(path, ": a tensor has an empty name"));
  if (name.size() > kMaxTensorName) {
    fail(Errc::limit, message(path, ": tensor name ", printable(name), " is longer than ", kMaxTensorName, " bytes"));
  }
  const auto is_control = [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; };
  if (std::any_of(name.begin(), name.end(), is_control)) {
    fail(Errc::malformed, message(path, ": tensor name ", printable(name), " has control characters"));
  }
}

}  // namespace lathe
