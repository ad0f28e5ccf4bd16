#include "runtime/cpu/plan.h"

#include <algorithm>

#include "runtime/fused_ops.h"

namespace lathe::cpu {
namespace {

using kernels::Epilogue;

// The plan while the ops are taken in order.
struct Draft {
  const Program& program;
  const WeightStore& weights;
  Plan plan = {};
  size_t attentions = 0;
  // What the block's quantized rows hold at this point of the segment.
  uint32_t quantized_value = kNone;
  InputBits quantized_bits = InputBits::eight;
};

const std::string& weight_name(const Draft& draft, const Op& op, size_t slot) {
  return draft.program.weights[op.weights[slot]];
}

const std::vector<float>& vector_weight(const Draft& draft, const Op& op, size_t slot) {
  return draft.weights.vectors.at(weight_name(draft, op, slot));
}

size_t width_of(const Draft& draft, uint32_t value) { return draft.program.values[value].shape.size(); }

Epilogue epilogue_of(ActivationFunction function) {
  switch (function) {  // a function that is missing here does not compile
    case ActivationFunction::gelu:
      return Epilogue::gelu;
    case ActivationFunction::gelu_tanh:
      return Epilogue::gelu_tanh;
    case ActivationFunction::relu:
      return Epilogue::relu;
    case ActivationFunction::silu:
      return Epilogue::silu;
    case ActivationFunction::tanh:
      return Epilogue::tanh;
  }
  fail(Errc::internal, "an activation has a number that no function has");
}

// The row segment that takes the next step: the last segment, or a new one where that has other rows or is none.
std::vector<Step>& open_steps(Draft& draft, RowKind rows) {
  std::vector<Segment>& segments = draft.plan.segments;
  if (segments.empty() || segments.back().rows != rows || !std::holds_alternative<RowSegment>(segments.back().work)) {
    segments.push_back({rows, RowSegment{}});
    draft.quantized_value = kNone;
  }
  return std::get<RowSegment>(segments.back().work).steps;
}

void add_step(Draft& draft, const StepKind& kind, const Op& op, uint32_t output) {
  Step step{kind, {kNone, kNone}, output};
  std::copy(op.inputs.begin(), op.inputs.end(), step.inputs.begin());
  open_steps(draft, draft.program.values[output].rows).push_back(step);
}

LayerNormStep layer_norm_step(const Draft& draft, const Op& op, const ops::LayerNorm& norm) {
  return {vector_weight(draft, op, 0).data(), vector_weight(draft, op, 1).data(), norm.epsilon};
}

// Layers that read one value one after the other share its quantization.
void quantize_input(Draft& draft, const Op& op, InputBits bits) {
  std::vector<Step>& steps = open_steps(draft, draft.program.values[op.output].rows);
  const uint32_t input = op.inputs[0];
  if (draft.quantized_value == input && draft.quantized_bits == bits) return;
  steps.push_back({QuantizeStep{bits}, {input, kNone}, kNone});
  const size_t stride = round_up(width_of(draft, input), kernels::kInputPadding);
  draft.plan.quantized_stride = std::max(draft.plan.quantized_stride, stride);
  draft.quantized_value = input;
  draft.quantized_bits = bits;
}

size_t add_rotation(Draft& draft, const std::vector<float>& frequencies) {
  std::vector<Rotation>& rotations = draft.plan.rotations;
  for (size_t i = 0; i < rotations.size(); ++i) {
    if (rotations[i].frequencies == &frequencies) return i;
  }
  rotations.push_back({&frequencies, draft.plan.rotation_width});
  draft.plan.rotation_width += 2 * frequencies.size();
  return rotations.size() - 1;
}

// ---- one function for each kind of op: adds its step ----

void add_op(Draft& draft, const FusedOp& fused, const ops::Embedding& embedding) {
  const Op& op = *fused.op;
  const TableWeight& table = draft.weights.tables.at(weight_name(draft, op, 0));
  draft.plan.table_width = std::max(draft.plan.table_width, table.width());
  add_step(draft, GatherStep{&table, embedding.stream}, op, op.output);
}

void add_op(Draft& draft, const FusedOp& fused, const ops::Linear& linear) {
  const Op& op = *fused.op;
  LinearStep step;
  step.weight = &draft.weights.linear.at(linear_key(draft.program, op));
  if (fused.next != nullptr) step.epilogue = epilogue_of(fused.next->as<ops::Activation>()->function);
  draft.plan.scratch_bytes = std::max(draft.plan.scratch_bytes, step.weight->scratch_bytes());
  if (step.weight->is_integer()) {
    step.bits = linear.input_bits;
    quantize_input(draft, op, step.bits);
    if (step.bits == InputBits::sixteen) {
      draft.plan.wide_outputs = std::max(draft.plan.wide_outputs, step.weight->outputs());
    }
  }
  add_step(draft, step, op, fused.output());
}

void add_op(Draft& draft, const FusedOp& fused, const ops::LayerNorm& norm) {
  const Op& op = *fused.op;
  add_step(draft, layer_norm_step(draft, op, norm), op, op.output);
}

void add_op(Draft& draft, const FusedOp& fused, const ops::Attention& attention) {
  const Op& op = *fused.op;
  const size_t heads = attention.heads;
  draft.plan.segments.push_back(
      {draft.program.values[op.output].rows,
       AttentionSegment{op.inputs[0], op.inputs[1], op.inputs[2], op.output, heads, attention.kv_heads,
                        attention.mask == AttentionMask::causal, attention.window, draft.attentions++}});
  draft.plan.rowwise_from = draft.plan.segments.size();
  draft.plan.head_width = std::max(draft.plan.head_width, width_of(draft, op.output) / heads);
}

void add_op(Draft& draft, const FusedOp& fused, const ops::Activation& activation) {
  const Op& op = *fused.op;
  add_step(draft, ActivateStep{epilogue_of(activation.function)}, op, op.output);
}

void add_op(Draft& draft, const FusedOp& fused, const ops::Add&) {
  const Op& op = *fused.op;
  if (fused.next == nullptr) return add_step(draft, AddStep{}, op, op.output);
  add_step(draft, layer_norm_step(draft, *fused.next, *fused.next->as<ops::LayerNorm>()), op, fused.output());
}

void add_op(Draft& draft, const FusedOp& fused, const ops::Pool& pool) {
  const Op& op = *fused.op;
  draft.plan.segments.push_back(
      {draft.program.values[op.output].rows, PoolSegment{op.inputs[0], op.output, pool.pooling}});
  draft.plan.rowwise_from = draft.plan.segments.size();
}

void add_op(Draft& draft, const FusedOp& fused, const ops::Normalize& normalize) {
  const Op& op = *fused.op;
  add_step(draft, NormalizeStep{normalize.epsilon}, op, op.output);
}

void add_op(Draft& draft, const FusedOp& fused, const ops::RmsNorm& norm) {
  const Op& op = *fused.op;
  const size_t heads = std::max(norm.heads, 1u);
  add_step(draft, RmsNormStep{vector_weight(draft, op, 0).data(), norm.epsilon, heads}, op, op.output);
}

void add_op(Draft& draft, const FusedOp& fused, const ops::Multiply&) {
  const Op& op = *fused.op;
  add_step(draft, MultiplyStep{}, op, op.output);
}

void add_op(Draft& draft, const FusedOp& fused, const ops::Rope& rope) {
  const Op& op = *fused.op;
  const size_t rotation = add_rotation(draft, vector_weight(draft, op, 0));
  add_step(draft, RopeStep{rotation, rope.heads, rope.pairs}, op, op.output);
}

}  // namespace

Plan make_plan(const Program& program, const WeightStore& weights) {
  Draft draft{program, weights};
  for (const FusedOp& fused : fuse_ops(program)) {
    std::visit([&](const auto& kind) { add_op(draft, fused, kind); }, fused.op->attributes);
  }
  place_values(program, draft.plan);
  return std::move(draft.plan);
}

}  // namespace lathe::cpu
