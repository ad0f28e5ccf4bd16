#pragma once
// The stages of training within one compression, put together from recipe, teacher and student.

#include <memory>
#include <string>
#include <vector>

#include "compress/calibration/samples.h"
#include "compress/pipeline/compression_plan.h"
#include "compress/program/student.h"
#include "compress/training/training.h"

namespace lathe {

/// The model that is compressed: the source itself, or the smaller student that the recipe asks for, chosen on the
/// samples of the recipe.
Student prepare_student(const SourceModel& source, const Recipe& recipe, Progress& progress, size_t threads);

/// Teaches a student. Loads engine and data when it is made: throws Error{unsupported} without an engine, and the
/// errors of make_training_data().
class RecoveryStages {
 public:
  RecoveryStages(const SourceModel& teacher, const Recipe& recipe, Progress& progress, size_t threads);
  ~RecoveryStages();

  /// Full-precision training before anything is compressed: of a smaller student, or while weights go one by one.
  bool trains_dense() const;
  /// The trained weights become the student's own; under a pruning schedule with their zeros.
  void train_dense(Student& student, const CompressionPlan& plan);

  /// Block reconstruction and distillation, as the recipe asks, of the compressed weights.
  void recover(TrainableModel& compressed, const Student& student, const CompressionPlan& plan,
               const Samples* calibration);

  const std::vector<TrainingCurve>& curves() const { return curves_; }
  /// Of the texts; empty when there is no distillation.
  const std::string& data() const { return data_.description; }
  /// "LibTorch 1.13.1, CPU"
  std::string engine() const { return engine_->description(); }

 private:
  TrainingJob make_job(const std::string& stage, TrainableModel& model, const Student& student,
                       const CompressionPlan& plan) const;
  void distill(TrainingJob& job);

  const SourceModel& teacher_;
  const Recipe& recipe_;
  Progress& progress_;
  size_t threads_;
  std::unique_ptr<TrainingEngine> engine_;
  TrainingData data_;
  std::vector<TrainingCurve> curves_;
};

}  // namespace lathe
