#pragma once
// Changes to a program that keep its meaning.

#include <string>

#include "formats/artifact/program.h"

namespace lathe {

/// Replaces the linear op that writes `output` by two: z = x down^T, then z up^T + bias. No other op may use the weight
/// of that op.
void factor_linear(Program& program, uint32_t output, const std::string& up, const std::string& down, uint32_t rank);

/// The index of the op that writes the value. Throws Error{internal} when there is none.
size_t op_that_writes(const Program& program, uint32_t value);

}  // namespace lathe
