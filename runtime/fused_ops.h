#pragma once
// Which ops an executor runs together.

#include <vector>

#include "formats/artifact/program.h"

namespace lathe {

/// An op, and the op after it that runs in the same step: an activation after a linear op, or a layer norm after an
/// addition, where nothing else reads the value between the two.
struct FusedOp {
  const Op* op = nullptr;
  const Op* next = nullptr;  // null: none

  /// The value that the step writes.
  uint32_t output() const { return next == nullptr ? op->output : next->output; }
};

/// How often each value of a program is read. Outputs of the program count twice more, so that no op that computes one
/// is joined with its only reader.
std::vector<size_t> count_readers(const Program& program);

/// The ops of a valid program in their order. The result points to them.
std::vector<FusedOp> fuse_ops(const Program& program);

}  // namespace lathe
