#pragma once
// What an HDF5 file holds: every object that the root leads to, found without following a link out of the file.

#include <map>
#include <string>
#include <vector>

#include "formats/hdf5/worker/dataset.h"

namespace lathe::hdf5 {

inline constexpr size_t kMaxDepth = 64;
inline constexpr size_t kMaxObjects = 1'000'000;

/// Paths have no slash in front.
struct Contents {
  std::map<std::string, DatasetFacts> datasets;  // those that become tensors
  std::map<std::string, std::string> ignored;    // others, each with what it is
  /// Group -> attribute -> texts, for the attributes by which Keras describes a model.
  std::map<std::string, std::map<std::string, std::vector<std::string>>> attributes;
};

/// Throws Error{malformed} for links that lead outside, nowhere or in a circle, Error{unsupported} for links of unknown
/// kinds, Error{limit} beyond kMaxDepth and kMaxObjects, and the errors of examine_dataset.
Contents list_contents(hid_t file, const Bounds& bounds);

}  // namespace lathe::hdf5
