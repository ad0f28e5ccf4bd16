#include "tests/compress/training/torch/small_student.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "compress/calibration/samples.h"
#include "compress/training/torch/engine.h"
#include "tests/compress/training/torch/encoded_weights.h"
#include "tests/support/compress_tiny.h"

namespace lathe::test {

TokenBatch tiny_sequences(size_t count, uint64_t seed) {
  Random random(seed);
  TokenBatch batch;
  const uint64_t words = TinyModel().vocabulary.size() - 5;
  for (size_t i = 0; i < count; ++i) {
    std::vector<int32_t> ids = {2};
    for (uint64_t more = 1 + random.below(12); more > 0; --more)
      ids.push_back(static_cast<int32_t>(5 + random.below(words)));
    ids.push_back(3);
    batch.add(ids);
  }
  return batch;
}

TrainableModel model_of(const std::filesystem::path& file) {
  const Artifact artifact = Artifact::open(file);
  TrainableModel model{artifact.program(), {}};
  for (const StoredTensor& stored : artifact.tensors()) {
    EncodedBuffer& buffer = model.weights[stored.name];
    buffer.encoding = stored.tensor.encoding;
    buffer.shape = stored.tensor.shape;
    for (size_t i = 0; i < kPlanes; ++i) {
      buffer.planes[i].assign(stored.tensor.planes[i].begin(), stored.tensor.planes[i].end());
    }
  }
  return model;
}

bool same_weights(const TrainableModel& a, const TrainableModel& b) {
  bool same = a.weights.size() == b.weights.size();
  for (const auto& [name, weight] : a.weights) same = same && same_planes(weight, b.weights.at(name));
  return same;
}

Classroom::Classroom(const TinyModel& model, size_t texts) : teacher(open_source(model.write(dir), false)) {
  data.train = tiny_sequences(texts, 1);
  data.held_out = tiny_sequences(32, 2);
}

TrainableModel Classroom::compressed(const Recipe& recipe) const {
  compress_to(teacher, recipe, dir / "student.lathe");
  return model_of(dir / "student.lathe");
}

TrainableModel Classroom::dense(const SourceModel& model) const {
  TrainableModel out{model.program, {}};
  for (const std::string& name : model.program.weights) {
    const EncodedTensor weight = model.weight(name);
    out.weights[name] = f32_buffer(weight.shape, decode(weight));
  }
  return out;
}

TrainingJob Classroom::job(TrainableModel& student, uint32_t steps) const {
  TrainingJob job;
  job.stage = "distillation";
  job.teacher = &teacher.program;
  job.teacher_weights = [this](const std::string& name) { return teacher.weight(name); };
  job.student = &student;
  if (student.program.values.size() == teacher.program.values.size()) job.matched = match_all(teacher.program);
  job.data = &data;
  job.recipe.steps = steps;
  job.recipe.batch = 16;
  job.recipe.learning_rate = 2e-3;
  job.fingerprint = "one";
  job.threads = 1;
  for (const auto& [name, weight] : student.weights) {
    const auto zeros = static_cast<double>(count_zeros(weight.view()));
    if (weight.encoding.sparsity == Sparsity::bitmask) {
      job.target_sparsity[name] = zeros / static_cast<double>(weight.view().rows() * weight.view().cols());
    }
  }
  return job;
}

TrainingCurve distill(TrainingJob& job, Progress& progress) {
  return training::make_engine(TrainingDevice::cpu)->distill(job, progress);
}
TrainingCurve distill(TrainingJob job) {
  SilentProgress silent;
  return distill(job, silent);
}

void check_masks_kept(const TrainableModel& before, const TrainableModel& after) {
  size_t masked = 0;
  for (const auto& [name, weight] : before.weights) {
    if (weight.encoding.sparsity != Sparsity::bitmask) continue;
    CAPTURE(name);
    ++masked;
    const std::vector<float> old_values = decode(weight.view());
    const std::vector<float> new_values = decode(after.weights.at(name).view());
    size_t lost = 0;
    for (size_t i = 0; i < old_values.size(); ++i) lost += old_values[i] == 0 && new_values[i] != 0;
    CHECK(lost == 0);
  }
  CHECK(masked > 0);
}

}  // namespace lathe::test
