#include "compress/program/student_layers.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace lathe {
namespace {

// Comparing layers with one another takes far fewer tokens than the second moments of a layer's inputs do.
constexpr size_t kComparedTokens = 4096;

TokenBatch first_sequences(const TokenBatch& batch, size_t tokens) {
  TokenBatch out;
  for (size_t s = 0; s < batch.sequences() && (s == 0 || out.tokens() + batch.length(s) <= tokens); ++s) {
    out.add(std::span(batch.ids).subspan(batch.starts[s], batch.length(s)));
  }
  return out;
}

// Replaces outputs that are logits of every token by the values that they are computed from, because the logits of all
// samples would not fit into memory.
Program without_head(const Program& program) {
  Program part = program;
  for (uint32_t& output : part.outputs) {
    const auto op =
        std::find_if(program.ops.begin(), program.ops.end(), [&](const Op& o) { return o.output == output; });
    const bool head = op != program.ops.end() && op->is<ops::Linear>();
    if (head && program.values[output].rows == RowKind::tokens) output = op->inputs[0];
  }
  return slice(part, part.inputs, part.outputs).program;
}

// All outputs of the program, one after the other.
std::vector<float> outputs_of(const Program& program, const WeightLookup& weights, const TokenBatch& batch,
                              size_t threads) {
  const Model model = Model::build(program, weights, "student");
  Session session(model, threads);
  std::vector<size_t> starts = {0};
  for (const uint32_t id : program.outputs) {
    const size_t rows = program.values[id].rows == RowKind::tokens ? batch.tokens() : batch.sequences();
    starts.push_back(starts.back() + rows * program.values[id].shape.size());
  }
  std::vector<float> values(starts.back());
  std::vector<float*> out;
  for (size_t i = 0; i < program.outputs.size(); ++i) out.push_back(values.data() + starts[i]);
  session.run(batch, {}, out);
  return values;
}

double squared_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
  return sum;
}

}  // namespace

Program without_layers(const Program& program, const std::vector<Block>& layers, const std::vector<bool>& keep,
                       std::vector<uint32_t>& tracked) {
  std::vector<uint32_t> stand_in(program.values.size());
  std::iota(stand_in.begin(), stand_in.end(), 0u);
  std::vector<bool> dropped(program.ops.size(), false);
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    if (keep[layer]) continue;
    const Block& block = layers[layer];
    stand_in[block.output] = stand_in[block.input];
    for (size_t i = block.first; i <= block.last; ++i) dropped[i] = true;
  }
  Program rewired = program;
  rewired.ops.clear();
  for (size_t i = 0; i < program.ops.size(); ++i) {
    if (dropped[i]) continue;
    rewired.ops.push_back(program.ops[i]);
    for (uint32_t& input : rewired.ops.back().inputs) input = stand_in[input];
  }
  std::vector<uint32_t> wanted = program.outputs;
  wanted.insert(wanted.end(), tracked.begin(), tracked.end());
  for (uint32_t& id : wanted) id = stand_in[id];
  Program part = slice(rewired, program.inputs, wanted).program;
  const auto own_outputs = part.outputs.begin() + static_cast<std::ptrdiff_t>(program.outputs.size());
  tracked.assign(own_outputs, part.outputs.end());
  part.outputs.erase(own_outputs, part.outputs.end());
  return part;
}

std::vector<bool> spread_layers(size_t layers, size_t kept) {
  std::vector<bool> keep(layers, false);
  keep[layers - 1] = true;
  for (size_t i = 0; i + 1 < kept; ++i) keep[(2 * i * (layers - 1) + kept - 1) / (2 * (kept - 1))] = true;
  return keep;
}

std::vector<bool> most_important_layers(const Program& program, const std::vector<Block>& layers, size_t kept,
                                        const WeightLookup& weights, const TokenBatch& samples, Progress& progress,
                                        size_t threads) {
  const TokenBatch batch = first_sequences(samples, kComparedTokens);
  const std::vector<float> whole = outputs_of(without_head(program), weights, batch, threads);
  std::vector<bool> keep(layers.size(), true);
  for (size_t left = layers.size(); left > kept; --left) {
    double least = std::numeric_limits<double>::infinity();
    size_t least_important = layers.size();
    for (size_t layer = 0; layer < layers.size(); ++layer) {
      if (!keep[layer]) continue;
      if (progress.cancelled()) fail(Errc::interrupted, "stopped while choosing layers");
      std::vector<bool> fewer = keep;
      fewer[layer] = false;
      std::vector<uint32_t> tracked;
      const Program without = without_layers(program, layers, fewer, tracked);
      const double change = squared_difference(outputs_of(without_head(without), weights, batch, threads), whole);
      if (change >= least && least_important < layers.size()) continue;
      least = change;
      least_important = layer;
    }
    keep[least_important] = false;
    progress.advance(layers.size() - left + 1);
  }
  return keep;
}

}  // namespace lathe
