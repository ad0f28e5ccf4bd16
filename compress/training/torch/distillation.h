#pragma once
// End-to-end training of a student.

#include "compress/training/torch/loss.h"
#include "compress/training/torch/shards.h"
#include "compress/training/torch/state.h"
#include "compress/training/torch/teacher.h"

namespace lathe::training {

/// Matrix products in bf16, as the recipe asks: "automatic" where the device is much faster with it.
bool wants_bf16(const TrainingRecipe& recipe, const at::Device& device);

/// One stage of training, from its beginning or from its state, to its end.
class Distillation {
 public:
  Distillation(TrainingJob& job, Progress& progress, const at::Device& device);
  /// See TrainingEngine::distill.
  TrainingCurve run();

 private:
  struct Sums {
    double loss = 0;
    double measure = 0;
  };
  using Clock = std::chrono::steady_clock;

  Sums run_shard(const TokenBatch& data, const std::vector<int32_t>& labels, Teacher* teacher, const Shard& shard,
                 size_t sequences, std::vector<at::Tensor>* gradients);
  double train_step();
  HeadWeights heads(const std::vector<at::Tensor>& used, const Teacher* teacher) const;
  size_t shards_at_once(size_t shards) const;
  void add_gradients(const std::vector<std::vector<at::Tensor>>& gradients, std::vector<at::Tensor>& total);
  void apply(const std::vector<at::Tensor>& gradients);
  Sums held_out();
  void check();
  void prune_gradually();
  void prune(double t);
  void keep_best();
  void finish(const std::string& why);
  void save(bool finished);
  void report(bool checked);
  double progress_share() const;
  double elapsed() const;
  bool is_over() const { return progress_share() >= 1 || diverged_; }
  bool is_check_due() const;

  TrainingJob& job_;
  Progress& progress_;
  at::Device device_;
  bool bf16_;
  ThreadPool pool_;
  Objective objective_;
  TrainableWeights weights_;
  std::unique_ptr<Teacher> teacher_;
  std::unique_ptr<Teacher> held_out_teacher_;
  std::vector<Shard> held_out_shards_;
  size_t held_out_count_ = 0;
  Shuffle shuffle_;
  TrainingState state_;
  uint64_t steps_ = 0;  // 0: minutes decide
  double rate_ = 0;
  bool diverged_ = false;
  double checked_share_ = 0;
  double last_loss_ = 0;
  uint64_t session_tokens_ = 0;  // since this process began
  double seconds_before_ = 0;    // of the processes before this one
  Clock::time_point begin_;
};

}  // namespace lathe::training
