// Reconstruction of one block after the other.

#include "compress/training/torch/reconstruction.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "tests/compress/training/torch/small_student.h"
#include "tests/formats/expect_error.h"

namespace lathe::training {
namespace {

using Catch::Matchers::Contains;
using test::Classroom;
using test::CountingProgress;
using test::quick_recipe;

std::vector<TrainingCurve> reconstruct(TrainingJob& job, Progress& progress) {
  job.stage = "block reconstruction";
  return make_engine(TrainingDevice::cpu)->reconstruct_blocks(job, progress);
}

Recipe pruned(const std::string& quant) {
  Recipe recipe = quick_recipe(quant, 0.5);
  recipe.prune_method = PruneMethod::magnitude;
  recipe.quant_method = QuantMethod::nearest;  // leaves more to learn
  return recipe;
}

TEST_CASE("reconstruction lowers the error of every block and keeps its zeros", "[compress][torch][reconstruction]") {
  const std::string quant = GENERATE("int8", "int4");
  const Classroom room;
  const TrainableModel before = room.compressed(pruned(quant));
  TrainableModel student = before;
  TrainingJob job = room.job(student, 0);
  CountingProgress progress;
  const std::vector<TrainingCurve> curves = reconstruct(job, progress);
  REQUIRE(curves.size() == match_all(room.teacher.program).size());
  CHECK(progress.steps == curves.size());
  CHECK(progress.events.size() == curves.size());
  size_t lowered = 0;
  for (const TrainingCurve& curve : curves) {
    CAPTURE(curve.stage, curve.outcome);
    CHECK_THAT(curve.stage, Contains("block reconstruction of "));
    double best = curve.points.front().held_out_loss;
    uint64_t best_step = 0;
    for (const CurvePoint& point : curve.points) {
      if (point.held_out_loss < best) best = point.held_out_loss, best_step = point.step;
    }
    CHECK(curve.best_step == best_step);
    CHECK_THAT(curve.outcome, Contains(message(best, " after")));
    lowered += best < 0.9 * curve.points.front().held_out_loss;
  }
  CHECK(lowered + 1 >= curves.size());  // the embeddings are as good as they can be
  test::check_masks_kept(before, student);
  for (const auto& [name, weight] : student.weights) {
    CHECK(weight.encoding == before.weights.at(name).encoding);
    CHECK_NOTHROW(validate(weight.view(), name));
  }
  // The outputs of the whole model are nearer to the teacher's, too.
  TrainableModel untouched = before;
  const double old_loss = test::distill(room.job(untouched, 1)).points.front().held_out_loss;
  const double new_loss = test::distill(room.job(student, 1)).points.front().held_out_loss;
  CHECK(new_loss < 0.8 * old_loss);
}

TEST_CASE("reconstruction gives the same bytes on any number of threads", "[compress][torch][reconstruction]") {
  const Classroom room;
  const TrainableModel before = room.compressed(pruned("int8"));
  TrainableModel one = before, three = before;
  CountingProgress progress;
  TrainingJob job = room.job(one, 0);
  reconstruct(job, progress);
  CHECK_FALSE(test::same_weights(one, before));
  job.student = &three;
  job.threads = 3;
  reconstruct(job, progress);
  CHECK(test::same_weights(one, three));
}

TEST_CASE("each block is tuned on what the blocks before it give", "[compress][torch][reconstruction]") {
  // Only the first block is damaged. The blocks after it are fed by it, and so have errors to make up for.
  const Classroom room;
  TrainableModel student = room.dense(room.teacher);
  EncodedBuffer& table = student.weights.at("encoder.layer.0.attention.output.dense.weight");
  std::vector<float> values = decode(table.view());
  for (float& value : values) value = 0;
  table = f32_buffer({test::TinyModel::kHidden, test::TinyModel::kHidden}, values);
  TrainingJob job = room.job(student, 0);
  CountingProgress progress;
  const std::vector<TrainingCurve> curves = reconstruct(job, progress);
  CHECK(curves[0].points.front().held_out_loss < 1e-9);  // the embeddings, which come before the damage
  CHECK(curves[0].best_step == 0);
  for (size_t i = 1; i < curves.size(); ++i) CHECK(curves[i].points.front().held_out_loss > 1e-5);
}

TEST_CASE("a block in which nothing trains stays as it is", "[compress][torch][reconstruction]") {
  const Classroom room;
  TrainableModel student = room.compressed(pruned("int8"));
  TrainingJob job = room.job(student, 0);
  const std::vector<Op>& ops = student.program.ops;
  const auto gelu = std::find_if(ops.begin(), ops.end(), [](const Op& op) { return op.is<ops::Activation>(); });
  REQUIRE(gelu != ops.end());
  job.matched = {{gelu->inputs[0], gelu->inputs[0]}, {gelu->output, gelu->output}};
  CountingProgress progress;
  const std::vector<TrainingCurve> curves = reconstruct(job, progress);
  REQUIRE(curves.size() == 2);
  CHECK(curves[0].steps > 0);
  CHECK(curves[1].steps == 0);
  CHECK(curves[1].outcome == "the block has no weights that train");
  CHECK(curves[1].points.size() == 1);
}

TEST_CASE("reconstruction stops where it is told to", "[compress][torch][reconstruction]") {
  const Classroom room;
  const TrainableModel before = room.compressed(pruned("int8"));
  TrainableModel student = before;
  TrainingJob job = room.job(student, 0);
  CountingProgress progress;
  progress.stop_after = 0;
  test::expect_error(Errc::interrupted, {"stopped"}, [&] { reconstruct(job, progress); });
  CHECK(test::same_weights(student, before));
}

TEST_CASE("too few samples to hold one out are an error", "[compress][torch][reconstruction]") {
  Classroom room;
  room.data.train = test::tiny_sequences(9, 1);
  TrainableModel student = room.dense(room.teacher);
  TrainingJob job = room.job(student, 0);
  CountingProgress progress;
  test::expect_error(Errc::bad_recipe, {"9 sequences", "10"}, [&] { reconstruct(job, progress); });
}

}  // namespace
}  // namespace lathe::training
