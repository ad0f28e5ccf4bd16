#pragma once
// What is asked of the training engine, and what it gives back. The engine needs LibTorch. It is a module of its own,
// compress/training/torch/, that is reached through the interface TrainingEngine alone, so that nothing else of the
// project needs LibTorch.

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "compress/facts/measurements.h"
#include "compress/job/progress.h"
#include "compress/program/matched_value.h"
#include "compress/training/training_recipe.h"
#include "formats/artifact/encoding.h"
#include "formats/artifact/program.h"
#include "runtime/model.h"
#include "runtime/session.h"

namespace lathe {

/// Token sequences to train on, and others that are held out to measure what was learned.
struct TrainingData {
  TokenBatch train;     // in the order in which they were shuffled
  TokenBatch held_out;  // not empty for distillation; block reconstruction holds out some of `train` itself
  std::vector<int32_t> train_labels;     // the index of each sequence's class; empty: there are no labels
  std::vector<int32_t> held_out_labels;  // of the held-out sequences, in the same way
  std::string description;               // "4,012 texts of wiki.txt to train (401,233 tokens), 211 held out"
};

/// A program with its weights as they will be stored: their values lie on the grids of their encodings.
struct TrainableModel {
  Program program;
  std::map<std::string, EncodedBuffer> weights;  // by name; one for each of program.weights
};

/// What the student's output is: one embedding for each sequence, logits of classes for each sequence, or logits of the
/// next token for each token.
enum class OutputKind { embedding, classification, generation };

/// One stage of training. Everything that a pointer or the lookup refers to belongs to the caller and outlives the
/// call; of that only `student` is changed.
struct TrainingJob {
  std::string stage;  // "dense training", "distillation", "block reconstruction"; names the curve and the state file
  const Program* teacher = nullptr;   // null: the student learns from labels alone
  WeightLookup teacher_weights;       // the weights of the teacher's program; called before training begins
  TrainableModel* student = nullptr;  // values and scales of its weights change; shapes, encodings and masks do not
  std::vector<MatchedValue> matched;  // in the order of the student's program; for blocks, each begins where one ends
  OutputKind task = OutputKind::embedding;
  const TrainingData* data = nullptr;
  TrainingRecipe recipe;  // its data file, text length and held-out share were used to make `data`
  /// For each weight that is pruned, its share of zeros in [0, 1]. With PruneSchedule::one_shot the weights have their
  /// zeros already, and training keeps them. With PruneSchedule::cubic they are f32 and reach their shares during a
  /// distillation; the zeros stand in their values afterwards.
  std::map<std::string, double> target_sparsity;
  double rate_factor = 1;   // what the learning rate of the recipe, or its default, is multiplied with
  std::string fingerprint;  // a text of everything that the result depends on; a state with another is not resumed
  size_t threads = 0;       // of the CPU; 0: all cores. The result does not depend on it
};

/// Runs programs with gradients. To be used by one thread at a time. Progress is called from that thread.
class TrainingEngine {
 public:
  virtual ~TrainingEngine() = default;
  /// "LibTorch 1.13.1, CPU"
  virtual std::string description() const = 0;
  /// The values `wanted` of the program for a batch, in the order of `wanted`, each [rows, width] in row-major order.
  /// For tests and measurements.
  virtual std::vector<std::vector<float>> forward(const Program& program, const WeightLookup& weights,
                                                  const TokenBatch& batch, const std::vector<uint32_t>& wanted) = 0;
  /// Tunes the student's blocks, which lie between the values of job.matched, one after the other: each to give the
  /// teacher's values when it is fed by the tuned blocks before it. Needs a teacher and no labels. Returns one curve
  /// for each block. Keeps no state: throws Error{interrupted} when it is to stop, with the blocks tuned so far in the
  /// student. Throws Error{bad_recipe} when job.data->train has too few sequences to hold one out.
  virtual std::vector<TrainingCurve> reconstruct_blocks(TrainingJob& job, Progress& progress) = 0;
  /// Trains the whole student end to end and leaves it with the weights that had the lowest held-out loss. When the
  /// loss stops being a number or stays far above its lowest, training ends early and the curve's outcome says so. With
  /// recipe.state_folder it saves its state at every check of the held-out part and when it is to stop, and resumes
  /// from a state that it finds. Throws ResumableStop when it is to stop and its state is saved, Error{interrupted}
  /// without a state folder, Error{unsupported} when no held-out loss is a number or the program cannot be trained, and
  /// Error{usage, malformed} for a state that does not fit.
  virtual TrainingCurve distill(TrainingJob& job, Progress& progress) = 0;
};

/// Loads the engine from the module beside this program or in its library folder. Throws Error{unsupported}, with what
/// to do about it, when the module was not built or the machine does not have `device`.
std::unique_ptr<TrainingEngine> load_training_engine(TrainingDevice device);

}  // namespace lathe
