#pragma once
// Samples of a program that reads dense tensors (feature rows, images) instead of token sequences.

#include <vector>

#include "formats/artifact/program.h"
#include "runtime/session.h"

namespace lathe {

struct DenseSamples {
  size_t count = 0;
  std::vector<std::vector<float>> inputs;  // one for each input of the program, in order: [count, numbers in a row]

  bool empty() const { return count == 0; }
};

/// Throws Error{malformed} unless there are samples, the program reads samples, and each of its inputs has as many
/// finite numbers as the program says.
void check_samples(const Program& program, const DenseSamples& samples);

/// The samples [first, first + count) of checked samples.
DenseSamples part_of(const DenseSamples& samples, size_t first, size_t count);

/// The output of a model with one output for checked samples: [count, numbers in a row].
std::vector<float> run_samples(Session& session, const DenseSamples& samples);

}  // namespace lathe
