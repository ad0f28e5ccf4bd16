#pragma once
// The stages of training within one compression, put together from recipe, original and student.

#include <vector>

#include "compress/pipeline/compression_plan.h"
#include "compress/pipeline/inputs.h"
#include "compress/program/student.h"
#include "compress/training/training.h"

namespace lathe {

/// The model that is compressed: the source itself, or the smaller student that the recipe asks for, chosen on the
/// samples.
Student prepare_student(const CompressionInputs& inputs, Progress& progress, size_t threads);

/// What the stages of training of one compression share. The engine must be loaded.
struct TrainingSetup {
  const CompressionInputs& inputs;
  const CompressionPlan& plan;
  const Json& provenance;  // of the inputs
  Progress& progress;
  size_t threads;
};

/// Whether the recipe trains in full precision before anything is compressed: a smaller student, or a model whose
/// weights are pruned step by step.
bool trains_dense(const Recipe& recipe);
/// That training: the trained weights become the student's own, with zeros where they were pruned.
TrainingCurve train_dense(const TrainingSetup& setup, Student& student);

/// Block reconstruction and distillation of the compressed weights, as the recipe asks.
std::vector<TrainingCurve> recover(const TrainingSetup& setup, TrainableModel& compressed, const Student& student);

}  // namespace lathe
