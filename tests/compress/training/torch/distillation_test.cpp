// Distillation of students of a tiny teacher: their losses fall, their zeros stay zero, and the bytes of the result
// depend neither on threads nor on interruptions.

#include "compress/training/torch/distillation.h"

#include <catch2/catch.hpp>

#include "compress/training/torch/state.h"
#include "tests/compress/training/torch/small_student.h"
#include "tests/formats/expect_error.h"

namespace lathe::training {
namespace {

using Catch::Matchers::Contains;
using test::Classroom;
using test::CountingProgress;
using test::distill;
using test::quick_recipe;

Recipe pruned(const std::string& quant, double share = 0.5) {
  Recipe recipe = quick_recipe(quant, share);
  recipe.prune_method = PruneMethod::magnitude;
  recipe.quant_method = QuantMethod::nearest;  // leaves more to learn
  return recipe;
}

const CurvePoint& best_point(const TrainingCurve& curve) {
  for (const CurvePoint& point : curve.points) {
    if (point.step == curve.best_step) return point;
  }
  FAIL("no point of the best step " << curve.best_step);
  throw;
}

TEST_CASE("distillation teaches a pruned model in 8 bits and keeps its zeros", "[compress][torch][distillation]") {
  const Classroom room;
  const TrainableModel before = room.compressed(pruned("int8"));
  TrainableModel student = before;
  TrainingJob job = room.job(student, 80);
  CountingProgress progress;
  const TrainingCurve curve = distill(job, progress);
  CHECK(curve.stage == "distillation");
  CHECK(curve.measure_name == "cosine");
  CHECK(curve.steps == 80);
  CHECK(curve.points.size() == 21);
  CHECK(curve.points.front().step == 0);
  CHECK(curve.points.back().step == 80);
  CHECK(best_point(curve).held_out_loss < 0.5 * curve.points.front().held_out_loss);
  CHECK(best_point(curve).measure > curve.points.front().measure);
  CHECK_THAT(curve.outcome, Contains("all steps were taken") && Contains(message("step ", curve.best_step)));
  CHECK(progress.events.size() == 81);
  CHECK(progress.events.back().steps == 80);
  CHECK(progress.events.back().held_out_loss == curve.points.back().held_out_loss);
  test::check_masks_kept(before, student);
  CHECK(student.program == before.program);
  for (const auto& [name, weight] : student.weights) {
    CHECK(weight.encoding == before.weights.at(name).encoding);
    CHECK_NOTHROW(validate(weight.view(), name));
  }
  // The best weights are stored: another run begins with their loss, except for the rounding of biases to f16.
  const double stored = distill(room.job(student, 1)).points.front().held_out_loss;
  CHECK(stored == Approx(best_point(curve).held_out_loss).epsilon(0.005));
}

TEST_CASE("training gives the same bytes on any number of threads", "[compress][torch][distillation]") {
  const auto trainable = GENERATE(Trainable::all, Trainable::adapters);
  const Classroom room;
  const TrainableModel before = room.compressed(pruned("int8"));
  TrainableModel one = before;
  TrainingJob job = room.job(one, 6);
  job.recipe.trainable = trainable;
  job.recipe.batch = 48;  // several shards
  distill(job);
  CHECK_FALSE(test::same_weights(one, before));
  TrainableModel other = before;
  job.student = &other;
  job.threads = 3;
  distill(job);
  CHECK(test::same_weights(one, other));
}

TEST_CASE("int4, low rank, adapters and norms learn too", "[compress][torch][distillation]") {
  struct Case {
    const char* name;
    const char* quant;
    double prune;
    bool low_rank;
    Trainable trainable;
    double better;  // the held-out loss falls at least to this share
  };
  const auto c = GENERATE(values<Case>({{"int4 with a mask", "int4", 0.5, false, Trainable::all, 0.7},
                                        {"int4", "int4", 0, false, Trainable::all, 0.7},
                                        {"f16 with a mask", "f16", 0.5, false, Trainable::all, 0.5},
                                        {"low rank", "int8", 0, true, Trainable::all, 0.8},
                                        {"low rank with a mask", "int8", 0.5, true, Trainable::all, 0.8},
                                        {"adapters", "int8", 0.5, false, Trainable::adapters, 0.8},
                                        {"norms", "int8", 0.5, false, Trainable::norms, 0.9}}));
  CAPTURE(c.name);
  const Classroom room;
  Recipe recipe = pruned(c.quant, c.prune);
  if (c.low_rank) recipe.low_rank = 8;
  const TrainableModel before = room.compressed(recipe);
  TrainableModel student = before;
  TrainingJob job = room.job(student, 40);
  job.recipe.trainable = c.trainable;
  const TrainingCurve curve = distill(job);
  CAPTURE(curve.points.front().held_out_loss, best_point(curve).held_out_loss);
  CHECK(best_point(curve).held_out_loss < c.better * curve.points.front().held_out_loss);
  if (c.prune > 0) test::check_masks_kept(before, student);
  for (const auto& [name, weight] : student.weights) {
    const bool same = test::same_planes(weight, before.weights.at(name));
    CAPTURE(name);
    CHECK_NOTHROW(validate(weight.view(), name));
    if (c.trainable == Trainable::norms && weight.shape.size() == 2) CHECK(same);
    if (c.trainable == Trainable::norms && name.find("LayerNorm") != std::string::npos) CHECK_FALSE(same);
  }
}

TEST_CASE("gradual pruning ends with the exact share of zeros", "[compress][torch][distillation]") {
  const uint32_t steps = GENERATE(1u, 2u, 3u, 20u, 60u);
  CAPTURE(steps);
  const Classroom room;
  TrainableModel student = room.dense(room.teacher);
  TrainingJob job = room.job(student, steps);
  job.recipe.schedule = PruneSchedule::cubic;
  const std::map<std::string, double> targets = {{"encoder.layer.0.intermediate.dense.weight", 0.7},
                                                 {"encoder.layer.1.attention.self.query.weight", 0.333}};
  job.target_sparsity = targets;
  const TrainingCurve curve = distill(job);
  for (const auto& [name, weight] : student.weights) {
    if (weight.shape.size() != 2) continue;
    CAPTURE(name);
    const auto count = static_cast<double>(weight.view().rows() * weight.view().cols());
    const double target = targets.contains(name) ? targets.at(name) : 0;
    CHECK(count_zeros(weight.view()) == static_cast<uint64_t>(std::llround(target * count)));
  }
  if (steps < 20) return;
  // The kept weights were measured with all their zeros, although the loss was lower before they were pruned.
  CHECK(curve.points.front().held_out_loss < 1e-4);
  CHECK(curve.best_step > 0.6 * steps);
  job.recipe.schedule = PruneSchedule::one_shot;
  CHECK(distill(job).points.front().held_out_loss == best_point(curve).held_out_loss);
}

TEST_CASE("gradual pruning removes more and more weights, most of them in the beginning",
          "[compress][torch][distillation]") {
  const Classroom room;
  const std::string name = "encoder.layer.0.intermediate.dense.weight";
  std::vector<uint64_t> zeros;
  for (const uint64_t stop : {1, 5, 10, 24}) {
    TrainableModel student = room.dense(room.teacher);
    TrainingJob job = room.job(student, 40);
    job.recipe.schedule = PruneSchedule::cubic;
    job.recipe.state_folder = (room.dir / message("state", stop)).string();
    job.target_sparsity = {{name, 0.8}};
    CountingProgress progress;
    progress.stop_after = stop;
    CHECK_THROWS_AS(distill(job, progress), Error);
    const auto file = state_file(job.recipe.state_folder, job.stage);
    ThreadPool pool(1);
    TrainableWeights weights(student, {}, at::Device(at::kCPU), pool);
    TrainingState state;
    REQUIRE(load_state(file, "one", state, weights));
    CHECK(state.step == stop);
    const at::Tensor mask = weights.masks().at(name);
    zeros.push_back(static_cast<uint64_t>((mask == 0).sum().item<int64_t>()));
  }
  const auto weights = static_cast<double>(test::TinyModel::kIntermediate * test::TinyModel::kHidden);
  CHECK(zeros[0] == 0);
  for (size_t i = 1; i < 4; ++i) {
    const double t = std::floor(std::vector<double>{1, 5, 10, 24}[i] - 1) / 40 / 0.6;
    CHECK(static_cast<double>(zeros[i]) / weights == Approx(0.8 * (1 - std::pow(1 - t, 3))).margin(0.03));
  }
}

TEST_CASE("a smaller student learns from its teacher", "[compress][torch][distillation]") {
  const Classroom room;
  StudentSpec spec;
  spec.layers = 1;
  SilentProgress silent;
  const Student small = make_student(room.teacher, spec, room.data.train, silent, 1);
  TrainableModel student = room.dense(small.model);
  TrainingJob job = room.job(student, 60);
  job.matched = small.matched;
  const TrainingCurve curve = distill(job);
  CAPTURE(curve.points.front().held_out_loss, best_point(curve).held_out_loss);
  CHECK(best_point(curve).held_out_loss < 0.7 * curve.points.front().held_out_loss);
  CHECK(best_point(curve).measure > curve.points.front().measure);
}

TEST_CASE("a classifier learns from labels, with a teacher and without", "[compress][torch][distillation]") {
  const bool teacher = GENERATE(true, false);
  Classroom room(test::tiny_classifier());
  // The class says whether the text contains a certain word.
  const auto label = [](TokenBatch& batch, std::vector<int32_t>& labels) {
    for (size_t s = 0; s < batch.sequences(); ++s) {
      batch.ids[batch.starts[s] + 1] = s % 2 == 0 ? 6 : 7;
      labels.push_back(s % 2 == 0 ? 1 : 0);
    }
  };
  label(room.data.train, room.data.train_labels);
  label(room.data.held_out, room.data.held_out_labels);
  TrainableModel student = room.dense(room.teacher);
  TrainingJob job = room.job(student, 60);
  job.task = OutputKind::classification;
  job.recipe.alpha = 0;
  job.recipe.hidden_weight = job.recipe.relation_weight = 0;
  if (!teacher) job.teacher = nullptr;
  const TrainingCurve curve = distill(job);
  CHECK(curve.measure_name == "accuracy");
  CHECK(curve.points.front().measure < 0.9);
  CHECK(best_point(curve).measure == 1);
  CHECK(best_point(curve).held_out_loss < 0.1);
}

TEST_CASE("a classifier of pairs learns from the segments of its texts", "[compress][torch][distillation]") {
  Classroom room(test::tiny_classifier());
  // The class says which text of a pair the tokens belong to, and only the segments tell.
  const auto label = [](TokenBatch& batch, std::vector<int32_t>& labels) {
    for (size_t s = 0; s < batch.sequences(); ++s) {
      labels.push_back(s % 2 == 0 ? 1 : 0);
      batch.segments.insert(batch.segments.end(), batch.length(s), labels.back());
    }
  };
  label(room.data.train, room.data.train_labels);
  label(room.data.held_out, room.data.held_out_labels);
  TrainableModel student = room.dense(room.teacher);
  TrainingJob job = room.job(student, 60);
  job.task = OutputKind::classification;
  job.teacher = nullptr;
  const TrainingCurve curve = distill(job);
  CHECK(curve.points.front().measure < 0.9);
  CHECK(best_point(curve).measure == 1);
}

TEST_CASE("a classifier without labels learns to agree with its teacher", "[compress][torch][distillation]") {
  const Classroom room(test::tiny_classifier({"a", "b", "c"}));
  TrainableModel student = room.compressed(pruned("int8", 0.7));
  TrainingJob job = room.job(student, 60);
  job.task = OutputKind::classification;
  const TrainingCurve curve = distill(job);
  CHECK(curve.measure_name == "agreement");
  CHECK(best_point(curve).held_out_loss < 0.5 * curve.points.front().held_out_loss);
  CHECK(best_point(curve).measure >= curve.points.front().measure);
}

}  // namespace
}  // namespace lathe::training
