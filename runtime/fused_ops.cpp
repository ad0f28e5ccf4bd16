#include "runtime/fused_ops.h"

namespace lathe {
namespace {

bool can_fuse(const Op& op, const Op& next) {
  return (op.is<ops::Linear>() && next.is<ops::Activation>()) || (op.is<ops::Add>() && next.is<ops::LayerNorm>());
}

}  // namespace

std::vector<size_t> count_readers(const Program& program) {
  std::vector<size_t> readers(program.values.size(), 0);
  for (const Op& op : program.ops) {
    for (const uint32_t input : op.inputs) ++readers[input];
  }
  for (const uint32_t output : program.outputs) readers[output] += 2;
  return readers;
}

std::vector<FusedOp> fuse_ops(const Program& program) {
  const std::vector<size_t> readers = count_readers(program);
  std::vector<FusedOp> fused;
  for (const Op& op : program.ops) {
    if (!fused.empty() && fused.back().next == nullptr) {
      const Op& before = *fused.back().op;
      if (can_fuse(before, op) && op.inputs[0] == before.output && readers[before.output] == 1) {
        fused.back().next = &op;
        continue;
      }
    }
    fused.push_back({&op, nullptr});
  }
  return fused;
}

}  // namespace lathe
