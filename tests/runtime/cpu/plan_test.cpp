#include "runtime/cpu/plan.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "runtime/model.h"
#include "tests/support/compress_tiny.h"

namespace lathe {
namespace {

using test::TempDir;
using test::TinyModel;

struct Life {
  size_t first = SIZE_MAX;
  size_t last = 0;
  void touch(size_t at) {
    first = std::min(first, at);
    last = std::max(last, at);
  }
};

std::vector<uint32_t> touched(const Step& step) {
  std::vector<uint32_t> values;
  for (const uint32_t value : {step.a, step.b, step.output}) {
    if (value != kNone) values.push_back(value);
  }
  return values;
}

std::vector<uint32_t> touched(const Segment& segment) {
  std::vector<uint32_t> values;
  for (const Step& step : segment.steps) {
    for (const uint32_t value : touched(step)) values.push_back(value);
  }
  if (segment.kind != SegmentKind::rows) {
    values.insert(values.end(), segment.op.inputs.begin(), segment.op.inputs.end());
    values.push_back(segment.op.output);
  }
  return values;
}

// Values that live at the same time stand side by side, within `columns`.
void check_apart(const std::map<uint32_t, Life>& lives, const Plan& plan, size_t columns) {
  for (const auto& [a, life_a] : lives) {
    const Place& at = plan.places[a];
    CHECK(at.column + at.width <= columns);
    for (const auto& [b, life_b] : lives) {
      if (a >= b || at.rows != plan.places[b].rows) continue;
      if (life_a.last < life_b.first || life_b.last < life_a.first) continue;
      const Place& other = plan.places[b];
      INFO("values " << a << " and " << b);
      CHECK((at.column + at.width <= other.column || other.column + other.width <= at.column));
    }
  }
}

struct Fixture {
  TempDir dir;
  SourceModel source = open_source(TinyModel().write(dir), false);

