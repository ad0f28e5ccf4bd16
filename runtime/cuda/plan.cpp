#include "runtime/cuda/plan.h"

#include <algorithm>
#include <map>

#include "formats/artifact/error.h"
#include "runtime/cuda/kernels/attention.h"
#include "runtime/cuda/merge_steps.h"
#include "runtime/fused_ops.h"
#include "runtime/value_offsets.h"

namespace lathe::cuda {
namespace {

constexpr size_t kQuantizedUnit = 64;  // bytes; rows of quantized inputs are multiples of it

// The plan while the ops are taken in order.
struct Draft {
  const Program& program;
  const WeightStore& weights;
  Plan plan = {};
  uint32_t quantized_value = kNone;  // what the quantized rows hold
  InputBits quantized_bits = InputBits::eight;
};

Activation activation_of(const Draft& draft, ActivationFunction function) {
  static_assert(static_cast<uint32_t>(Function::gelu) == static_cast<uint32_t>(ActivationFunction::gelu) + 1);
  static_assert(static_cast<uint32_t>(Function::tanh) == static_cast<uint32_t>(ActivationFunction::tanh) + 1);
  return {static_cast<Function>(static_cast<uint32_t>(function) + 1), draft.weights.gelu_table};
}

const std::string& weight_name(const Draft& draft, const Op& op, size_t slot) {
  return draft.program.weights[op.weights[slot]];
}

const float* vector_weight(const Draft& draft, const Op& op, size_t slot) {
  return op.has_weight(slot) ? draft.weights.vectors.at(weight_name(draft, op, slot)).data() : nullptr;
}

uint32_t width_of(const Draft& draft, uint32_t value) { return draft.program.values[value].shape.size(); }

void add_step(Draft& draft, const StepKind& kind, const Op& op, uint32_t output) {
  Step step{kind, {kNone, kNone, kNone}, output, draft.program.values[output].rows};
  std::copy(op.inputs.begin(), op.inputs.end(), step.inputs.begin());
  draft.plan.steps.push_back(step);
}

// Layers that read one value one after the other share its quantization.
void quantize_input(Draft& draft, const Op& op, InputBits bits) {
  const uint32_t input = op.inputs[0];
  if (draft.quantized_value == input && draft.quantized_bits == bits) return;
  draft.plan.steps.push_back({QuantizeStep{bits}, {input, kNone, kNone}, kNone, draft.program.values[input].rows});
  draft.plan.quantized_stride =
      std::max<size_t>(draft.plan.quantized_stride, round_up(width_of(draft, input), kQuantizedUnit));
  draft.plan.wide = draft.plan.wide || bits == InputBits::sixteen;
  draft.quantized_value = input;
  draft.quantized_bits = bits;
}

// After this step the values of tokens may shrink to those of the last token of each sequence, which are rounded anew.
void end_of_mixing(Draft& draft) { draft.quantized_value = kNone; }

// The step after the last attention or pooling.
size_t end_of_all_mixing(const std::vector<Step>& steps) {
  size_t end = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    const StepKind& kind = steps[i].kind;
    if (std::holds_alternative<AttentionStep>(kind) || std::holds_alternative<PoolStep>(kind)) end = i + 1;
  }
  return end;
}

// ---- one function for each kind of op: adds its step ----

void add_op(Draft& draft, const FusedOp& fused, const ops::Embedding& embedding) {
  const WeightView& table = draft.weights.matrices.at(weight_name(draft, *fused.op, 0));
  add_step(draft, GatherStep{table, embedding.stream}, *fused.op, fused.output());
}

void add_op(Draft& draft, const FusedOp& fused, const ops::Linear& linear) {
  const Op& op = *fused.op;
  LinearStep step{draft.weights.matrices.at(weight_name(draft, op, 0)), vector_weight(draft, op, 1)};
  if (fused.next != nullptr) step.activation = activation_of(draft, fused.next->as<ops::Activation>()->function);
  if (is_integer(step.weight.format)) {
    step.bits = linear.input_bits;
    quantize_input(draft, op, step.bits);
    if (step.weight.format != Format::int8) {
      const size_t bytes = step.weight.outputs * round_up(step.weight.inputs, 16);
      draft.plan.expanded_bytes = std::max(draft.plan.expanded_bytes, bytes);
    }
  }
  add_step(draft, step, op, fused.output());
}

LayerNormStep layer_norm_step(const Draft& draft, const Op& op) {
  return {vector_weight(draft, op, 0), vector_weight(draft, op, 1), op.as<ops::LayerNorm>()->epsilon};
}

void add_op(Draft& draft, const FusedOp& fused, const ops::LayerNorm&) {
  add_step(draft, layer_norm_step(draft, *fused.op), *fused.op, fused.output());
}

void add_op(Draft& draft, const FusedOp& fused, const ops::Attention& attention) {
  AttentionStep step{attention.heads,  attention.kv_heads,          0, attention.mask == AttentionMask::causal,
                     attention.window, draft.plan.attentions.size()};
  step.head_width = width_of(draft, fused.output()) / attention.heads;
  if (step.head_width > kLargestHead) {
    fail(Errc::unsupported, message("attention ", step.layer, ": heads of ", step.head_width,
                                    " numbers; the CUDA kernels take at most ", kLargestHead));
  }
  draft.plan.attentions.push_back(step);
  add_step(draft, step, *fused.op, fused.output());
  end_of_mixing(draft);
}

void add_op(Draft& draft, const FusedOp& fused, const ops::Activation& activation) {
  add_step(draft, ElementwiseStep{Combine::activate, activation_of(draft, activation.function)}, *fused.op,
           fused.output());
}

void add_op(Draft& draft, const FusedOp& fused, const ops::Add&) {
  if (fused.next == nullptr) return add_step(draft, ElementwiseStep{Combine::add}, *fused.op, fused.output());
  add_step(draft, layer_norm_step(draft, *fused.next), *fused.op, fused.output());
}

void add_op(Draft& draft, const FusedOp& fused, const ops::Pool& pool) {
  add_step(draft, PoolStep{pool.pooling}, *fused.op, fused.output());
  end_of_mixing(draft);
}

void add_op(Draft& draft, const FusedOp& fused, const ops::Normalize& normalize) {
  add_step(draft, NormalizeStep{normalize.epsilon}, *fused.op, fused.output());
}

void add_op(Draft& draft, const FusedOp& fused, const ops::RmsNorm& norm) {
  add_step(draft, RmsNormStep{vector_weight(draft, *fused.op, 0), norm.epsilon, std::max(norm.heads, 1u)}, *fused.op,
           fused.output());
}

void add_op(Draft& draft, const FusedOp& fused, const ops::Multiply&) {
  add_step(draft, ElementwiseStep{Combine::multiply}, *fused.op, fused.output());
}

void add_op(Draft& draft, const FusedOp& fused, const ops::Rope& rope) {
  const std::span<const float> frequencies = draft.weights.vectors.at(weight_name(draft, *fused.op, 0));
  const auto pairs = static_cast<uint32_t>(frequencies.size());
  add_step(draft, RopeStep{frequencies.data(), pairs, rope.heads, rope.pairs}, *fused.op, fused.output());
}

// The program's inputs are there before the first step and its outputs after the last one.
std::map<uint32_t, Lifetime> lifetimes_of(const Program& program, const Plan& plan) {
  std::map<uint32_t, Lifetime> lifetimes;
  const auto touch = [&](uint32_t value, size_t time) {
    if (value != kNone) lifetimes.try_emplace(value, Lifetime{value}).first->second.touch(time);
  };
  for (const uint32_t value : program.inputs) touch(value, 0);
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    for (const uint32_t value : plan.steps[i].inputs) touch(value, i);
    touch(plan.steps[i].output, i);
  }
  for (const uint32_t value : program.outputs) touch(value, plan.steps.size());
  return lifetimes;
}

