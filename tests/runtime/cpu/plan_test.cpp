#include "runtime/cpu/plan.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <set>

#include "formats/artifact/artifact.h"
#include "runtime/cpu/isa.h"
#include "tests/support/compress_tiny.h"

namespace lathe::cpu {
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
  for (const uint32_t value : {step.inputs[0], step.inputs[1], step.output}) {
    if (value != kNone) values.push_back(value);
  }
  return values;
}

std::vector<uint32_t> touched(const RowSegment& segment) {
  std::vector<uint32_t> values;
  for (const Step& step : segment.steps) {
    for (const uint32_t value : touched(step)) values.push_back(value);
  }
  return values;
}

std::vector<uint32_t> touched(const AttentionSegment& segment) {
  return {segment.query, segment.key, segment.value, segment.output};
}

std::vector<uint32_t> touched(const PoolSegment& segment) { return {segment.input, segment.output}; }

std::vector<uint32_t> touched(const Segment& segment) {
  return std::visit([](const auto& work) { return touched(work); }, segment.work);
}

std::vector<Step> steps_of(const Segment& segment) {
  const auto* rows = std::get_if<RowSegment>(&segment.work);
  return rows == nullptr ? std::vector<Step>() : rows->steps;
}

// Values that live at the same time stand side by side, within `columns`.
void check_apart(const std::map<uint32_t, Life>& lives, const Plan& plan, size_t columns) {
  for (const auto& [a, life_a] : lives) {
    const ValueLocation& at = plan.values[a];
    CHECK(at.offset + at.width <= columns);
    for (const auto& [b, life_b] : lives) {
      if (a >= b || at.rows != plan.values[b].rows) continue;
      if (life_a.last < life_b.first || life_b.last < life_a.first) continue;
      const ValueLocation& other = plan.values[b];
      INFO("values " << a << " and " << b);
      CHECK((at.offset + at.width <= other.offset || other.offset + other.width <= at.offset));
    }
  }
}

struct Fixture {
  TempDir dir;
  SourceModel source = open_source(TinyModel().write(dir), false);
  KernelSet kernels = KernelSet(chosen_isa());
  std::optional<Artifact> artifact;
  std::optional<WeightStore> store;

  Plan plan(const Program& program) {
    store.emplace(load_weights(
        program, [this](const std::string& name) { return source.weight(name); }, kernels));
    return make_plan(program, *store);
  }
  Plan compressed(const Recipe& recipe) {
    test::compress_to(source, recipe, dir / "out.lathe");
    artifact.emplace(Artifact::open(dir / "out.lathe"));
    const auto lookup = [this](const std::string& name) { return artifact->tensor(name).tensor; };
    store.emplace(load_weights(artifact->program(), lookup, kernels));
    return make_plan(artifact->program(), *store);
  }
};

template <class Kind>
std::vector<size_t> count_steps(const Plan& plan) {
  std::vector<size_t> counts;
  for (const Segment& segment : plan.segments) {
    if (!std::holds_alternative<RowSegment>(segment.work)) continue;
    const std::vector<Step> steps = steps_of(segment);
    counts.push_back(static_cast<size_t>(std::count_if(
        steps.begin(), steps.end(), [](const Step& step) { return std::holds_alternative<Kind>(step.kind); })));
  }
  return counts;
}

using Counts = std::vector<size_t>;

}  // namespace

TEST_CASE("attention and pooling cut the program into segments", "[runtime][plan]") {
  Fixture f;
  const Plan plan = f.plan(f.source.program);
  std::vector<size_t> kinds;
  for (const Segment& segment : plan.segments) kinds.push_back(segment.work.index());
  constexpr size_t rows = 0, attention = 1, pool = 2;
  CHECK(kinds == std::vector{rows, attention, rows, attention, rows, pool, rows});
  CHECK(plan.segments.back().rows == RowKind::sequences);
  CHECK(plan.head_width == TinyModel::kHidden / TinyModel::kHeads);
  CHECK(plan.table_width == TinyModel::kHidden);
}

