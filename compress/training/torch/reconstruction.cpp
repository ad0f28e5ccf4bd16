#include "compress/training/torch/reconstruction.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "compress/training/torch/loss.h"

namespace lathe::training {
namespace {

constexpr size_t kStepSequences = 16;  // of one optimizer step, or fewer when they are long
constexpr size_t kStepTokens = 2048;
constexpr size_t kHeldOutEvery = 10;  // one sequence in so many is not trained on
constexpr uint64_t kPatience = 3;     // passes without a better held-out error

struct Pace {
  uint64_t passes;  // over the samples, for each block
  double rate;
};
constexpr Pace kPace = {12, 3e-4};
constexpr Pace kDecoderPace = {6, 1e-3};  // long windows are many steps

using Clock = std::chrono::steady_clock;

std::vector<at::Tensor> decoded_some(const TrainableModel& model, const std::set<std::string>& names,
                                     const at::Device& device) {
  std::vector<at::Tensor> weights;
  for (const std::string& name : model.program.weights) {
    weights.push_back(names.contains(name) ? decoded(model.weights.at(name).view(), device) : at::Tensor());
  }
  return weights;
}

// A pass over a few long windows should be many steps too.
size_t step_sequences(const TokenBatch& data) {
  const size_t length = std::max<size_t>(1, data.tokens() / std::max<size_t>(1, data.sequences()));
  return std::clamp<size_t>(kStepTokens / length, 1, kStepSequences);
}

std::vector<uint32_t> every(size_t count, bool held_out) {
  std::vector<uint32_t> picked;
  for (uint32_t i = 0; i < count; ++i) {
    if ((i % kHeldOutEvery == kHeldOutEvery - 1) == held_out) picked.push_back(i);
  }
  return picked;
}

}  // namespace

BlockReconstruction::BlockReconstruction(TrainingJob& job, Progress& progress, const at::Device& device)
    : job_(job),
      progress_(progress),
      device_(device),
      pool_(!device.is_cpu()   ? 1
            : job.threads == 0 ? available_cores()
                               : job.threads),
      data_(job.data->train),
      train_(every(data_.sequences(), false)),
      held_out_(every(data_.sequences(), true)),
      shuffle_(train_.size(), job.recipe.seed),
      step_sequences_(std::min(step_sequences(data_), train_.size())) {
  if (held_out_.empty()) {
    fail(Errc::bad_recipe, message(job.stage, ": ", data_.sequences(), " sequences, at least ", kHeldOutEvery,
                                   " are needed to hold one out"));
  }
}

std::vector<BlockReconstruction::Stretch> BlockReconstruction::find_stretches() const {
  const Program& program = job_.student->program;
  std::vector<Stretch> stretches;
  Stretch next;
  for (const MatchedValue& matched : job_.matched) {
    next.output = matched;
    const std::vector<uint32_t> given =
        next.student_input == kNone ? std::vector<uint32_t>{} : std::vector<uint32_t>{next.student_input};
    const ProgramSlice part = slice(program, given, {matched.student});
    next.weights = {part.program.weights.begin(), part.program.weights.end()};
    stretches.push_back(next);
    next.student_input = matched.student;
    next.teacher_input = matched.teacher;
  }
  return stretches;
}

BlockReconstruction::Track BlockReconstruction::advance(const Program& program, const std::vector<at::Tensor>& weights,
                                                        const Track& inputs, uint32_t input, uint32_t output) {
  Track outputs(data_.sequences());
  std::vector<uint32_t> all(data_.sequences());
  for (uint32_t i = 0; i < all.size(); ++i) all[i] = i;
  pool_.parallel_for(all.size(), [&](size_t i, size_t) {
    const at::NoGradGuard no_gradients;
    use_one_thread();
    const TensorBatch batch = make_tensor_batch(select_sequences(data_, std::span(all).subspan(i, 1)), device_);
    Values given;
    if (input != kNone) given[input] = inputs[i].to(device_);
    outputs[i] = interpret(program, weights, batch, given, {output}).at(output).to(at::kCPU);
  });
  return outputs;
}

double BlockReconstruction::shard_error(const Stretch& stretch, const TrainableWeights& weights, const Shard& shard,
                                        size_t sequences, std::vector<at::Tensor>* gradients) {
  const at::AutoGradMode mode(gradients != nullptr);
  use_one_thread();
  const TensorBatch batch = make_tensor_batch(select_sequences(data_, shard), device_);
  std::vector<at::Tensor> inputs, targets;
  for (const uint32_t s : shard) {
    if (stretch.student_input != kNone) inputs.push_back(student_[s]);
    targets.push_back(target_[s]);
  }
  Values given;
  if (stretch.student_input != kNone) given[stretch.student_input] = at::cat(inputs).to(device_);
  std::vector<at::Tensor> used = weights.effective();
  std::vector<at::Tensor> leaves;
  for (const uint32_t weight : weights.trained()) {
    if (gradients == nullptr) break;
    used[weight] = used[weight].detach().requires_grad_(true);
    leaves.push_back(used[weight]);
  }
  const uint32_t wanted = stretch.output.student;
  const at::Tensor output = interpret(job_.student->program, used, batch, given, {wanted}).at(wanted);
  const double part = static_cast<double>(shard.size()) / static_cast<double>(sequences);
  const at::Tensor error = relative_error(output, at::cat(targets).to(device_), job_.task) * part;
  if (gradients != nullptr) *gradients = torch::autograd::grad({error}, leaves, {}, {}, false, /*allow_unused=*/true);
  return error.item<double>();
}

double BlockReconstruction::held_out_error(const Stretch& stretch, const TrainableWeights& weights) {
  const std::vector<Shard> shards = make_shards(data_, held_out_);
  std::vector<double> errors(shards.size());
  pool_.parallel_for(shards.size(), [&](size_t i, size_t) {
    errors[i] = shard_error(stretch, weights, shards[i], held_out_.size(), nullptr);
  });
  double total = 0;
  for (const double error : errors) total += error;
  return total;
}

uint64_t BlockReconstruction::step(const Stretch& stretch, TrainableWeights& weights, uint64_t number, double rate) {
  std::vector<uint32_t> taken = shuffle_.take((number - 1) * step_sequences_, step_sequences_);
  for (uint32_t& s : taken) s = train_[s];
  const std::vector<Shard> shards = make_shards(data_, taken);
  std::vector<std::vector<at::Tensor>> gradients(shards.size());
  pool_.parallel_for(shards.size(),
                     [&](size_t i, size_t) { shard_error(stretch, weights, shards[i], taken.size(), &gradients[i]); });
  const at::NoGradGuard no_gradients;
  for (size_t shard = 1; shard < gradients.size(); ++shard) {
    for (size_t i = 0; i < gradients[0].size(); ++i) {
      if (gradients[shard][i].defined()) gradients[0][i].add_(gradients[shard][i]);
    }
  }
  weights.pull(gradients[0], pool_);
  std::vector<Parameter>& parameters = weights.parameters();
  AdamWStep settings;
  settings.rate = rate;
  settings.number = number;
  pool_.parallel_for(parameters.size(), [&](size_t i, size_t) {
    use_one_thread();
    adamw_step(parameters[i], settings);
  });
  weights.refresh(pool_);
  uint64_t tokens = 0;
  for (const uint32_t s : taken) tokens += data_.length(s);
  return tokens;
}

TrainingCurve BlockReconstruction::tune(const Stretch& stretch) {
  const Clock::time_point begin = Clock::now();
  TrainableWeights::Choice choice;
  choice.only = stretch.weights;
  for (const auto& [name, sparsity] : job_.target_sparsity) {
    if (sparsity > 0) choice.masked.insert(name);
  }
  TrainableWeights weights(*job_.student, choice, device_, pool_);
  TrainingCurve curve;
  curve.stage = job_.stage + " of " + job_.student->program.values[stretch.output.student].name;
  curve.measure_name = "relative error";
  const uint64_t pass = std::max<size_t>(1, train_.size() / step_sequences_);
  double best = held_out_error(stretch, weights);
  curve.points.push_back({0, best, best, best});
  TrainableModel kept{job_.student->program, {}};
  for (const std::string& name : stretch.weights) kept.weights[name] = job_.student->weights.at(name);
  uint64_t number = 0;
  const Pace pace = job_.task == TrainingTask::generation ? kDecoderPace : kPace;
  const uint64_t passes = weights.trained().empty() ? 0 : pace.passes;  // a large token table does not train
  const double steps = static_cast<double>(pass * passes);
  for (uint64_t since = 0, done = 0; done < passes && since < kPatience; ++done) {
    for (uint64_t i = 0; i < pass; ++i) {
      if (progress_.cancelled()) fail(Errc::interrupted, "stopped; nothing was written");
      ++number;
      curve.tokens += step(stretch, weights, number,
                           pace.rate * rate_factor(static_cast<double>(number) / steps, job_.recipe.warmup));
    }
    const double error = held_out_error(stretch, weights);
    curve.points.push_back({number, error, error, error});
    ++since;
    if (!(error < best)) continue;
    since = 0;
    best = error;
    curve.best_step = number;
    weights.store(kept);
  }
  for (auto& [name, weight] : kept.weights) job_.student->weights[name] = std::move(weight);
  curve.steps = number;
  curve.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  curve.outcome = passes == 0
                      ? "nothing in it trains"
                      : message("held-out error ", curve.points.front().held_out_loss, " before, ", best, " after");
  return curve;
}

void BlockReconstruction::report(const std::vector<TrainingCurve>& curves, size_t blocks) {
  const CurvePoint& first = curves.back().points.front();
  const auto better = [](const CurvePoint& a, const CurvePoint& b) { return a.measure < b.measure; };
  const CurvePoint& best = *std::min_element(curves.back().points.begin(), curves.back().points.end(), better);
  seconds_ += curves.back().seconds;
  tokens_ += curves.back().tokens;
  TrainingEvent event;
  event.stage = job_.stage;
  event.step = curves.size();
  event.steps = blocks;
  event.train_loss = first.measure;
  event.held_out_loss = best.measure;
  event.measure_name = curves.back().measure_name;
  event.measure = best.measure;
  event.tokens_per_second = static_cast<double>(tokens_) / std::max(1e-9, seconds_);
  event.seconds_left = seconds_ * static_cast<double>(blocks - curves.size()) / static_cast<double>(curves.size());
  event.checked = true;
  progress_.advance(curves.size());
  progress_.training(event);
}

std::vector<TrainingCurve> BlockReconstruction::run() {
  const std::vector<Stretch> stretches = find_stretches();
  std::vector<at::Tensor> teacher_weights;
  for (const std::string& name : job_.teacher->weights) {
    teacher_weights.push_back(decoded(job_.teacher_weights(name), device_));
  }
  std::vector<TrainingCurve> curves;
  progress_.stage(job_.stage, stretches.size());
  for (const Stretch& stretch : stretches) {
    target_ = advance(*job_.teacher, teacher_weights, teacher_, stretch.teacher_input, stretch.output.teacher);
    curves.push_back(tune(stretch));
    student_ = advance(job_.student->program, decoded_some(*job_.student, stretch.weights, device_), student_,
                       stretch.student_input, stretch.output.student);
    teacher_ = std::move(target_);
    report(curves, stretches.size());
  }
  return curves;
}

}  // namespace lathe::training
