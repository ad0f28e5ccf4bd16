#include "runtime/cpu/plan.h"

#include <algorithm>
#include <array>

namespace lathe {
namespace {

struct Interval {
  uint32_t value;
  size_t first;  // inclusive, both
  size_t last;
  size_t width;
};

// Gives each interval an offset such that intervals that overlap in time do not overlap in memory; first fit.
// Returns the total.
size_t assign_columns(std::vector<Interval> intervals, std::vector<Place>& places) {
  std::sort(intervals.begin(), intervals.end(), [](const Interval& x, const Interval& y) { return x.first < y.first; });
  size_t total = 0;
  std::vector<Interval> live;
  for (const Interval& wanted : intervals) {
    std::erase_if(live, [&](const Interval& other) { return other.last < wanted.first; });
    std::sort(live.begin(), live.end(),
              [&](const Interval& x, const Interval& y) { return places[x.value].column < places[y.value].column; });
    size_t column = 0;
    for (const Interval& other : live) {
      if (column + wanted.width <= places[other.value].column) break;
      column = std::max(column, places[other.value].column + other.width);
    }
    places[wanted.value].column = column;
    total = std::max(total, column + wanted.width);
    live.push_back(wanted);
  }
  return total;
}

kernels::Epilogue epilogue_of(ActivationFunction function) {
  switch (function) {  // without a default: the compiler names a function that is missing
    case ActivationFunction::gelu:
      return kernels::Epilogue::gelu;
    case ActivationFunction::gelu_tanh:
      return kernels::Epilogue::gelu_tanh;
    case ActivationFunction::relu:
      return kernels::Epilogue::relu;
    case ActivationFunction::silu:
      return kernels::Epilogue::silu;
    case ActivationFunction::tanh:
      return kernels::Epilogue::tanh;
  }
  fail(Errc::internal, "no kernel applies this activation function");
}

class Planner {
 public:
  Planner(const Program& program, const WeightStore& weights)
      : program_(program), weights_(weights), uses_(program.values.size(), 0) {
    for (const Op& op : program.ops) {
      for (const uint32_t input : op.inputs) ++uses_[input];
    }
    for (const uint32_t output : program.outputs) uses_[output] += 2;  // never fused away
  }

  Plan run() {
    for (size_t i = 0; i < program_.ops.size();) i += add_op(i);
    plan_.causal = attentions_ > 0 && causal_ == attentions_;
    place_values();
    return std::move(plan_);
  }

 private:
  // Emits the op at `index`, together with the next one where the two fuse; returns how many were taken.
  size_t add_op(size_t index) {
    return std::visit([&](const auto& attributes) { return add(attributes, index); }, program_.ops[index].attributes);
  }

  size_t add(const ops::Attention& attributes, size_t index) {
    const Op& op = program_.ops[index];
    add_meeting(SegmentKind::attention, op);
    ++attentions_;
    if (attributes.mask == AttentionMask::causal) ++causal_;
    plan_.head_width = std::max(plan_.head_width, program_.values[op.output].shape.size() / attributes.heads);
    return 1;
  }

  size_t add(const ops::Pool&, size_t index) {
    add_meeting(SegmentKind::pool, program_.ops[index]);
    return 1;
  }

  // Every other kind works on one row at a time, and its set_step() says how.
  template <class Kind>
  size_t add(const Kind& attributes, size_t index) {
    const Op& op = program_.ops[index];
    const Op* next = fusable_next(index);
    open_segment(program_.values[op.output].rows);
    Step step;
    step.a = op.inputs.empty() ? kNone : op.inputs[0];
    step.b = op.inputs.size() > 1 ? op.inputs[1] : kNone;
    step.output = next != nullptr ? next->output : op.output;
    set_step(attributes, {op, next}, step);
    plan_.segments.back().steps.push_back(step);
    return next != nullptr ? 2 : 1;
  }

  // Attention and pooling look at the rows of a whole sequence.
  void add_meeting(SegmentKind kind, const Op& op) {
    plan_.segments.push_back({kind, program_.values[op.output].rows, {}, op, attentions_});
    plan_.tail = plan_.segments.size();
  }

  struct Fusable {
    const Op& op;
    const Op* next;  // the op that fuses with it, or null
  };

