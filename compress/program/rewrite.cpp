#include "compress/program/rewrite.h"

namespace lathe {

size_t op_that_writes(const Program& program, uint32_t value) {
  for (size_t i = 0; i < program.ops.size(); ++i) {
    if (program.ops[i].output == value) return i;
  }
  fail(Errc::internal, message("no op writes value ", value));
}

void factor_linear(Program& program, uint32_t output, const std::string& up, const std::string& down, uint32_t rank) {
  const size_t at = op_that_writes(program, output);
  const uint32_t middle = program.add_value(program.values[output].name + ".rank", program.values[output].rows, rank);
  Op& second = program.ops[at];
  program.weights[second.weights[0]] = up;
  Op first = second;
  first.weights = {program.add_weight(down)};
  first.output = middle;
  second.inputs = {middle};
  program.ops.insert(program.ops.begin() + static_cast<std::ptrdiff_t>(at), first);
}

}  // namespace lathe
