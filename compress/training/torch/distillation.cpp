#include "compress/training/torch/distillation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>

#include "compress/job/stop.h"
#include "compress/training/torch/schedule.h"
#include "compress/training/torch/state.h"
#include "compress/training/torch/teacher.h"
#include "compress/training/torch/training_step.h"

namespace lathe::training {
namespace {

using Clock = std::chrono::steady_clock;

// A check measures the first held-out texts, until they have this many tokens. Decoders are judged at every token, so
// fewer tell as much.
constexpr size_t kCheckTokens = 16384;
constexpr size_t kDecoderCheckTokens = 2048;

// The loss of a student on shards of `texts`.
struct StudentLoss {
  const Program& program;
  LossTerms terms;
  const TokenBatch& texts;
  const std::vector<int32_t>& labels;  // one for each of the texts, or empty
  std::shared_ptr<Teacher> teacher;    // of these texts; null: the labels alone teach
  at::Device device;
  bool bf16;

  BatchLoss operator()(const Shard& shard, const std::vector<at::Tensor>& weights) const {
    const TensorBatch batch = make_tensor_batch(select_sequences(texts, shard), device);
    const Values taught = teacher != nullptr ? teacher->outputs(shard) : Values{};
    HeadWeights heads;
    heads.bf16 = bf16;
    if (terms.student_head != kNone) heads.student = weights[terms.student_head];
    if (terms.teacher_head != kNone) heads.teacher = teacher->weights()[terms.teacher_head];
    const Values values = interpret(program, weights, batch, {}, terms.student_values(), bf16);
    return batch_loss(terms, values, taught, batch, labels_of(shard), heads);
  }

  at::Tensor labels_of(const Shard& shard) const {
    if (labels.empty()) return {};
    std::vector<int64_t> picked;
    for (const uint32_t sequence : shard) picked.push_back(labels[sequence]);
    return at::tensor(picked, at::kLong).to(device);
  }
};

// What stays the same from the first step of a stage to its last.
struct Lesson {
  TrainingSchedule schedule;
  ShardLoss train_loss;     // of shards of the texts to train on
  ShardLoss held_out_loss;  // of shards of the texts held out
  std::vector<Shard> held_out_shards;
  bool prunes = false;  // gradually, to the target sparsities of the job
};

// What changes with every step of a stage.
struct Run {
  TrainableWeights weights;
  BatchOrder order;
  TrainingState state;
  double checked_share = 0;   // of the stage, done when the held-out part was last measured
  double last_loss = 0;       // of the latest step
  uint64_t tokens_here = 0;   // trained on by this process
  double seconds_before = 0;  // of training, by earlier processes
  Clock::time_point begin = Clock::now();

