#include "runtime/cpu/run_step.h"

#include <algorithm>
#include <cmath>

namespace lathe::cpu {
namespace {

// What the kernels of most steps need: inputs and output of `rows` rows; widths are also their strides.
struct Operands {
  const float* a = nullptr;
  const float* b = nullptr;
  float* y = nullptr;
  size_t in = 0;
  size_t out = 0;
  size_t rows = 0;
};

Operands operands_of(const Step& step, const BlockRun& block) {
  const auto at = [&](uint32_t value) {
    return value == kNone ? nullptr : address(block.run, block.memory, value, block.rows);
  };
  const auto width = [&](uint32_t value) { return value == kNone ? 0 : block.run.plan.values[value].width; };
  return {at(step.inputs[0]),    at(step.inputs[1]), at(step.output),
          width(step.inputs[0]), width(step.output), block.rows.count};
}

size_t table_index(const TokenBatch& tokens, const Chunk& chunk, Stream stream, size_t token) {
  switch (stream) {  // a stream that is missing here does not compile
    case Stream::tokens:
      return static_cast<size_t>(tokens.ids[token]);
    case Stream::positions:
      return (*chunk.positions)[token];
    case Stream::segments:
      return tokens.segments.empty() ? 0 : static_cast<size_t>(tokens.segments[token]);
  }
  return 0;  // not reached: every stream returns
}

// Each row of inputs stands as two rows of 8 bits, whose products are added afterwards.
void run_wide_linear(const LinearStep& linear, const BlockRun& block, WorkerMemory& scratch, kernels::Part part,
                     float* y) {
  const size_t out = linear.weight->outputs();
  const size_t stride = block.run.plan.quantized_stride;
  const WorkerMemory& inputs = block.memory;
  float* products = scratch.wide_products.data();
  const auto [first, end] = linear.weight->outputs_of(part);
  for (size_t row = 0; row < block.rows.count; row += kWideRows) {
    const size_t count = std::min(kWideRows, block.rows.count - row);
    linear.weight->run({inputs.quantized.data() + 2 * row * stride, stride, inputs.scales.data() + 2 * row,
                        inputs.zeros.data() + 2 * row, 2 * count, nullptr, products, out, kernels::Epilogue::none,
                        scratch.scratch.data(), part},
                       false);
    block.run.kernels.join_pairs(linear.epilogue, products + first, out, linear.weight->bias() + first, count,
                                 end - first, y + row * out + first, out);
  }
}

// The share `part` of the outputs.
void run_outputs(const LinearStep& linear, const BlockRun& block, const Operands& o, WorkerMemory& scratch,
                 kernels::Part part) {
  const WorkerMemory& inputs = block.memory;
  if (!linear.weight->is_integer()) {
    linear.weight->run(o.a, o.in, o.rows, linear.epilogue, o.y, o.out, part);
  } else if (linear.bits == InputBits::sixteen) {
    run_wide_linear(linear, block, scratch, part, o.y);
  } else {
    linear.weight->run({inputs.quantized.data(), block.run.plan.quantized_stride, inputs.scales.data(),
                        inputs.zeros.data(), o.rows, nullptr, o.y, o.out, linear.epilogue, scratch.scratch.data(),
                        part});
  }
}

// ---- one function for each kind of step ----

void run_kind(const GatherStep& gather, const BlockRun& block, const Operands& o) {
  const Chunk& chunk = block.run.chunk;
  const size_t first = chunk.first(RowKind::tokens) + block.rows.first;
  for (size_t i = 0; i < o.rows; ++i) {
    const size_t index = table_index(chunk.batch->tokens, chunk, gather.stream, first + i);
    gather.table->gather(index, block.memory.table_row.data(), o.y + i * o.out);
  }
}

void run_kind(const QuantizeStep& quantize, const BlockRun& block, const Operands& o) {
  const kernels::RowKernels& kernels = block.run.kernels;
  const auto run = quantize.bits == InputBits::sixteen ? kernels.quantize_wide : kernels.quantize;
  WorkerMemory& memory = block.memory;
  run(o.a, o.in, o.rows, o.in, memory.quantized.data(), block.run.plan.quantized_stride, memory.scales.data(),
      memory.zeros.data());
}

void run_kind(const LinearStep& linear, const BlockRun& block, const Operands& o) {
  run_outputs(linear, block, o, block.memory, {});
}

void run_kind(const LayerNormStep& norm, const BlockRun& block, const Operands& o) {
  block.run.kernels.add_layer_norm(o.a, o.in, o.b, o.in, o.rows, o.in, norm.gamma, norm.beta, norm.epsilon, o.y, o.out);
}

void run_kind(const RmsNormStep& norm, const BlockRun& block, const Operands& o) {
  block.run.kernels.rms_norm(o.a, o.in, o.rows, norm.heads, o.in / norm.heads, norm.gamma, norm.epsilon, o.y, o.out);
}

void run_kind(const ActivateStep& activate, const BlockRun& block, const Operands& o) {
  block.run.kernels.activate(activate.function, o.a, o.in, o.rows, o.in, o.y, o.out);
}

void run_kind(const AddStep&, const BlockRun& block, const Operands& o) {
  block.run.kernels.add(o.a, o.in, o.b, o.in, o.rows, o.in, o.y, o.out);
}

void run_kind(const MultiplyStep&, const BlockRun& block, const Operands& o) {
  block.run.kernels.multiply(o.a, o.in, o.b, o.in, o.rows, o.in, o.y, o.out);
}

void run_kind(const NormalizeStep& normalize, const BlockRun&, const Operands& o) {
  for (size_t row = 0; row < o.rows; ++row) {
    const float* x = o.a + row * o.in;
    float* y = o.y + row * o.out;
    double squares = 0;
    for (size_t i = 0; i < o.in; ++i) squares += static_cast<double>(x[i]) * x[i];
    const float norm = std::max(static_cast<float>(std::sqrt(squares)), normalize.epsilon);
    for (size_t i = 0; i < o.in; ++i) y[i] = x[i] / norm;
  }
}

void run_kind(const RopeStep& rope, const BlockRun& block, const Operands& o) {
  const Rotation& rotation = block.run.plan.rotations[rope.rotation];
  const size_t pairs = rotation.frequencies->size();
  const size_t tokens = block.run.chunk.count(RowKind::tokens);
  const float* first = block.run.team.owner->rotations.data() + rotation.offset * tokens + block.rows.first * 2 * pairs;
  block.run.kernels.rope({o.a, o.in, o.rows, rope.heads, o.in / rope.heads, pairs, rope.pairs == RopePairs::neighbours,
                          first, o.y, o.out});
}

}  // namespace

void run_linear(const Step& step, const LinearStep& linear, const BlockRun& block, WorkerMemory& scratch,
                kernels::Part part) {
  run_outputs(linear, block, operands_of(step, block), scratch, part);
}

void run_step(const Step& step, const BlockRun& block) {
  const Operands operands = operands_of(step, block);
  std::visit([&](const auto& kind) { run_kind(kind, block, operands); }, step.kind);
}

}  // namespace lathe::cpu
