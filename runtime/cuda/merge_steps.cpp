#include "runtime/cuda/merge_steps.h"

namespace lathe::cuda {
namespace {

using Readers = std::vector<size_t>;

bool is_combine(const Step& step, Combine combine) {
  const auto* elementwise = std::get_if<ElementwiseStep>(&step.kind);
  return elementwise != nullptr && elementwise->combine == combine;
}

// x + linear(...): the layer adds x itself.
bool join_addition(Step& before, const Step& step, const Readers& readers) {
  const auto* linear = std::get_if<LinearStep>(&before.kind);
  if (linear == nullptr || before.inputs[1] != kNone || !is_combine(step, Combine::add)) return false;
  const bool second = step.inputs[1] == before.output;
  if (step.inputs[0] == step.inputs[1] || (!second && step.inputs[0] != before.output)) return false;
  if (readers[before.output] != 1) return false;
  before.inputs[1] = step.inputs[second ? 0 : 1];
  before.output = step.output;
  return true;
}

// function(a) * b
bool join_gate(Step& before, const Step& step, const Readers& readers) {
  if (!is_combine(before, Combine::activate) || !is_combine(step, Combine::multiply)) return false;
  if (step.inputs[0] != before.output || step.inputs[1] == before.output || readers[before.output] != 1) return false;
  std::get<ElementwiseStep>(before.kind).combine = Combine::gated;
  before.inputs[1] = step.inputs[1];
  before.output = step.output;
  return true;
}

// Only steps whose kernel has a warp for each row.
bool join_rounding(Step& before, const Step& step) {
  const auto* quantize = std::get_if<QuantizeStep>(&step.kind);
  if (quantize == nullptr || step.inputs[0] != before.output || before.rounds) return false;
  const auto* norm = std::get_if<RmsNormStep>(&before.kind);
  const bool by_rows = (norm != nullptr && norm->heads == 1) || std::holds_alternative<LayerNormStep>(before.kind) ||
                       std::holds_alternative<ElementwiseStep>(before.kind);
  if (by_rows) before.rounds = quantize->bits;
  return by_rows;
}

}  // namespace

std::vector<Step> merge_steps(const std::vector<Step>& steps, const std::vector<size_t>& readers) {
  std::vector<Step> merged;
  for (const Step& step : steps) {
    if (!merged.empty()) {
      Step& before = merged.back();
      if (join_addition(before, step, readers) || join_gate(before, step, readers) || join_rounding(before, step)) {
        continue;
      }
    }
    merged.push_back(step);
  }
  return merged;
}

void mark_ropes_before_attention(std::vector<Step>& steps, const std::vector<size_t>& readers) {
  for (size_t i = 0; i + 2 < steps.size(); ++i) {
    const Step& attention = steps[i + 2];
    steps[i].leads_to_attention =
        std::holds_alternative<RopeStep>(steps[i].kind) && std::holds_alternative<RopeStep>(steps[i + 1].kind) &&
        std::holds_alternative<AttentionStep>(attention.kind) && attention.inputs[0] == steps[i].output &&
        attention.inputs[1] == steps[i + 1].output && readers[steps[i + 1].output] == 1;
  }
}

}  // namespace lathe::cuda