  double seconds_here() const { return std::chrono::duration<double>(Clock::now() - begin).count(); }
  double seconds() const { return seconds_before + seconds_here(); }
};

// Matrix products in bf16, as the recipe asks: "automatic" where the device is much faster with it.
bool wants_bf16(const TrainingRecipe& recipe, const at::Device& device) {
  if (recipe.precision == TrainingPrecision::automatic) return device.is_cuda();
  return recipe.precision == TrainingPrecision::bf16;
}

TrainableWeights::Choice choice_of(const TrainingJob& job) {
  TrainableWeights::Choice choice;
  choice.trainable = job.recipe.trainable;
  choice.adapter_rank = job.recipe.adapter_rank;
  choice.seed = job.recipe.seed;
  if (job.recipe.schedule == PruneSchedule::one_shot) choice.masked = pruned_weights(job);
  return choice;
}

std::vector<Shard> held_out_shards(const TokenBatch& texts, OutputKind task) {
  const size_t enough = task == OutputKind::generation ? kDecoderCheckTokens : kCheckTokens;
  uint32_t count = 0;
  while (count < texts.sequences() && texts.starts[count] < enough) ++count;
  std::vector<uint32_t> first(count);
  std::iota(first.begin(), first.end(), 0u);
  return make_shards(texts, first);
}

Lesson make_lesson(const TrainingJob& job, const LossTerms& terms, const at::Device& device) {
  const bool bf16 = wants_bf16(job.recipe, device);
  const TrainingData& data = *job.data;
  std::shared_ptr<Teacher> teacher, held_out_teacher;
  if (terms.has_teacher) {
    const uint64_t budget = teacher_budget();
    teacher = std::make_shared<Teacher>(*job.teacher, job.teacher_weights, terms.teacher_values(), data.train, budget,
                                        device, bf16);
    held_out_teacher = std::make_shared<Teacher>(*teacher, data.held_out, budget / 4);
  }
  const Program& program = job.student->program;
  Lesson lesson;
  lesson.schedule = make_schedule(job);
  lesson.train_loss = StudentLoss{program, terms, data.train, data.train_labels, teacher, device, bf16};
  lesson.held_out_loss =
      StudentLoss{program, terms, data.held_out, data.held_out_labels, held_out_teacher, device, bf16};
  lesson.held_out_shards = held_out_shards(data.held_out, job.task);
  lesson.prunes = job.recipe.schedule == PruneSchedule::cubic;
  return lesson;
}

std::string measure_name(const TrainingJob& job) {
  if (job.task == OutputKind::embedding) return "cosine";
  const bool has_truth =
      job.task == OutputKind::generation ? job.teacher == nullptr : !job.data->held_out_labels.empty();
  return has_truth ? "accuracy" : "agreement";
}

double share_done(const Lesson& lesson, const Run& run) {
  return share_done(lesson.schedule, run.state.step, run.seconds());
}

bool is_over(const Lesson& lesson, const Run& run) {
  return share_done(lesson, run) >= 1 || has_diverged(run.state.best);
}

void report(const TrainingJob& job, const Lesson& lesson, const Run& run, bool checked, Progress& progress) {
  const CurvePoint& latest = run.state.curve.points.back();
  const double share = share_done(lesson, run);
  TrainingEvent event;
  event.stage = job.stage;
  event.step = run.state.step;
  event.steps = lesson.schedule.steps;
  event.train_loss = checked ? latest.train_loss : run.last_loss;
  event.held_out_loss = latest.held_out_loss;
  event.measure_name = run.state.curve.measure_name;
  event.measure = latest.measure;
  event.tokens_per_second = static_cast<double>(run.tokens_here) / std::max(1e-9, run.seconds_here());
  event.seconds_left = share > 0 ? std::max(0.0, run.seconds() * (1 - share) / share) : 0;
  event.checked = checked;
  progress.training(event);
}

// Measures the held-out part: a point of the curve, and the weights when they are the best so far.
void check(const Lesson& lesson, Run& run, ThreadPool& pool) {
  TrainingState& state = run.state;
  const LossAndMeasure held_out = evaluate(lesson.held_out_loss, run.weights, lesson.held_out_shards, pool);
  const double train_loss =
      state.loss_count > 0 ? state.loss_sum / static_cast<double>(state.loss_count) : held_out.loss;
  state.curve.points.push_back({state.step, train_loss, held_out.loss, held_out.measure});
  state.loss_sum = 0;
  state.loss_count = 0;
  run.checked_share = share_done(lesson, run);
  keep_if_best(state.best, {held_out.loss, state.step, state.pruning_progress}, run.weights);
}

void prune_to(const TrainingJob& job, double progress, Run& run, ThreadPool& pool) {
  if (progress <= run.state.pruning_progress) return;
  run.state.pruning_progress = progress;
  for (const auto& [name, sparsity] : job.target_sparsity) {
    run.weights.prune_to(name, cubic_sparsity(sparsity, progress));
  }
  run.weights.refresh(pool);
}

// One step of the optimizer. Leaves the weights as they are when the loss is not a number. Returns the loss.
double train_step(const TrainingJob& job, const Lesson& lesson, Run& run, ThreadPool& pool) {
  const TokenBatch& texts = job.data->train;
  TrainingState& state = run.state;
  const size_t count = std::min<size_t>(job.recipe.batch, texts.sequences());
  const std::vector<uint32_t> taken = run.order.take(state.step * count, count);
  const LossAndGradients result = loss_and_gradients(lesson.train_loss, run.weights, make_shards(texts, taken), pool);
  if (!std::isfinite(result.loss)) return result.loss;
  AdamWStep step;
  step.rate = learning_rate(lesson.schedule, share_done(lesson, run));
  step.weight_decay = job.recipe.weight_decay;
  step.number = state.step + 1;
  optimizer_step(run.weights, result.gradients, step, job.recipe.clip, pool);
  uint64_t tokens = 0;
  for (const uint32_t sequence : taken) tokens += texts.length(sequence);
  run.tokens_here += tokens;
  run.last_loss = result.loss;
  state.curve.tokens += tokens;
  state.loss_sum += result.loss;
  ++state.loss_count;
  ++state.step;
  return result.loss;
}

bool load(const TrainingJob& job, Run& run) {
  if (job.recipe.state_folder.empty()) return false;
  const std::filesystem::path file = state_file(job.recipe.state_folder, job.stage);
  return load_state(file, job.fingerprint, run.state, run.weights);
}

void save(const TrainingJob& job, Run& run, bool finished) {
  if (job.recipe.state_folder.empty()) return;
  run.state.finished = finished;
  run.state.seconds = run.seconds();
  save_state(state_file(job.recipe.state_folder, job.stage), job.fingerprint, run.state, run.weights);
}

// Takes up the state that an earlier process left, or measures where training begins.
void begin(const TrainingJob& job, const Lesson& lesson, Run& run, Progress& progress, ThreadPool& pool) {
  const bool resumed = load(job, run);
  run.seconds_before = run.state.seconds;
  progress.stage(job.stage, lesson.schedule.steps);
  if (!resumed) {
    check(lesson, run, pool);
    report(job, lesson, run, true, progress);
    return;
  }
  const std::filesystem::path file = state_file(job.recipe.state_folder, job.stage);
  progress.note(message(job.stage, ": going on from step ", run.state.step, ", which is stored in ", file.string()));
  run.weights.refresh(pool);
  run.checked_share = share_done(lesson, run);
}

[[noreturn]] void stop(const TrainingJob& job, Run& run) {
  if (job.recipe.state_folder.empty()) fail(Errc::interrupted, "training was stopped, and nothing was written");
  save(job, run, false);
  throw ResumableStop(message("training was stopped at step ", run.state.step, " of the stage \"", job.stage,
                              "\"; the same command goes on from there"));
}

// Steps until the stage is over. Returns why it ended.
std::string train(const TrainingJob& job, const Lesson& lesson, Run& run, Progress& progress, ThreadPool& pool) {
  while (!is_over(lesson, run)) {
    if (progress.cancelled()) stop(job, run);
    if (lesson.prunes) prune_to(job, pruning_progress(share_done(lesson, run)), run, pool);
    if (!std::isfinite(train_step(job, lesson, run, pool))) {
      return message("the loss was no longer a number at step ", run.state.step + 1);
    }
    progress.advance(run.state.step);
    const double share = share_done(lesson, run);
    const bool checks = share >= 1 || is_check_due(lesson.schedule, run.state.step, share, run.checked_share);
    if (checks) check(lesson, run, pool);
    report(job, lesson, run, checks, progress);
    if (checks) save(job, run, false);
  }
  if (has_diverged(run.state.best)) {
    return message("the held-out loss stayed above ", kBadCheckFactor, " times its best");
  }
  return lesson.schedule.steps > 0 ? "all steps were taken" : "the time was up";
}

// Goes back to the best weights, which lose what the pruning schedule had not yet pruned when training ended early.
void finish(const TrainingJob& job, const Lesson& lesson, const std::string& why, Run& run, ThreadPool& pool) {
  TrainingState& state = run.state;
  if (!state.best.exist()) {
    fail(Errc::unsupported, message(job.stage, ": the held-out loss was never a number, so no weights are the best: ",
                                    "does the model compute NaN or infinity on the training texts?"));
  }
  restore(state.best, run.weights, pool);
  if (lesson.prunes) prune_to(job, 1, run, pool);
  state.curve.outcome =
      message(why, "; the weights of step ", state.best.step, " were the best on the held-out part and were kept");
  save(job, run, true);
}

}  // namespace

TrainingCurve distill(TrainingJob& job, Progress& progress, const at::Device& device) {
  use_one_thread();
  ThreadPool pool(training_threads(job, device));
  const LossTerms terms = make_loss_terms(job);
  Run run{{*job.student, choice_of(job), device, pool}, {job.data->train.sequences(), job.recipe.seed}, {}};
  const Lesson lesson = make_lesson(job, terms, device);
  TrainingState& state = run.state;
  state.curve.stage = job.stage;
  state.curve.measure_name = measure_name(job);
  run.begin = Clock::now();
  begin(job, lesson, run, progress, pool);
  if (state.finished) {
    restore(state.best, run.weights, pool);
    state.curve.seconds = state.seconds;
  } else {
    const std::string why = train(job, lesson, run, progress, pool);
    finish(job, lesson, why, run, pool);
    state.curve.seconds = run.seconds();
  }
  run.weights.store(*job.student);
  state.curve.steps = state.step;
  state.curve.best_step = state.best.step;
  return state.curve;
}

}  // namespace lathe::training
