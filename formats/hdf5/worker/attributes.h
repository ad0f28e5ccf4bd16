#pragma once
// The attributes of an HDF5 file that are texts.

#include <string>
#include <vector>

#include "formats/hdf5/worker/handle.h"

namespace lathe::hdf5 {

/// The names of an object's attributes, sorted. Throws Error{limit} beyond 10,000 of them.
std::vector<std::string> attribute_names(hid_t object, const std::string& what);

/// The texts of an attribute: one for a scalar, as many as there are for a list; none when there is no such attribute
/// or it holds no texts. Throws Error{malformed} when it cannot be read, Error{limit} when it has more than 100,000
/// texts or 64 MiB.
std::vector<std::string> text_attribute(hid_t object, const std::string& name, const std::string& what);

}  // namespace lathe::hdf5
