#include "formats/hdf5/worker/handle.h"

namespace lathe::hdf5 {
namespace {

/// Called from the innermost function outwards; one description is enough.
herr_t take_description(unsigned, const H5E_error2_t* error, void* text) {
  auto& reason = *static_cast<std::string*>(text);
  if (error->desc != nullptr) reason = error->desc;
  return reason.empty() ? 0 : 1;
}

}  // namespace

std::string library_reason() {
  std::string reason;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_description, &reason);
  return reason.empty() ? "libhdf5 gives no reason" : reason;
}

Handle file_access() {
  Handle access(checked(H5Pcreate(H5P_FILE_ACCESS), "a list of properties"), H5Pclose);
  checked(H5Pset_fapl_stdio(access.get()), "a list of properties");
  checked(H5Pset_file_locking(access.get(), false, true), "a list of properties");
  return access;
}

}  // namespace lathe::hdf5
