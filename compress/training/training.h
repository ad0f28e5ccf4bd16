#pragma once
// Teaching back what compression lost: what is asked of the training engine, and what it gives. The engine itself
// needs LibTorch and lives in compress/torch/, behind TrainingEngine, so that nothing else of the project does.

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "compress/facts/measurements.h"
#include "compress/job/progress.h"
#include "compress/training/training_recipe.h"
#include "formats/artifact/encoding.h"
#include "formats/artifact/program.h"
#include "runtime/model.h"
#include "runtime/session.h"

namespace lathe {

/// Token sequences to train on, shuffled, and others to check on. Labels are empty, or one for each sequence.
struct TrainingData {
  TokenBatch train;
  TokenBatch held_out;
  std::vector<int32_t> train_labels;
  std::vector<int32_t> held_out_labels;
  std::string description;  // "4,012 texts of wiki.txt to train (401,233 tokens), 211 held out"
};

/// A program with its weights as they will be stored: on their grids, with their masks.
struct TrainableModel {
  Program program;
  std::map<std::string, EncodedBuffer> weights;  // by name
};

/// Values of student and teacher that should agree, in program order.
struct MatchedValue {
  uint32_t student = 0;
  uint32_t teacher = 0;
};

enum class TrainingTask { embedding, classification, generation };

struct TrainingJob {
  std::string stage;  // "distillation", "dense student", "block reconstruction"; names curve and state file
  const Program* teacher = nullptr;  // null: learns from labels alone
  WeightLookup teacher_weights;
  TrainableModel* student = nullptr;  // changed: values and scales, never shapes, encodings or masks
  std::vector<MatchedValue> matched;
  TrainingTask task = TrainingTask::embedding;
  const TrainingData* data = nullptr;
  TrainingRecipe recipe;
  /// Cubic schedule: the share of zeros that each of these f32 weights is to reach; the zeros are left in its values.
  std::map<std::string, double> target_sparsity;
  double rate_factor = 1;   // times the learning rate of the recipe or its default
  std::string fingerprint;  // of everything that the result depends on; a state with another one is not resumed
  size_t threads = 0;       // 0: all cores
};

/// Runs programs with gradients. Not for use by several threads.
class TrainingEngine {
 public:
  virtual ~TrainingEngine() = default;
  /// "LibTorch 1.13.1, CPU"
  virtual std::string description() const = 0;
  /// The values `wanted` of the program on a batch, each [rows, width]; for tests and measurements.
  virtual std::vector<std::vector<float>> forward(const Program& program, const WeightLookup& weights,
                                                  const TokenBatch& batch, const std::vector<uint32_t>& wanted) = 0;
  /// Tunes block after block to give the teacher's outputs, fed by the blocks before it. Needs no labels. One curve a
  /// block. Throws Error{interrupted}.
  virtual std::vector<TrainingCurve> reconstruct_blocks(TrainingJob& job, Progress& progress) = 0;
  /// End to end. When the loss stops being a number the best state is kept and the curve says so. Throws
  /// Error{interrupted} after it has stored its state.
  virtual TrainingCurve distill(TrainingJob& job, Progress& progress) = 0;
};

/// Loads the engine from beside this program. Throws Error{unsupported} saying how to get it when it was not built,
/// or when `device` asks for one that is not there.
std::unique_ptr<TrainingEngine> load_training_engine(TrainingDevice device);

}  // namespace lathe