TEST_CASE("an addition joins the norm after it, and an activation the layer before it", "[runtime][plan]") {
  Fixture f;
  const Plan plan = f.plan(f.source.program);
  // embeddings and q, k, v; the rest of a layer with the next one's q, k, v; the rest of the last; normalization
  CHECK(count_steps<GatherStep>(plan) == Counts{3, 0, 0, 0});
  CHECK(count_steps<AddStep>(plan) == Counts{1, 0, 0, 0});
  CHECK(count_steps<LayerNormStep>(plan) == Counts{1, 2, 2, 0});
  CHECK(count_steps<LinearStep>(plan) == Counts{3, 6, 3, 0});
  CHECK(count_steps<ActivateStep>(plan) == Counts{0, 0, 0, 0});
  CHECK(count_steps<QuantizeStep>(plan) == Counts{0, 0, 0, 0});
  CHECK(count_steps<NormalizeStep>(plan) == Counts{0, 0, 0, 1});
}

TEST_CASE("layers that read one value share its quantization", "[runtime][plan]") {
  Fixture f;
  const Plan plan = f.compressed(test::quick_recipe("int8"));
  CHECK(count_steps<QuantizeStep>(plan) == Counts{1, 4, 3, 0});
  CHECK(count_steps<LinearStep>(plan) == Counts{3, 6, 3, 0});
  CHECK(plan.quantized_stride == 128);  // 80 inputs, padded
}

TEST_CASE("an activation whose input somebody else wants is not fused", "[runtime][plan]") {
  Fixture f;
  Program program = f.source.program;
  const auto active =
      std::find_if(program.ops.begin(), program.ops.end(), [](const Op& op) { return op.is<ops::Activation>(); });
  REQUIRE(active != program.ops.end());
  program.outputs.push_back(active->inputs[0]);
  const Plan plan = f.plan(program);
  CHECK(count_steps<ActivateStep>(plan) == Counts{0, 1, 0, 0});
  CHECK(plan.values[active->inputs[0]].storage == Storage::output);
  CHECK(plan.values[active->inputs[0]].offset == 1);
}

TEST_CASE("values of one segment live in its block, others in the workspace", "[runtime][plan]") {
  Fixture f;
  const Plan plan = f.plan(f.source.program);
  std::map<uint32_t, std::set<size_t>> segments;
  for (size_t s = 0; s < plan.segments.size(); ++s) {
    for (const uint32_t value : touched(plan.segments[s])) segments[value].insert(s);
  }
  size_t inside = 0;
  for (const auto& [value, used_in] : segments) {
    INFO("value " << value << " " << f.source.program.values[value].name);
    if (value == f.source.program.outputs[0]) {
      CHECK(plan.values[value].storage == Storage::output);
      continue;
    }
    CHECK(plan.values[value].storage == (used_in.size() == 1 ? Storage::block : Storage::workspace));
    inside += used_in.size() == 1 ? 1 : 0;
  }
  CHECK(inside > 8);
}

TEST_CASE("no two values that are needed at the same time share memory", "[runtime][plan]") {
  Fixture f;
  Recipe recipe = test::quick_recipe("int8", 0.5);
  if (GENERATE(false, true)) recipe.low_rank = 10;
  const Plan plan = f.compressed(recipe);
  std::map<uint32_t, Life> workspace;
  for (size_t s = 0; s < plan.segments.size(); ++s) {
    std::map<uint32_t, Life> block;
    for (size_t i = 0; i < steps_of(plan.segments[s]).size(); ++i) {
      for (const uint32_t value : touched(steps_of(plan.segments[s])[i])) {
        if (plan.values[value].storage == Storage::block) block[value].touch(i);
      }
    }
    check_apart(block, plan, plan.block_width);
    for (const uint32_t value : touched(plan.segments[s])) {
      if (plan.values[value].storage == Storage::workspace) workspace[value].touch(s);
    }
  }
  CHECK(workspace.size() > 4);
  check_apart(workspace, plan, std::max(plan.workspace_width[0], plan.workspace_width[1]));
}

TEST_CASE("inputs and outputs of a part of a program are where the caller has them", "[runtime][plan]") {
  Fixture f;
  const Program& whole = f.source.program;
  const auto attention =
      std::find_if(whole.ops.begin(), whole.ops.end(), [](const Op& op) { return op.is<ops::Attention>(); });
  const ProgramSlice part = slice(whole, attention->inputs, {attention->output});
  REQUIRE(part.program.inputs.size() == 3);
  const Plan plan = f.plan(part.program);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(plan.values[part.program.inputs[i]].storage == Storage::input);
    CHECK(plan.values[part.program.inputs[i]].offset == i);
  }
  CHECK(plan.values[part.program.outputs[0]].storage == Storage::output);
  CHECK(plan.workspace_width[0] == 0);
}

}  // namespace lathe::cpu