  void set_step(const ops::Embedding& attributes, const Fusable& at, Step& step) {
    step.kind = StepKind::gather;
    step.stream = attributes.stream;
    step.table = &weights_.tables.at(weight_name(at.op, 0));
    plan_.table_width = std::max(plan_.table_width, step.table->width());
  }

  void set_step(const ops::Linear& attributes, const Fusable& at, Step& step) {
    step.kind = StepKind::linear;
    step.linear = &weights_.linear.at(linear_key(program_, at.op));
    if (at.next != nullptr) step.epilogue = epilogue_of(at.next->as<ops::Activation>()->function);
    plan_.scratch_bytes = std::max(plan_.scratch_bytes, step.linear->scratch_bytes());
    if (!step.linear->is_integer()) return;
    step.wide = attributes.input_bits == InputBits::sixteen;
    if (step.wide) plan_.pair_width = std::max<size_t>(plan_.pair_width, program_.values[at.op.output].shape.size());
    if (quantized_ == step.a && quantized_wide_ == step.wide) return;
    Step quantize;
    quantize.kind = StepKind::quantize;
    quantize.a = step.a;
    quantize.wide = quantized_wide_ = step.wide;
    plan_.segments.back().steps.push_back(quantize);
    plan_.quantized_stride =
        std::max(plan_.quantized_stride, round_up(program_.values[step.a].shape.size(), kernels::kInputPadding));
    quantized_ = step.a;
  }

  void set_step(const ops::LayerNorm& attributes, const Fusable& at, Step& step) {
    step.kind = StepKind::add_layer_norm;
    step.gamma = weights_.vectors.at(weight_name(at.op, 0)).data();
    step.beta = weights_.vectors.at(weight_name(at.op, 1)).data();
    step.epsilon = attributes.epsilon;
  }

  void set_step(const ops::Activation& attributes, const Fusable&, Step& step) {
    step.kind = StepKind::activate;
    step.epilogue = epilogue_of(attributes.function);
  }

  void set_step(const ops::Add&, const Fusable& at, Step& step) {
    step.kind = StepKind::add;
    if (at.next != nullptr) set_step(*at.next->as<ops::LayerNorm>(), {*at.next, nullptr}, step);
  }

  void set_step(const ops::Normalize& attributes, const Fusable&, Step& step) {
    step.kind = StepKind::normalize;
    step.epsilon = attributes.epsilon;
  }

  void set_step(const ops::RmsNorm& attributes, const Fusable& at, Step& step) {
    step.kind = StepKind::rms_norm;
    step.gamma = weights_.vectors.at(weight_name(at.op, 0)).data();
    step.epsilon = attributes.epsilon;
    step.heads = std::max(attributes.heads, 1u);
  }

  void set_step(const ops::Multiply&, const Fusable&, Step& step) { step.kind = StepKind::multiply; }

  void set_step(const ops::Rope& attributes, const Fusable& at, Step& step) {
    const std::vector<float>* frequencies = &weights_.vectors.at(weight_name(at.op, 0));
    step.kind = StepKind::rope;
    step.heads = attributes.heads;
    step.neighbours = attributes.pairs == RopePairs::neighbours;
    while (step.turns < plan_.turns.size() && plan_.turns[step.turns].frequencies != frequencies) ++step.turns;
    if (step.turns < plan_.turns.size()) return;
    plan_.turns.push_back({frequencies, plan_.turn_columns});
    plan_.turn_columns += 2 * frequencies->size();
  }

  const std::string& weight_name(const Op& op, size_t slot) const { return program_.weights[op.weights[slot]]; }

  // linear + activation, add + layer_norm: the second is the only reader of the first.
  const Op* fusable_next(size_t index) const {
    if (index + 1 >= program_.ops.size()) return nullptr;
    const Op& op = program_.ops[index];
    const Op& next = program_.ops[index + 1];
    const bool pair =
        (op.is<ops::Linear>() && next.is<ops::Activation>()) || (op.is<ops::Add>() && next.is<ops::LayerNorm>());
    return pair && next.inputs[0] == op.output && uses_[op.output] == 1 ? &next : nullptr;
  }

