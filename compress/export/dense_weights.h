#pragma once
// The weights of an artifact as dense matrices of f32, as formats without Lathe's encodings want them.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "formats/artifact/artifact.h"

namespace lathe {

/// A weight under its name in the checkpoint. The two factors of a low-rank layer are one weight, their product.
struct DenseWeight {
  std::string name;
  Shape shape;
  std::string encoding;  // that it has in the artifact: "int8", or "rank 8: int8 x int8"
  /// Gives all rows, one after the other, each valid until the next.
  std::function<void(const std::function<void(std::span<const float>)>& sink)> write;
};

/// Throws Error{malformed} naming the file and the first fault that Artifact::verify() finds. For every export.
void check_intact(const Artifact& artifact);

/// In no particular order. The weights read `artifact`, which outlives them.
std::vector<DenseWeight> dense_weights(const Artifact& artifact);

}  // namespace lathe
