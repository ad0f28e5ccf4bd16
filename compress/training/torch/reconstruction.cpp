#include "compress/training/torch/reconstruction.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <span>

#include "compress/program/blocks.h"
#include "compress/training/torch/best.h"
#include "compress/training/torch/schedule.h"
#include "compress/training/torch/training_step.h"

namespace lathe::training {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kStepSequences = 16;  // of one optimizer step, or fewer when they are long
constexpr size_t kStepTokens = 2048;
constexpr uint32_t kHeldOutEvery = 10;  // every tenth sequence is held out
constexpr uint64_t kPatience = 3;       // passes without a better held-out error before a block is left

// How often the samples are read for each block, and at which peak learning rate.
struct Effort {
  uint64_t passes;
  double rate;
};
constexpr Effort kEffort = {12, 3e-4};
constexpr Effort kDecoderEffort = {6, 1e-3};  // a pass over long windows is many steps

// A part of the student's program between two matched values.
struct TunedBlock {
  uint32_t student_input = kNone;  // the values it begins with; kNone: the tokens
  uint32_t teacher_input = kNone;
  MatchedValue output;
  std::set<std::string> weights;  // of the student, in this part
};

// One value of a program for each sequence of the samples: f32 [rows, width] on the CPU.
using Activations = std::vector<at::Tensor>;

// The samples by what they are for, and how many of them make one optimizer step.
struct SampleSplit {
  std::vector<uint32_t> train;
  std::vector<uint32_t> held_out;
  size_t step_sequences = 0;
};

// What is the same for all blocks.
struct Setting {
  const TokenBatch& samples;
  SampleSplit split;
  at::Device device;
  ThreadPool& pool;
};

// The relative error of a block's output on shards of `samples`.
struct BlockLoss {
  const TrainingJob& job;
  const TunedBlock& block;
  const TokenBatch& samples;
  const Activations& inputs;   // of the student; empty for a block that begins with the tokens
  const Activations& targets;  // the teacher's outputs
  at::Device device;

  BatchLoss operator()(const Shard& shard, const std::vector<at::Tensor>& weights) const {
    const TensorBatch batch = make_tensor_batch(select_sequences(samples, shard), device);
    Values given;
    if (block.student_input != kNone) given[block.student_input] = joined(inputs, shard);
    const uint32_t wanted = block.output.student;
    const at::Tensor output = interpret(job.student->program, weights, batch, given, {wanted}).at(wanted);
    return {relative_error(output, joined(targets, shard), job.task), {}};
  }

