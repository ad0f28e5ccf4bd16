// The state of runs that are stopped, are killed or diverge, and how they resume.

#include "compress/training/torch/state.h"

#include <catch2/catch.hpp>

#include "compress/job/stop.h"
#include "compress/training/torch/distillation.h"
#include "tests/compress/training/torch/random_program.h"
#include "tests/compress/training/torch/small_student.h"
#include "tests/formats/expect_error.h"

namespace lathe::training {
namespace {

using Catch::Matchers::Contains;
using test::Classroom;
using test::CountingProgress;
using test::distill;
using test::expect_error;
using test::same_weights;

constexpr uint32_t kSteps = 10;  // with a check after each

// A distillation that keeps its state in a folder, or nowhere when `folder` is empty.
struct Run {
  const Classroom& room;
  const TrainableModel& before;
  TrainableModel student = before;
  TrainingJob job;

  Run(const Classroom& classroom, const TrainableModel& model, const std::string& folder, bool cubic = false)
      : room(classroom), before(model), job(classroom.job(student, kSteps)) {
    job.recipe.batch = 8;
    if (!folder.empty()) job.recipe.state_folder = (room.dir / folder).string();
    if (!cubic) return;
    job.recipe.schedule = PruneSchedule::cubic;
    job.target_sparsity = {{"encoder.layer.0.intermediate.dense.weight", 0.7}};
  }
};

TrainableModel quick_student(const Classroom& room) { return room.compressed(test::quick_recipe("int8", 0.5)); }

// Stops the run after some steps, or kills it so that only the state of its last check is left, and then resumes it.
TrainingCurve interrupted(Run& run, bool dies, uint64_t steps) {
  CAPTURE(dies, steps);
  const TrainableModel before = run.student;
  CountingProgress first;
  (dies ? first.die_after : first.stop_after) = steps;
  if (dies) {
    CHECK_THROWS_AS(distill(run.job, first), CountingProgress::Death);
  } else {
    CHECK_THROWS_AS(distill(run.job, first), ResumableStop);
  }
  CHECK(same_weights(run.student, before));
  CountingProgress second;
  const TrainingCurve curve = distill(run.job, second);
  const uint64_t apart = std::max<uint64_t>(1, run.job.recipe.steps / 20);  // steps between two checks
  const uint64_t done = dies ? (steps - 1) / apart * apart : steps;
  CHECK(second.steps == run.job.recipe.steps - done);
  CHECK(second.notes.size() == (done > 0 ? 1 : 0));
  for (const std::string& note : second.notes) {
    CHECK_THAT(note, Contains(message("step ", done)) && Contains("distillation.safetensors"));
  }
  return curve;
}

TEST_CASE("a run that was interrupted resumes and ends with the same bytes", "[compress][torch][state]") {
  const bool cubic = GENERATE(false, true);
  CAPTURE(cubic);
  const Classroom room;
  const TrainableModel before = cubic ? room.dense(room.teacher) : quick_student(room);
  const uint32_t all_steps = cubic ? kSteps : 4 * kSteps;  // with two steps between checks
  Run whole(room, before, "", cubic);
  whole.job.recipe.steps = all_steps;
  const TrainingCurve wanted = distill(whole.job);
  for (const auto& [dies, steps] : {std::pair(false, 1), {false, 7}, {true, 1}, {true, 8}}) {
    if (steps == 1 && !cubic) continue;
    Run run(room, before, message(dies ? "died" : "stopped", steps), cubic);
    run.job.recipe.steps = all_steps;
    const TrainingCurve curve = interrupted(run, dies, static_cast<uint64_t>(steps));
    CHECK(same_weights(run.student, whole.student));
    CHECK(curve.outcome == wanted.outcome);
    CHECK(curve.tokens == wanted.tokens);
    REQUIRE(curve.points.size() == wanted.points.size());
    for (size_t i = 0; i < curve.points.size(); ++i) {
      CHECK(curve.points[i].step == wanted.points[i].step);
      CHECK(curve.points[i].held_out_loss == wanted.points[i].held_out_loss);
      CHECK(curve.points[i].train_loss == wanted.points[i].train_loss);
    }
  }
}

TEST_CASE("a run that was finished is not run again", "[compress][torch][state]") {
  const bool cubic = GENERATE(false, true);
  const Classroom room;
  const TrainableModel before = cubic ? room.dense(room.teacher) : quick_student(room);
  Run run(room, before, "state", cubic);
  const TrainingCurve curve = distill(run.job);
  Run again(room, before, "state", cubic);
  CountingProgress progress;
  const TrainingCurve same = distill(again.job, progress);
  CHECK(progress.steps == 0);
  CHECK(same_weights(run.student, again.student));
  CHECK(same.outcome == curve.outcome);
  CHECK(same.steps == curve.steps);
  CHECK(same.points.size() == curve.points.size());
  CHECK(same.seconds == Approx(curve.seconds).epsilon(0.5).margin(0.5));
}

TEST_CASE("a run without a state folder says that nothing was written when it is stopped", "[compress][torch][state]") {
  const Classroom room;
  const TrainableModel before = quick_student(room);
  Run run(room, before, "");
  CountingProgress progress;
  progress.stop_after = 2;
  expect_error(Errc::interrupted, {"nothing was written"}, [&] { distill(run.job, progress); });
  CHECK(same_weights(run.student, before));
}

TEST_CASE("minutes count over all processes, and end a run however many steps it took", "[compress][torch][state]") {
  const Classroom room;
  const TrainableModel before = quick_student(room);
  Run run(room, before, "state");
  run.job.recipe.minutes = 1e6;
  CountingProgress progress;
  progress.stop_after = 4;
  CHECK_THROWS_AS(distill(run.job, progress), ResumableStop);
  REQUIRE(progress.events.size() == 5);
  for (const TrainingEvent& event : progress.events) CHECK(event.steps == 0);
  CHECK(progress.events.back().step == 4);
  CHECK(progress.events.back().seconds_left > 1e6);
  // The stored state took longer than this.
  run.job.recipe.minutes = 1e-9;
  CountingProgress rest;
  const TrainingCurve curve = distill(run.job, rest);
  CHECK(rest.steps == 0);
  CHECK(curve.steps == 4);
  CHECK(curve.best_step == 0);  // the only check was before the first step
  CHECK_THAT(curve.outcome, Contains("the time was up") && Contains("step 0"));
  CHECK(same_weights(run.student, before));
  Run again(room, before, "");  // a run whose time is up at once takes no step
  again.job.recipe.minutes = 1e-9;
  CHECK(distill(again.job).steps == 0);
}

TEST_CASE("the state of another run is refused with the name of its file", "[compress][torch][state]") {
  const Classroom room;
  const TrainableModel before = quick_student(room);
  Run run(room, before, "state");
  CountingProgress progress;
  progress.stop_after = 2;
  CHECK_THROWS_AS(distill(run.job, progress), ResumableStop);
  run.job.fingerprint = "two";
  expect_error(Errc::usage, {"distillation.safetensors", "another run", "--resume"}, [&] { distill(run.job); });
}

TEST_CASE("a damaged state is an error that names the file", "[compress][torch][state]") {
  const Classroom room;
  const TrainableModel before = quick_student(room);
  Run run(room, before, "state");
  CountingProgress progress;
  progress.stop_after = 2;
  CHECK_THROWS_AS(distill(run.job, progress), ResumableStop);
  const auto file = state_file(run.job.recipe.state_folder, run.job.stage);
  const std::string bytes = test::file_bytes(file);
  const auto refuse = [&](const std::string& content) {
    room.dir.write("state/distillation.safetensors", content);
    expect_error(Errc::malformed, {"distillation.safetensors"}, [&] { distill(run.job); });
  };
  refuse(bytes.substr(0, bytes.size() / 2));
  refuse("");
  std::string other = bytes;
  other.replace(other.find("lathe-training-1"), 16, "lathe-training-9");
  refuse(other);
  // A state that lacks a weight of this model, and one that lacks a number.
  other = bytes;
  other.replace(other.find("value:"), 6, "valve:");
  refuse(other);
  other = bytes;
  other.replace(other.find("best_loss"), 9, "best_lost");
  refuse(other);
  room.dir.write("state/distillation.safetensors", bytes);
  CHECK(distill(run.job).steps == kSteps);
}

TEST_CASE("a loss that is no number ends training with the best weights", "[compress][torch][state]") {
  const Classroom room;
  const TrainableModel before = quick_student(room);
  Run run(room, before, "state");
  run.job.recipe.learning_rate = 1e30;
  CountingProgress progress;
  const TrainingCurve curve = distill(run.job, progress);
  CHECK(curve.steps < kSteps);
  CHECK(curve.best_step == 0);
  CHECK_THAT(curve.outcome, Contains("no longer a number at step 2") && Contains("weights of step 0"));
  CHECK(same_weights(run.student, before));
  CHECK_FALSE(std::isfinite(curve.points.back().held_out_loss));
  Run again(room, before, "state");  // and its state can be read
  again.job.recipe = run.job.recipe;
  CHECK(distill(again.job).outcome == curve.outcome);
}

TEST_CASE("a model whose held-out loss is never a number is refused and left as it is", "[compress][torch][state]") {
  const Classroom room;
  TrainableModel before = room.dense(room.teacher);
  EncodedBuffer& weight = before.weights.at("embeddings.LayerNorm.weight");
  std::vector<float> values = decode(weight.view());
  values[0] = std::nanf("");
  weight = f32_buffer({values.size()}, values);
  Run run(room, before, "state");
  expect_error(Errc::unsupported, {"distillation", "never a number"}, [&] { distill(run.job); });
  CHECK(same_weights(run.student, before));
}

TEST_CASE("a held-out loss that stays far above its best ends training", "[compress][torch][state]") {
  const Classroom room;
  const TrainableModel before = room.dense(room.teacher);  // nothing can be better than the teacher itself
  Run run(room, before, "state");
  run.job.recipe.learning_rate = 0.3;
  const TrainingCurve curve = distill(run.job);
  CHECK(curve.steps == 3);  // each with a check
  CHECK(curve.best_step == 0);
  CHECK_THAT(curve.outcome, Contains("stayed above") && Contains("step 0"));
  CHECK(same_weights(run.student, before));
}

TEST_CASE("a state comes back as it was saved", "[compress][torch][state]") {
  const test::TempDir dir;
  test::RandomProgram p;
  p.program.outputs = {p.linear(p.embedding(Stream::tokens, 11, 6), 5)};
  const TrainableModel model{p.program, p.weights};
  ThreadPool pool(1);
  TrainableWeights weights(model, {}, at::Device(at::kCPU), pool);
  TrainingState state;
  state.step = 7;
  state.finished = true;
  state.seconds = 1.25;
  state.best.loss = 0.1;
  state.loss_sum = std::nan("");
  state.loss_count = 3;
  state.best.bad_checks = 2;
  state.pruning_progress = 0.5;
  state.best.pruning_progress = 0.25;
  state.curve.tokens = 99;
  state.best.step = 4;
  state.curve.outcome = "ended \"well\"";
  state.curve.points = {{0, 1, 2, 3}, {4, std::nan(""), INFINITY, 0.5}};
  uint64_t seed = 1;
  for (Parameter& parameter : weights.parameters()) {
    for (at::Tensor* tensor : {&parameter.value, &parameter.first, &parameter.second}) {
      *tensor = test::random_tensor(tensor->sizes().vec(), seed++);
    }
    state.best.values.push_back(test::random_tensor(parameter.value.sizes().vec(), seed++));
  }
  weights.prune_to("w1", 0.4);
  CHECK(state_file("folder", "block reconstruction") == "folder/block-reconstruction.safetensors");
  const auto file = dir / "new/state.safetensors";
  TrainingState other;
  TrainableWeights read(model, {}, at::Device(at::kCPU), pool);
  CHECK_FALSE(load_state(file, "f", other, read));
  save_state(file, "f", state, weights);
  REQUIRE(load_state(file, "f", other, read));
  for (size_t i = 0; i < weights.parameters().size(); ++i) {
    CHECK(read.parameters()[i].value.equal(weights.parameters()[i].value));
    CHECK(read.parameters()[i].first.equal(weights.parameters()[i].first));
    CHECK(read.parameters()[i].second.equal(weights.parameters()[i].second));
    CHECK(other.best.values.at(i).equal(state.best.values[i]));
  }
  CHECK(read.masks().at("w1").equal(weights.masks().at("w1")));
  CHECK(read.masks().size() == 1);
  const auto facts = [](const TrainingState& s) {
    return std::tuple(s.step, s.finished, s.seconds, s.best.loss, s.loss_count, s.best.bad_checks, s.pruning_progress,
                      s.best.pruning_progress, s.curve.tokens, s.best.step, s.curve.outcome, s.curve.points.size());
  };
  CHECK(facts(other) == facts(state));
  CHECK(std::isnan(other.loss_sum));
  CHECK(other.curve.points[0].measure == 3);
  CHECK(other.curve.points[1].measure == 0.5);
  CHECK_FALSE(std::isfinite(other.curve.points[1].train_loss));
  CHECK_FALSE(std::isfinite(other.curve.points[1].held_out_loss));
}

}  // namespace
}  // namespace lathe::training
