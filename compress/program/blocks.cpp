#include "compress/program/blocks.h"

#include <algorithm>
#include <tuple>

namespace lathe {
namespace {

// For each value, one past the last op that reads it: past the end of the program for its outputs, 0 for a value that
// nobody reads.
std::vector<size_t> ends_of_life(const Program& program) {
  std::vector<size_t> end(program.values.size(), 0);
  for (size_t i = 0; i < program.ops.size(); ++i) {
    for (const uint32_t input : program.ops[i].inputs) end[input] = i + 1;
  }
  for (const uint32_t output : program.outputs) end[output] = program.ops.size() + 1;
  return end;
}

// A place just before an op where only one value is alive.
struct Cut {
  size_t op = 0;
  uint32_t value = kNone;
};

std::vector<Cut> find_cuts(const Program& program) {
  const std::vector<size_t> end = ends_of_life(program);
  size_t embedded = 0;  // the inputs of the program are not read after this op
  for (size_t i = 0; i < program.ops.size(); ++i) {
    if (program.ops[i].is<ops::Embedding>()) embedded = i + 1;
  }
  std::vector<Cut> cuts;
  std::vector<uint32_t> alive = program.inputs;
  for (size_t at = 0; at <= program.ops.size(); ++at) {
    std::erase_if(alive, [&](uint32_t value) { return end[value] <= at; });
    if (at >= embedded && alive.size() == 1 && program.values[alive[0]].rows == RowKind::tokens) {
      cuts.push_back({at, alive[0]});
    }
    if (at < program.ops.size()) alive.push_back(program.ops[at].output);
  }
  return cuts;
}

// The pieces between neighbouring cuts.
std::vector<Block> find_stretches(const Program& program) {
  std::vector<Block> stretches;
  Cut from;
  for (const Cut& cut : find_cuts(program)) {
    if (cut.op > from.op) stretches.push_back({from.op, cut.op - 1, from.value, cut.value});
    from = cut;
  }
  return stretches;
}

bool has_linear(const Program& program, const Block& block) {
  return std::any_of(program.ops.begin() + static_cast<std::ptrdiff_t>(block.first),
                     program.ops.begin() + static_cast<std::ptrdiff_t>(block.last) + 1,
                     [](const Op& op) { return op.is<ops::Linear>(); });
}

// Two stretches repeat each other when their signatures are equal.
using Signature = std::vector<std::tuple<Attributes, uint32_t, std::vector<uint32_t>>>;

Signature signature(const Program& program, const Block& stretch) {
  Signature out;
  for (size_t i = stretch.first; i <= stretch.last; ++i) {
    const Op& op = program.ops[i];
    std::vector<uint32_t> widths;
    for (const uint32_t input : op.inputs) widths.push_back(program.values[input].shape.size());
    Attributes attributes = op.attributes;
    if (auto* attention = std::get_if<ops::Attention>(&attributes)) attention->window = 0;  // may differ by layer
    out.emplace_back(attributes, program.values[op.output].shape.size(), std::move(widths));
  }
  return out;
}

// Layers that repeat each other, each of `period` stretches, from stretch `first` on.
struct Run {
  size_t first = 0;
  size_t period = 1;
  size_t layers = 0;
  size_t length() const { return period * layers; }
};

// The longest run with this period, the first of them among equals. It begins with a stretch that has a linear op,
// because norms in front of it belong to what comes before.
Run longest_run(const std::vector<Signature>& signatures, const std::vector<bool>& linear, size_t period) {
  Run best;
  const size_t count = signatures.size();
  for (size_t first = 0; first + 2 * period <= count; ++first) {
    if (!linear[first]) continue;
    size_t same = 0;
    while (first + same + period < count && signatures[first + same] == signatures[first + same + period]) ++same;
    const Run run{first, period, 1 + same / period};
    if (run.layers > 1 && run.length() > best.length()) best = run;
  }
  return best;
}

}  // namespace

std::vector<Block> find_blocks(const Program& program) {
  std::vector<Block> blocks;
  for (const Block& stretch : find_stretches(program)) {
    if (blocks.empty() || has_linear(program, stretch)) {
      blocks.push_back(stretch);
    } else {
      blocks.back().last = stretch.last;
      blocks.back().output = stretch.output;
    }
  }
  return blocks;
}

// Looks for repeating stretches, not blocks: the norm after the last layer belongs to that layer's last block, which
// therefore does not repeat the others.
std::vector<Block> find_layers(const Program& program) {
  const std::vector<Block> stretches = find_stretches(program);
  std::vector<Signature> signatures;
  std::vector<bool> linear;
  for (const Block& stretch : stretches) {
    signatures.push_back(signature(program, stretch));
    linear.push_back(has_linear(program, stretch));
  }
  Run best;
  for (size_t period = 1; 2 * period <= stretches.size(); ++period) {
    const Run run = longest_run(signatures, linear, period);
    if (run.length() > best.length()) best = run;
  }
  std::vector<Block> layers;
  for (size_t layer = 0; layer < best.layers; ++layer) {
    const Block& from = stretches[best.first + layer * best.period];
    const Block& to = stretches[best.first + (layer + 1) * best.period - 1];
    layers.push_back({from.first, to.last, from.input, to.output});
  }
  return layers;
}

}  // namespace lathe
