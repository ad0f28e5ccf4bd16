#pragma once
// Which panels of a weight a part computes. Include kernel.h first.

namespace lathe::kernels {
namespace {

inline size_t first_of(const Part& part, size_t panels) { return panels * part.index / part.count; }
inline size_t end_of(const Part& part, size_t panels) { return panels * (part.index + 1) / part.count; }

}  // namespace
}  // namespace lathe::kernels