void place_values(const Program& program, Plan& plan) {
  std::vector<size_t> widths, offsets(program.values.size());
  for (const Value& value : program.values) widths.push_back(value.shape.size());
  std::vector<size_t> memories(program.values.size(), 0);
  std::array<std::vector<Lifetime>, kMemories> by_memory;
  plan.late_outputs = true;
  for (const auto& [value, lifetime] : lifetimes_of(program, plan)) {
    const RowKind rows = program.values[value].rows;
    const bool late = rows == RowKind::tokens && lifetime.first >= plan.rowwise_from;
    memories[value] = late ? kLateTokens : static_cast<size_t>(rows);
    by_memory[memories[value]].push_back(lifetime);
    if (rows == RowKind::tokens && !late && lifetime.last >= plan.rowwise_from) plan.values_across.push_back(value);
  }
  for (const uint32_t value : program.outputs) {
    const bool across =
        std::find(plan.values_across.begin(), plan.values_across.end(), value) != plan.values_across.end();
    plan.late_outputs = plan.late_outputs && !across;
  }
  for (size_t memory = 0; memory < kMemories; ++memory) {
    plan.row_width[memory] = assign_offsets(by_memory[memory], widths, offsets);
  }
  for (size_t i = 0; i < program.values.size(); ++i) {
    plan.values.push_back({program.values[i].rows, static_cast<uint32_t>(widths[i]), memories[i], offsets[i]});
  }
}

}  // namespace

Plan make_plan(const Program& program, const WeightStore& weights) {
  Draft draft{program, weights};
  draft.plan.inputs = program.inputs;
  draft.plan.outputs = program.outputs;
  for (const FusedOp& fused : fuse_ops(program)) {
    std::visit([&](const auto& kind) { add_op(draft, fused, kind); }, fused.op->attributes);
  }
  const std::vector<size_t> readers = count_readers(program);
  draft.plan.steps = merge_steps(draft.plan.steps, readers);
  mark_ropes_before_attention(draft.plan.steps, readers);
  draft.plan.rowwise_from = end_of_all_mixing(draft.plan.steps);
  place_values(program, draft.plan);
  return std::move(draft.plan);
}

}  // namespace lathe::cuda
