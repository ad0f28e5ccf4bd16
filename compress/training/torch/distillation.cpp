#include "compress/training/torch/distillation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "compress/job/stop.h"

namespace lathe::training {
namespace {

constexpr double kCheckShare = 0.05;          // of the run, between two looks at the held-out part
constexpr double kPruneShare = 0.02;          // between two steps of the pruning schedule
constexpr double kPrunedBy = 0.6;             // where the schedule has reached its end
constexpr size_t kHeldOutTokens = 16384;      // that are looked at, at least
constexpr size_t kHeldOutPredictions = 2048;  // the same of decoders, where every token is judged
constexpr uint64_t kBadChecks = 3;
constexpr double kDiverged = 2;                         // times the best loss
constexpr double kNegligibleLoss = 1e-2;                // below this any multiple is noise
constexpr uint64_t kGradientBytes = uint64_t{1} << 30;  // of the shards that are computed together

// By what trains. Adam moves every number by about the rate in each step, whatever the loss.
constexpr double kDefaultRates[] = {1.5e-4, 1e-3, 1.5e-4};

size_t thread_count(const TrainingJob& job, const at::Device& device) {
  if (!device.is_cpu()) return 1;
  return job.threads == 0 ? available_cores() : job.threads;
}

TrainableWeights::Choice make_choice(const TrainingJob& job) {
  TrainableWeights::Choice choice;
  choice.trainable = job.recipe.trainable;
  choice.adapter_rank = job.recipe.adapter_rank;
  choice.seed = job.recipe.seed;
  if (job.recipe.schedule == PruneSchedule::cubic) return choice;
  for (const auto& [name, sparsity] : job.target_sparsity) {
    if (sparsity > 0) choice.masked.insert(name);
  }
  return choice;
}

// Where the pruning schedule is, in [0, 1]; it moves in jumps, which a resumed run finds again.
double schedule_time(double share) { return std::min(1.0, std::floor(share / kPrunedBy / kPruneShare) * kPruneShare); }

}  // namespace

bool wants_bf16(const TrainingRecipe& recipe, const at::Device& device) {
  if (recipe.precision == TrainingPrecision::automatic) return device.is_cuda();
  return recipe.precision == TrainingPrecision::bf16;
}

Distillation::Distillation(TrainingJob& job, Progress& progress, const at::Device& device)
    : job_(job),
      progress_(progress),
      device_(device),
      bf16_(wants_bf16(job.recipe, device)),
      pool_(thread_count(job, device)),
      objective_(make_objective(job)),
      weights_(*job.student, make_choice(job), device, pool_),
      shuffle_(job.data->train.sequences(), job.recipe.seed) {
  const TrainingRecipe& recipe = job.recipe;
  steps_ = recipe.minutes > 0 ? 0 : recipe.steps > 0 ? recipe.steps : kDefaultTrainingSteps;
  rate_ = recipe.learning_rate > 0 ? recipe.learning_rate : kDefaultRates[static_cast<size_t>(recipe.trainable)];
  rate_ *= job.rate_factor;
  if (objective_.has_teacher) {
    const uint64_t budget = teacher_budget();
    teacher_ = std::make_unique<Teacher>(*job.teacher, job.teacher_weights, objective_.teacher_values(),
                                         job.data->train, budget, device, bf16_);
    held_out_teacher_ = std::make_unique<Teacher>(*teacher_, job.data->held_out, budget / 4);
  }
  const TokenBatch& unseen = job.data->held_out;
  const size_t looked_at = job.task == TrainingTask::generation ? kHeldOutPredictions : kHeldOutTokens;
  while (held_out_count_ < unseen.sequences() && unseen.starts[held_out_count_] < looked_at) ++held_out_count_;
  Shard all(held_out_count_);
  std::iota(all.begin(), all.end(), 0u);
  held_out_shards_ = make_shards(job.data->held_out, all);
  state_.curve.stage = job.stage;
  const bool judged =
      job.task == TrainingTask::generation ? !objective_.has_teacher : !job.data->held_out_labels.empty();
  state_.curve.measure_name = job.task == TrainingTask::embedding ? "cosine" : judged ? "accuracy" : "agreement";
}

double Distillation::elapsed() const {
  return seconds_before_ + std::chrono::duration<double>(Clock::now() - begin_).count();
}

double Distillation::progress_share() const {
  if (steps_ > 0) return static_cast<double>(state_.step) / static_cast<double>(steps_);
  return elapsed() / (60 * job_.recipe.minutes);
}

bool Distillation::is_check_due() const {
  if (steps_ == 0) return progress_share() - checked_share_ >= kCheckShare;
  const uint64_t every = std::max<uint64_t>(1, static_cast<uint64_t>(kCheckShare * static_cast<double>(steps_)));
  return state_.step % every == 0;
}

HeadWeights Distillation::heads(const std::vector<at::Tensor>& used, const Teacher* teacher) const {
  HeadWeights heads;
  heads.bf16 = bf16_;
  if (objective_.student_head != kNone) heads.student = used[objective_.student_head];
  if (objective_.teacher_head != kNone) heads.teacher = teacher->weights()[objective_.teacher_head];
  return heads;
}

// Loss and measure of one shard as parts of the whole step's, and the gradients of the loss.
Distillation::Sums Distillation::run_shard(const TokenBatch& data, const std::vector<int32_t>& labels, Teacher* teacher,
                                           const Shard& shard, size_t sequences, std::vector<at::Tensor>* gradients) {
  const at::AutoGradMode mode(gradients != nullptr);
  use_one_thread();
  const TensorBatch batch = make_tensor_batch(select_sequences(data, shard), device_);
  const Values target = teacher != nullptr ? teacher->outputs(shard) : Values{};
  at::Tensor truth;
  if (!labels.empty()) {
    std::vector<int64_t> picked;
    for (const uint32_t s : shard) picked.push_back(labels[s]);
    truth = at::tensor(picked, at::kLong).to(device_);
  }
  std::vector<at::Tensor> used = weights_.effective();
  std::vector<at::Tensor> leaves;
  for (const uint32_t weight : weights_.trained()) {
    if (gradients == nullptr) break;
    used[weight] = used[weight].detach().requires_grad_(true);
    leaves.push_back(used[weight]);
  }
  const Program& program = job_.student->program;
  const Values values = interpret(program, used, batch, {}, objective_.student_values(), bf16_);
  const BatchLoss result = batch_loss(objective_, values, target, batch, truth, heads(used, teacher));
  const at::Tensor part = result.loss * (static_cast<double>(shard.size()) / static_cast<double>(sequences));
  if (gradients != nullptr) *gradients = torch::autograd::grad({part}, leaves, {}, {}, false, /*allow_unused=*/true);
  return {part.item<double>(), result.measure.item<double>()};
}

double Distillation::train_step() {
  const TrainingData& data = *job_.data;
  const size_t count = std::min<size_t>(job_.recipe.batch, data.train.sequences());
  const std::vector<Shard> shards = make_shards(data.train, shuffle_.take(state_.step * count, count));
  std::vector<Sums> sums(shards.size());
  std::vector<at::Tensor> total(weights_.trained().size());
  const size_t together = shards_at_once(shards.size());
  for (size_t first = 0; first < shards.size(); first += together) {
    std::vector<std::vector<at::Tensor>> gradients(std::min(together, shards.size() - first));
    pool_.parallel_for(gradients.size(), [&](size_t i, size_t) {
      sums[first + i] =
          run_shard(data.train, data.train_labels, teacher_.get(), shards[first + i], count, &gradients[i]);
    });
    add_gradients(gradients, total);
  }
  double loss = 0;
  for (const Sums& sum : sums) loss += sum.loss;
  if (!std::isfinite(loss)) return loss;
  apply(total);
  for (const Shard& shard : shards) {
    for (const uint32_t s : shard) session_tokens_ += data.train.length(s), state_.curve.tokens += data.train.length(s);
  }
  return loss;
}

// Each shard has gradients of all weights: of a large model as many at a time as there are threads to compute them.
// Their sum is taken in the order of the shards, so this changes no bit.
size_t Distillation::shards_at_once(size_t shards) const {
  const uint64_t bytes = sizeof(float) * weights_.trained_numbers();
  return bytes * shards <= kGradientBytes ? shards : std::max<size_t>(1, pool_.size());
}

void Distillation::add_gradients(const std::vector<std::vector<at::Tensor>>& gradients,
                                 std::vector<at::Tensor>& total) {
  const at::NoGradGuard no_gradients;
  pool_.parallel_for(total.size(), [&](size_t i, size_t) {
    use_one_thread();
    for (const std::vector<at::Tensor>& shard : gradients) {
      if (shard[i].defined()) total[i] = total[i].defined() ? total[i].add_(shard[i]) : shard[i].clone();
    }
  });
}

void Distillation::apply(const std::vector<at::Tensor>& gradients) {
  const at::NoGradGuard no_gradients;
  weights_.pull(gradients, pool_);
  std::vector<Parameter>& parameters = weights_.parameters();
  AdamWStep step;
  step.rate = rate_ * rate_factor(progress_share(), job_.recipe.warmup);
  step.weight_decay = job_.recipe.weight_decay;
  step.gradient_scale = clip_scale(parameters, job_.recipe.clip);
  step.number = state_.step + 1;
  pool_.parallel_for(parameters.size(), [&](size_t i, size_t) {
    use_one_thread();
    adamw_step(parameters[i], step);
  });
  weights_.refresh(pool_);
}

Distillation::Sums Distillation::held_out() {
  const TrainingData& data = *job_.data;
  std::vector<Sums> sums(held_out_shards_.size());
  pool_.parallel_for(sums.size(), [&](size_t i, size_t) {
    sums[i] = run_shard(data.held_out, data.held_out_labels, held_out_teacher_.get(), held_out_shards_[i],
                        held_out_count_, nullptr);
  });
  Sums total;
  for (const Sums& sum : sums) {
    total.loss += sum.loss;
    total.measure += sum.measure / static_cast<double>(held_out_count_);
  }
  return total;
}

void Distillation::keep_best() {
  state_.best.clear();
  for (const Parameter& parameter : weights_.parameters()) {
    state_.best.push_back(parameter.value.detach().to(at::kCPU).clone());
  }
}

// A look at the held-out part: a point of the curve, the best state, and whether training still helps.
void Distillation::check() {
  const Sums sums = held_out();
  const double train = state_.loss_count > 0 ? state_.loss_sum / static_cast<double>(state_.loss_count) : sums.loss;
  state_.loss_sum = 0;
  state_.loss_count = 0;
  state_.curve.points.push_back({state_.step, train, sums.loss, sums.measure});
  checked_share_ = progress_share();
  // An earlier state with more weights is no better.
  const bool pruned = state_.pruned_share > state_.best_pruned_share;
  if (std::isfinite(sums.loss) && (state_.best.empty() || pruned || sums.loss < state_.best_loss)) {
    state_.best_loss = sums.loss;
    state_.best_pruned_share = state_.pruned_share;
    state_.curve.best_step = state_.step;
    state_.bad_checks = 0;
    keep_best();
  } else if (!(sums.loss <= std::max(kNegligibleLoss, kDiverged * state_.best_loss)) &&
             ++state_.bad_checks >= kBadChecks) {
    diverged_ = true;
  }
  report(true);
}

// s(t) = s_f (1 - (1 - t)^3) (Zhu and Gupta, 2017), t from the first step to the share kPrunedBy of all.
void Distillation::prune_gradually() {
  if (job_.recipe.schedule != PruneSchedule::cubic) return;
  const double t = schedule_time(progress_share());
  if (t > state_.pruned_share) prune(t);
}

void Distillation::prune(double t) {
  state_.pruned_share = t;
  for (const auto& [name, sparsity] : job_.target_sparsity) {
    weights_.prune_to(name, sparsity * (1 - std::pow(1 - t, 3)));
  }
  weights_.refresh(pool_);
}

void Distillation::report(bool checked) {
  const CurvePoint& latest = state_.curve.points.back();
  TrainingEvent event;
  event.stage = job_.stage;
  event.step = state_.step;
  event.steps = steps_;
  event.train_loss = checked ? latest.train_loss : last_loss_;
  event.held_out_loss = latest.held_out_loss;
  event.measure_name = state_.curve.measure_name;
  event.measure = latest.measure;
  const double here = std::max(1e-9, elapsed() - seconds_before_);
  event.tokens_per_second = static_cast<double>(session_tokens_) / here;
  const double share = progress_share();
  event.seconds_left = share > 0 ? std::max(0.0, elapsed() * (1 - share) / share) : 0;
  event.checked = checked;
  progress_.training(event);
}

void Distillation::save(bool finished) {
  if (job_.recipe.state_folder.empty()) return;
  state_.finished = finished;
  state_.seconds = elapsed();
  save_state(state_file(job_.recipe.state_folder, job_.stage), job_.fingerprint, state_, weights_);
}

void Distillation::finish(const std::string& why) {
  const at::NoGradGuard no_gradients;
  std::vector<Parameter>& parameters = weights_.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) parameters[i].value = state_.best[i].to(device_);
  weights_.refresh(pool_);
  // Where training ended before the schedule did.
  if (job_.recipe.schedule == PruneSchedule::cubic && state_.pruned_share < 1) prune(1);
  TrainingCurve& curve = state_.curve;
  curve.outcome =
      message(why, "; the weights of step ", curve.best_step, " were the best on the held-out part and ", "were kept");
  save(true);
}