  Model build(const Program& program) const {
    return Model::build(
        program, [this](const std::string& name) { return source.weight(name); }, "test");
  }
  Model compressed(const Recipe& recipe) const {
    test::compress_to(source, recipe, dir / "out.lathe");
    return Model::open(dir / "out.lathe");
  }
};

std::vector<size_t> steps_of(const Plan& plan, StepKind kind) {
  std::vector<size_t> counts;
  for (const Segment& segment : plan.segments) {
    if (segment.kind != SegmentKind::rows) continue;
    counts.push_back(static_cast<size_t>(std::count_if(segment.steps.begin(), segment.steps.end(),
                                                       [&](const Step& step) { return step.kind == kind; })));
  }
  return counts;
}

using Counts = std::vector<size_t>;

}  // namespace

TEST_CASE("attention and pooling cut the program into segments", "[runtime][plan]") {
  const Fixture f;
  const Model model = f.build(f.source.program);
  std::vector<SegmentKind> kinds;
  for (const Segment& segment : model.plan().segments) kinds.push_back(segment.kind);
  using enum SegmentKind;
  CHECK(kinds == std::vector{rows, attention, rows, attention, rows, pool, rows});
  CHECK(model.plan().segments.back().rows == RowKind::sequences);
  CHECK(model.plan().head_width == TinyModel::kHidden / TinyModel::kHeads);
  CHECK(model.plan().table_width == TinyModel::kHidden);
}

TEST_CASE("an addition joins the norm after it, and an activation the layer before it", "[runtime][plan]") {
  const Fixture f;
  const Model model = f.build(f.source.program);
  // embeddings and q, k, v; the rest of a layer with the next one's q, k, v; the rest of the last; normalization
  CHECK(steps_of(model.plan(), StepKind::gather) == Counts{3, 0, 0, 0});
  CHECK(steps_of(model.plan(), StepKind::add) == Counts{1, 0, 0, 0});
  CHECK(steps_of(model.plan(), StepKind::add_layer_norm) == Counts{1, 2, 2, 0});
  CHECK(steps_of(model.plan(), StepKind::linear) == Counts{3, 6, 3, 0});
  CHECK(steps_of(model.plan(), StepKind::activate) == Counts{0, 0, 0, 0});
  CHECK(steps_of(model.plan(), StepKind::quantize) == Counts{0, 0, 0, 0});
  CHECK(steps_of(model.plan(), StepKind::normalize) == Counts{0, 0, 0, 1});
}

TEST_CASE("layers that read one value share its quantization", "[runtime][plan]") {
  const Fixture f;
  const Model model = f.compressed(test::quick_recipe("int8"));
  CHECK(steps_of(model.plan(), StepKind::quantize) == Counts{1, 4, 3, 0});
  CHECK(steps_of(model.plan(), StepKind::linear) == Counts{3, 6, 3, 0});
  CHECK(model.plan().quantized_stride == 128);  // 80 inputs, padded
}

TEST_CASE("an activation whose input somebody else wants is not fused", "[runtime][plan]") {
  const Fixture f;
  Program program = f.source.program;
  const auto active =
      std::find_if(program.ops.begin(), program.ops.end(), [](const Op& op) { return op.is<ops::Activation>(); });
  REQUIRE(active != program.ops.end());
  program.outputs.push_back(active->inputs[0]);
  const Model model = f.build(program);
  CHECK(steps_of(model.plan(), StepKind::activate) == Counts{0, 1, 0, 0});
  CHECK(model.plan().places[active->inputs[0]].home == Home::output);
  CHECK(model.plan().places[active->inputs[0]].column == 1);
}

TEST_CASE("values of one segment live in its block, others in the workspace", "[runtime][plan]") {
  const Fixture f;
  const Model model = f.build(f.source.program);
  const Plan& plan = model.plan();
  std::map<uint32_t, std::set<size_t>> segments;
  for (size_t s = 0; s < plan.segments.size(); ++s) {
    for (const uint32_t value : touched(plan.segments[s])) segments[value].insert(s);
  }
  size_t inside = 0;
  for (const auto& [value, used_in] : segments) {
    INFO("value " << value << " " << f.source.program.values[value].name);
    if (value == f.source.program.outputs[0]) {
      CHECK(plan.places[value].home == Home::output);
      continue;
    }
    CHECK(plan.places[value].home == (used_in.size() == 1 ? Home::block : Home::workspace));
    inside += used_in.size() == 1 ? 1 : 0;
  }
  CHECK(inside > 8);
}

TEST_CASE("no two values that are needed at the same time share memory", "[runtime][plan]") {
  const Fixture f;
  Recipe recipe = test::quick_recipe("int8", 0.5);
  if (GENERATE(false, true)) recipe.low_rank = 10;
  const Model model = f.compressed(recipe);
  const Plan& plan = model.plan();
  std::map<uint32_t, Life> workspace;
  for (size_t s = 0; s < plan.segments.size(); ++s) {
    std::map<uint32_t, Life> block;
    for (size_t i = 0; i < plan.segments[s].steps.size(); ++i) {
      for (const uint32_t value : touched(plan.segments[s].steps[i])) {
        if (plan.places[value].home == Home::block) block[value].touch(i);
      }
    }
    check_apart(block, plan, plan.block_columns);
    for (const uint32_t value : touched(plan.segments[s])) {
      if (plan.places[value].home == Home::workspace) workspace[value].touch(s);
    }
  }
  CHECK(workspace.size() > 4);
  check_apart(workspace, plan, std::max(plan.token_columns, plan.sequence_columns));
}

TEST_CASE("inputs and outputs of a part of a program are where the caller has them", "[runtime][plan]") {
  const Fixture f;
  const Program& whole = f.source.program;
  const auto attention =
      std::find_if(whole.ops.begin(), whole.ops.end(), [](const Op& op) { return op.is<ops::Attention>(); });
  const ProgramSlice part = slice(whole, attention->inputs, {attention->output});
  REQUIRE(part.program.inputs.size() == 3);
  const Model model = f.build(part.program);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(model.plan().places[part.program.inputs[i]].home == Home::input);
    CHECK(model.plan().places[part.program.inputs[i]].column == i);
  }
  CHECK(model.plan().places[part.program.outputs[0]].home == Home::output);
  CHECK(model.plan().token_columns == 0);
}

}  // namespace lathe
