#pragma once
// Changes to a program that keep its meaning.

#include <string>

#include "formats/artifact/program.h"

namespace lathe {

/// Replaces the linear op that writes `output` by two: x down^T, then that up^T + bias. The op is the only one that
/// uses its weight.
void factor_linear(Program& program, uint32_t output, const std::string& up, const std::string& down, uint32_t rank);

/// Index of the op that writes the value; throws Error{internal} when there is none.
size_t op_that_writes(const Program& program, uint32_t value);

}  // namespace lathe