TrainingCurve Distillation::run() {
  begin_ = Clock::now();
  use_one_thread();
  const bool keeps = !job_.recipe.state_folder.empty();
  const auto file = keeps ? state_file(job_.recipe.state_folder, job_.stage) : std::filesystem::path();
  const bool resumed = keeps && load_state(file, job_.fingerprint, state_, weights_);
  seconds_before_ = state_.seconds;
  progress_.stage(job_.stage, steps_);
  if (resumed) {
    progress_.note(message(job_.stage, ": going on from step ", state_.step, " of ", file.string()));
    weights_.refresh(pool_);
    checked_share_ = progress_share();
    diverged_ = state_.bad_checks >= kBadChecks;
  } else {
    check();
  }
  std::string why = steps_ > 0 ? "all steps were taken" : "the time was up";
  while (!state_.finished && !is_over()) {
    if (progress_.cancelled()) {
      save(false);
      if (!keeps) fail(Errc::interrupted, "stopped; nothing was written");
      throw ResumableStop(
          message("stopped at step ", state_.step, " of ", job_.stage, "; the same command goes on from there"));
    }
    prune_gradually();
    last_loss_ = train_step();
    if (!std::isfinite(last_loss_)) {
      why = message("the loss was no longer a number at step ", state_.step + 1);
      break;
    }
    ++state_.step;
    state_.loss_sum += last_loss_;
    ++state_.loss_count;
    progress_.advance(state_.step);
    if (is_check_due() || is_over()) {
      check();
      save(false);
    } else {
      report(false);
    }
  }
  if (diverged_) why = message("the held-out loss stayed above ", kDiverged, " times its best");
  if (!state_.finished) {
    finish(why);
  } else {
    const at::NoGradGuard no_gradients;
    for (size_t i = 0; i < state_.best.size(); ++i) weights_.parameters()[i].value = state_.best[i].to(device_);
    weights_.refresh(pool_);
  }
  weights_.store(*job_.student);
  state_.curve.steps = state_.step;
  state_.curve.seconds = state_.finished && resumed ? std::max(state_.seconds, 0.0) : elapsed();
  return state_.curve;
}

}  // namespace lathe::training
