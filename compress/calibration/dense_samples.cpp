#include "compress/calibration/dense_samples.h"

#include <algorithm>
#include <cmath>

namespace lathe {

void check_samples(const Program& program, const DenseSamples& samples) {
  if (samples.empty()) fail(Errc::malformed, "there are no samples");
  if (samples.inputs.size() != program.inputs.size()) {
    fail(Errc::malformed,
         message("the samples have ", samples.inputs.size(), " inputs, the program has ", program.inputs.size()));
  }
  for (size_t i = 0; i < samples.inputs.size(); ++i) {
    const Value& value = program.values[program.inputs[i]];
    const std::vector<float>& numbers = samples.inputs[i];
    if (value.rows != RowKind::samples) {
      fail(Errc::malformed, message("input ", value.name, " of the program is not made of samples"));
    }
    if (numbers.size() != samples.count * value.shape.size()) {
      fail(Errc::malformed,
           message("input ", value.name, ": ", samples.count, " samples of ", row_shape_text(value.shape), " have ",
                   samples.count * value.shape.size(), " numbers, but there are ", numbers.size()));
    }
    const auto bad = std::find_if_not(numbers.begin(), numbers.end(), [](float x) { return std::isfinite(x); });
    if (bad != numbers.end()) {
      fail(Errc::malformed, message("input ", value.name, ": sample ", (bad - numbers.begin()) / value.shape.size(),
                                    " has a number that is not finite"));
    }
  }
}

DenseSamples part_of(const DenseSamples& samples, size_t first, size_t count) {
  DenseSamples part;
  part.count = count;
  for (const std::vector<float>& numbers : samples.inputs) {
    const size_t row = numbers.size() / samples.count;
    const auto begin = numbers.begin() + static_cast<std::ptrdiff_t>(first * row);
    part.inputs.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(count * row));
  }
  return part;
}

std::vector<float> run_samples(Session& session, const DenseSamples& samples) {
  const Program& program = session.model().program();
  std::vector<const float*> inputs;
  for (const std::vector<float>& numbers : samples.inputs) inputs.push_back(numbers.data());
  std::vector<float> result(samples.count * program.values[program.outputs.at(0)].shape.size());
  float* const outputs[] = {result.data()};
  session.run(DenseBatch{samples.count}, inputs, outputs);
  return result;
}

}  // namespace lathe