  at::Tensor joined(const Activations& values, const Shard& shard) const {
    std::vector<at::Tensor> picked;
    for (const uint32_t sequence : shard) picked.push_back(values[sequence]);
    return at::cat(picked).to(device);
  }
};

SampleSplit split_samples(const TokenBatch& samples) {
  SampleSplit split;
  for (uint32_t i = 0; i < samples.sequences(); ++i) {
    (i % kHeldOutEvery == kHeldOutEvery - 1 ? split.held_out : split.train).push_back(i);
  }
  // A pass over a few long windows should be many steps too.
  const size_t length = std::max<size_t>(1, samples.tokens() / std::max<size_t>(1, samples.sequences()));
  const size_t fitting = std::clamp<size_t>(kStepTokens / length, 1, kStepSequences);
  split.step_sequences = std::min(fitting, split.train.size());
  return split;
}

std::vector<TunedBlock> find_tuned_blocks(const TrainingJob& job) {
  std::vector<TunedBlock> blocks;
  TunedBlock next;
  for (const MatchedValue& matched : job.matched) {
    next.output = matched;
    std::vector<uint32_t> given;
    if (next.student_input != kNone) given.push_back(next.student_input);
    const ProgramSlice part = slice(job.student->program, given, {matched.student});
    next.weights = {part.program.weights.begin(), part.program.weights.end()};
    blocks.push_back(next);
    next.student_input = matched.student;
    next.teacher_input = matched.teacher;
  }
  return blocks;
}

// The weights of the block, by weight of the student's program; the others are undefined.
std::vector<at::Tensor> block_weights(const TrainableModel& student, const TunedBlock& block,
                                      const at::Device& device) {
  std::vector<at::Tensor> weights;
  for (const std::string& name : student.program.weights) {
    const bool used = block.weights.contains(name);
    weights.push_back(used ? decoded(student.weights.at(name).view(), device) : at::Tensor());
  }
  return weights;
}

// The value `output` of the program for each of the samples, computed from `inputs`, which are its value `input`.
Activations advance(const Program& program, const std::vector<at::Tensor>& weights, const Activations& inputs,
                    uint32_t input, uint32_t output, const Setting& setting) {
  Activations outputs(setting.samples.sequences());
  setting.pool.parallel_for(outputs.size(), [&](size_t i, size_t) {
    const at::NoGradGuard no_gradients;
    use_one_thread();
    const auto sequence = static_cast<uint32_t>(i);
    const TokenBatch alone = select_sequences(setting.samples, std::span(&sequence, 1));
    Values given;
    if (input != kNone) given[input] = inputs[i].to(setting.device);
    const Values values = interpret(program, weights, make_tensor_batch(alone, setting.device), given, {output});
    outputs[i] = values.at(output).to(at::kCPU);
  });
  return outputs;
}

TrainableWeights::Choice choice_of(const TrainingJob& job, const TunedBlock& block) {
  TrainableWeights::Choice choice;
  choice.masked = pruned_weights(job);
  choice.only = block.weights;
  return choice;
}

// Step `number` of the optimizer, counted from 1. Returns the number of tokens it trained on.
uint64_t train_step(const ShardLoss& loss, const TrainingSchedule& schedule, uint64_t number, BatchOrder& order,
                    TrainableWeights& weights, const Setting& setting) {
  const SampleSplit& split = setting.split;
  std::vector<uint32_t> taken = order.take((number - 1) * split.step_sequences, split.step_sequences);
  for (uint32_t& sequence : taken) sequence = split.train[sequence];
  const std::vector<Shard> shards = make_shards(setting.samples, taken);
  AdamWStep step;
  step.rate = learning_rate(schedule, share_done(schedule, number, 0));
  step.number = number;
  const LossAndGradients result = loss_and_gradients(loss, weights, shards, setting.pool);
  optimizer_step(weights, result.gradients, step, /*clip=*/0, setting.pool);
  uint64_t tokens = 0;
  for (const uint32_t sequence : taken) tokens += setting.samples.length(sequence);
  return tokens;
}

// Trains the block's weights until its passes are over or the held-out error no longer falls, and stores the best.
TrainingCurve tune(TrainingJob& job, const TunedBlock& block, const ShardLoss& loss, const Setting& setting,
                   Progress& progress) {
  const Clock::time_point begin = Clock::now();
  TrainableWeights weights(*job.student, choice_of(job, block), setting.device, setting.pool);
  const std::vector<Shard> held_out = make_shards(setting.samples, setting.split.held_out);
  BatchOrder order(setting.split.train.size(), job.recipe.seed);
  const Effort effort = job.task == OutputKind::generation ? kDecoderEffort : kEffort;
  const uint64_t passes = weights.trained().empty() ? 0 : effort.passes;  // a large token table does not train
  const uint64_t pass_steps = std::max<size_t>(1, setting.split.train.size() / setting.split.step_sequences);
  const TrainingSchedule schedule{pass_steps * passes, 0, effort.rate, job.recipe.warmup};
  TrainingCurve curve;
  curve.stage = job.stage + " of " + job.student->program.values[block.output.student].name;
  curve.measure_name = "relative error";
  BestWeights best;
  const auto check = [&] {
    const double error = evaluate(loss, weights, held_out, setting.pool).loss;
    curve.points.push_back({curve.steps, error, error, error});
    return keep_if_best(best, {error, curve.steps}, weights);
  };
  check();
  for (uint64_t pass = 0, since_best = 0; pass < passes && since_best < kPatience; ++pass) {
    for (uint64_t i = 0; i < pass_steps; ++i) {
      if (progress.cancelled()) fail(Errc::interrupted, "training was stopped, and nothing was written");
      curve.tokens += train_step(loss, schedule, ++curve.steps, order, weights, setting);
    }
    since_best = check() ? 0 : since_best + 1;
  }
  if (best.step > 0) {
    restore(best, weights, setting.pool);
    weights.store(*job.student);
  }
  curve.best_step = best.step;
  curve.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  curve.outcome = passes == 0 ? "the block has no weights that train"
                              : message("the held-out error was ", curve.points.front().held_out_loss, " before and ",
                                        best.loss, " after");
  return curve;
}

void report(const std::string& stage, const std::vector<TrainingCurve>& curves, size_t blocks, Progress& progress) {
  const TrainingCurve& latest = curves.back();
  const auto better = [](const CurvePoint& a, const CurvePoint& b) { return a.measure < b.measure; };
  const CurvePoint& best = *std::min_element(latest.points.begin(), latest.points.end(), better);
  double seconds = 0;
  uint64_t tokens = 0;
  for (const TrainingCurve& curve : curves) seconds += curve.seconds, tokens += curve.tokens;
  TrainingEvent event;
  event.stage = stage;
  event.step = curves.size();
  event.steps = blocks;
  event.train_loss = latest.points.front().measure;
  event.held_out_loss = best.measure;
  event.measure_name = latest.measure_name;
  event.measure = best.measure;
  event.tokens_per_second = static_cast<double>(tokens) / std::max(1e-9, seconds);
  event.seconds_left = seconds * static_cast<double>(blocks - curves.size()) / static_cast<double>(curves.size());
  event.checked = true;
  progress.advance(curves.size());
  progress.training(event);
}

}  // namespace

std::vector<TrainingCurve> reconstruct_blocks(TrainingJob& job, Progress& progress, const at::Device& device) {
  const TokenBatch& samples = job.data->train;
  ThreadPool pool(training_threads(job, device));
  const Setting setting{samples, split_samples(samples), device, pool};
  if (setting.split.held_out.empty()) {
    fail(Errc::bad_recipe, message(job.stage, ": there are ", samples.sequences(), " sequences to train on; at least ",
                                   kHeldOutEvery, " are needed to hold one of them out"));
  }
  const std::vector<TunedBlock> blocks = find_tuned_blocks(job);
  const std::vector<at::Tensor> teacher_weights = decoded_weights(job.teacher->weights, job.teacher_weights, device);
  std::vector<TrainingCurve> curves;
  Activations inputs, teacher_inputs;  // of the present block, in student and teacher
  progress.stage(job.stage, blocks.size());
  for (const TunedBlock& block : blocks) {
    Activations targets =
        advance(*job.teacher, teacher_weights, teacher_inputs, block.teacher_input, block.output.teacher, setting);
    const BlockLoss loss{job, block, samples, inputs, targets, device};
    curves.push_back(tune(job, block, loss, setting, progress));
    inputs = advance(job.student->program, block_weights(*job.student, block, device), inputs, block.student_input,
                     block.output.student, setting);
    teacher_inputs = std::move(targets);
    report(job.stage, curves, blocks.size(), progress);
  }
  return curves;
}

}  // namespace lathe::training