  void open_segment(RowKind rows) {
    const bool fits = !plan_.segments.empty() && plan_.segments.back().kind == SegmentKind::rows &&
                      plan_.segments.back().rows == rows;
    if (!fits) {
      plan_.segments.push_back({SegmentKind::rows, rows, {}, {}, 0});
      quantized_ = kNone;
    }
  }

  // Values are live from the segment that writes them to the last one that reads them; those of one segment alone
  // live in the block.
  void place_values() {
    plan_.places.resize(program_.values.size());
    std::vector<Interval> life(program_.values.size());
    for (uint32_t v = 0; v < life.size(); ++v) life[v] = {v, SIZE_MAX, 0, program_.values[v].shape.size()};
    std::vector<std::vector<Interval>> block_life(plan_.segments.size());
    for (size_t s = 0; s < plan_.segments.size(); ++s) {
      for (const auto& touched : touched_values(plan_.segments[s])) {
        life[touched.value].first = std::min(life[touched.value].first, s);
        life[touched.value].last = std::max(life[touched.value].last, s);
        block_life[s].push_back(touched);
      }
    }
    std::vector<bool> fixed(program_.values.size(), false);
    for (uint32_t v = 0; v < life.size(); ++v) {
      plan_.places[v] = {Home::workspace, 0, program_.values[v].rows, program_.values[v].shape.size()};
    }
    const auto fix = [&](const std::vector<uint32_t>& ids, Home home) {
      for (size_t i = 0; i < ids.size(); ++i) {
        plan_.places[ids[i]].home = home;
        plan_.places[ids[i]].column = i;
        fixed[ids[i]] = true;
      }
    };
    fix(program_.outputs, Home::output);
    fix(program_.inputs, Home::input);
    std::array<std::vector<Interval>, 2> workspace;
    for (const Interval& interval : life) {
      if (interval.first == SIZE_MAX || fixed[interval.value]) continue;
      const bool inside = interval.first == interval.last && plan_.segments[interval.first].kind == SegmentKind::rows;
      if (inside) {
        plan_.places[interval.value].home = Home::block;
      } else {
        workspace[static_cast<size_t>(program_.values[interval.value].rows)].push_back(interval);
      }
    }
    plan_.token_columns = assign_columns(workspace[0], plan_.places);
    plan_.sequence_columns = assign_columns(workspace[1], plan_.places);
    for (std::vector<Interval>& intervals : block_life) {
      std::erase_if(intervals, [&](const Interval& i) { return plan_.places[i.value].home != Home::block; });
      plan_.block_columns = std::max(plan_.block_columns, assign_columns(intervals, plan_.places));
    }
  }

  // Every value that the segment reads or writes, with the first and last step that does.
  std::vector<Interval> touched_values(const Segment& segment) const {
    std::map<uint32_t, Interval> touched;
    const auto touch = [&](uint32_t value, size_t step) {
      if (value == kNone) return;
      auto [at, is_new] = touched.try_emplace(value, Interval{value, step, step, program_.values[value].shape.size()});
      at->second.last = step;
    };
    for (size_t i = 0; i < segment.steps.size(); ++i) {
      touch(segment.steps[i].a, i);
      touch(segment.steps[i].b, i);
      touch(segment.steps[i].output, i);
    }
    if (segment.kind != SegmentKind::rows) {
      for (const uint32_t input : segment.op.inputs) touch(input, 0);
      touch(segment.op.output, 0);
    }
    std::vector<Interval> list;
    for (const auto& [value, interval] : touched) list.push_back(interval);
    return list;
  }

  const Program& program_;
  const WeightStore& weights_;
  std::vector<uint32_t> uses_;
  Plan plan_;
  size_t attentions_ = 0;
  size_t causal_ = 0;
  bool quantized_wide_ = false;
  uint32_t quantized_ = kNone;  // the value that the quantized slot holds at this point of the segment
};

}  // namespace

std::string linear_key(const Program& program, const Op& op) {
  return program.weights[op.weights[0]] + "\n" + (op.has_weight(1) ? program.weights[op.weights[1]] : "");
}

Plan make_plan(const Program& program, const WeightStore& weights) { return Planner(program, weights).run(); }

}  // namespace lathe
