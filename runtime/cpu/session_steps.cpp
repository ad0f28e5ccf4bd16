// The steps of a segment, each for one block of rows.

#include <algorithm>
#include <cmath>

#include "runtime/cpu/session_parts.h"

namespace lathe {
namespace {

void normalize_row(const float* x, size_t width, float epsilon, float* y) {
  double squares = 0;
  for (size_t i = 0; i < width; ++i) squares += static_cast<double>(x[i]) * x[i];
  const float norm = std::max(static_cast<float>(std::sqrt(squares)), epsilon);
  for (size_t i = 0; i < width; ++i) y[i] = x[i] / norm;
}

}  // namespace

void Session::gather(const Step& step, const Rows& rows) {
  const TokenBatch& batch = *rows.chunk->batch;
  float* y = address(step.output, rows);
  const size_t first = rows.chunk->first_token() + rows.range.first;
  for (size_t i = 0; i < rows.range.count; ++i) {
    const size_t token = first + i;
    size_t index = positions_[token];
    if (step.stream == Stream::tokens) index = static_cast<size_t>(batch.ids[token]);
    if (step.stream == Stream::segments) {
      index = batch.segments.empty() ? 0 : static_cast<size_t>(batch.segments[token]);
    }
    step.table->gather(index, rows.block->table_row.data(), y + i * step.table->width());
  }
}

// Each row of inputs stands as two of eight bits. In a part of the outputs just that part is joined.
void Session::run_wide_linear(const Step& step, const Rows& rows, Worker& runner, kernels::Part part) {
  const size_t out = plan_.places[step.output].width;
  const Worker& block = *rows.block;
  float* y = address(step.output, rows);
  const auto [first, end] = step.linear->outputs_of(part);
  for (size_t row = 0; row < rows.range.count; row += kPairRows) {
    const size_t count = std::min(kPairRows, rows.range.count - row);
    step.linear->run({block.quantized.data() + 2 * row * plan_.quantized_stride, plan_.quantized_stride,
                      block.scales.data() + 2 * row, block.zeros.data() + 2 * row, 2 * count, nullptr,
                      runner.pairs.data(), out, kernels::Epilogue::none, runner.scratch.data(), part},
                     false);
    model_.row_kernels().join_pairs(step.epilogue, runner.pairs.data() + first, out, step.linear->bias() + first, count,
                                    end - first, y + row * out + first, out);
  }
}

void Session::run_linear(const Step& step, const Rows& rows, Worker& runner, kernels::Part part) {
  const size_t in = plan_.places[step.a].width;
  const size_t out = plan_.places[step.output].width;
  const size_t n = rows.range.count;
  float* y = address(step.output, rows);
  if (step.wide) {
    run_wide_linear(step, rows, runner, part);
  } else if (step.linear->is_integer()) {
    const Worker& block = *rows.block;
    step.linear->run({block.quantized.data(), plan_.quantized_stride, block.scales.data(), block.zeros.data(), n,
                      nullptr, y, out, step.epilogue, runner.scratch.data(), part});
  } else {
    step.linear->run(address(step.a, rows), in, n, step.epilogue, y, out, part);
  }
}

void Session::run_step(const Step& step, const Rows& rows) {
  const kernels::RowKernels& kernels = model_.row_kernels();
  Worker& worker = *rows.block;
  const auto at = [&](uint32_t value) { return value == kNone ? nullptr : address(value, rows); };
  const float* a = at(step.a);
  const float* b = at(step.b);
  float* y = at(step.output);
  const size_t in = step.a == kNone ? 0 : plan_.places[step.a].width;
  const size_t out = step.output == kNone ? 0 : plan_.places[step.output].width;
  const size_t n = rows.range.count;
  switch (step.kind) {
    case StepKind::gather:
      gather(step, rows);
      break;
    case StepKind::quantize:
      (step.wide ? kernels.quantize_wide : kernels.quantize)(
          a, in, n, in, worker.quantized.data(), plan_.quantized_stride, worker.scales.data(), worker.zeros.data());
      break;
    case StepKind::linear:
      run_linear(step, rows, worker, {});
      break;
    case StepKind::add_layer_norm:
      kernels.add_layer_norm(a, in, b, in, n, in, step.gamma, step.beta, step.epsilon, y, out);
      break;
    case StepKind::activate:
      kernels.activate(step.epilogue, a, in, n, in, y, out);
      break;
    case StepKind::add:
      kernels.add(a, in, b, in, n, in, y, out);
      break;
    case StepKind::normalize:
      for (size_t i = 0; i < n; ++i) normalize_row(a + i * in, in, step.epsilon, y + i * out);
      break;
    case StepKind::rms_norm:
      kernels.rms_norm(a, in, n, step.heads, in / step.heads, step.gamma, step.epsilon, y, out);
      break;
    case StepKind::multiply:
      kernels.multiply(a, in, b, in, n, in, y, out);
      break;
    case StepKind::rope: {
      const Turns& turns = plan_.turns[step.turns];
      const size_t pairs = turns.frequencies->size();
      const float* first = rows.home->turns.data() + turns.column * rows.chunk->tokens() + rows.range.first * 2 * pairs;
      kernels.rope({a, in, n, step.heads, in / step.heads, pairs, step.neighbours, first, y, out});
      break;
    }
  }
}

}  // namespace lathe
