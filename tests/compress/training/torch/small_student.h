#pragma once
// A tiny teacher with texts, and students of it as the compressor makes them.

#include <string>
#include <vector>

#include "compress/program/student.h"
#include "compress/training/torch/engine.h"
#include "tests/compress/training/torch/encoded_weights.h"
#include "tests/support/compress_tiny.h"
#include "tests/support/tiny_classifier.h"

namespace lathe::test {

/// Counts the steps, and stops or kills the work after some of them.
class CountingProgress : public Progress {
 public:
  uint64_t stop_after = UINT64_MAX;  // steps, after which cancelled() is true
  uint64_t die_after = UINT64_MAX;   // steps, after which advance() throws, as if the process had ended there
  uint64_t steps = 0;
  std::vector<std::string> notes;
  std::vector<TrainingEvent> events;

  struct Death {};

  void stage(const std::string&, uint64_t) override {}
  void advance(uint64_t) override {
    if (++steps >= die_after) throw Death();
  }
  void note(const std::string& sentence) override { notes.push_back(sentence); }
  void training(const TrainingEvent& event) override { events.push_back(event); }
  bool cancelled() const override { return steps >= stop_after; }
};

/// `count` sequences of 3 to 14 tokens: random words between the tokens that begin and end a text.
TokenBatch tiny_sequences(size_t count, uint64_t seed);

/// The program and weights of an artifact.
TrainableModel model_of(const std::filesystem::path& file);

bool same_weights(const TrainableModel& a, const TrainableModel& b);

/// The teacher of all tests of this folder, with the texts that its students train on.
struct Classroom {
  TempDir dir;
  SourceModel teacher;
  TrainingData data;

  explicit Classroom(const TinyModel& model = TinyModel(), size_t texts = 160);

  TrainableModel compressed(const Recipe& recipe) const;
  TrainableModel dense(const SourceModel& model) const;
  /// A distillation of `student` in `steps` steps. The student and this object outlive it.
  TrainingJob job(TrainableModel& student, uint32_t steps) const;
};

TrainingCurve distill(TrainingJob& job, Progress& progress);
TrainingCurve distill(TrainingJob job);

/// Checks that weights which are zero in `before` are zero in `after`.
void check_masks_kept(const TrainableModel& before, const TrainableModel& after);

}  // namespace lathe::test
