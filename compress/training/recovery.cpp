#include "compress/training/recovery.h"

#include <cmath>

#include "compress/pipeline/linear_job.h"
#include "compress/pipeline/provenance.h"
#include "compress/training/training_data.h"

namespace lathe {
namespace {

// Of the whole budget, for the training before compression; what follows has to make up for the grid alone, or for
// zeros too. It begins near its goal and takes smaller steps.
constexpr double kDenseShare = 0.85;
constexpr double kDenseShareBeforePruning = 0.6;
constexpr double kFinalRate = 0.3;
constexpr double kStudentRate = 3;  // a smaller student has further to go than a compressed model

// Times the default; a rate that was asked for is the dense one.
double dense_rate(const Recipe& recipe) {
  return recipe.student.any() && !(recipe.training.learning_rate > 0) ? kStudentRate : 1;
}

double dense_share(const Recipe& recipe) {
  const bool prunes_after = recipe.prune > 0 && recipe.training.schedule == PruneSchedule::one_shot;
  return prunes_after ? kDenseShareBeforePruning : kDenseShare;
}

EncodedBuffer full_precision(const EncodedTensor& tensor) {
  EncodedBuffer buffer;
  buffer.shape = tensor.shape;
  const std::vector<float> values = decode(tensor);
  const Bytes bytes = as_bytes_of(values);
  buffer.plane(Plane::values).assign(bytes.begin(), bytes.end());
  return buffer;
}

// The part of steps or minutes that belongs to one of the two stages.
void take_share(TrainingRecipe& recipe, double share) {
  if (recipe.minutes > 0) {
    recipe.minutes *= share;
    return;
  }
  const uint32_t steps = recipe.steps > 0 ? recipe.steps : kDefaultTrainingSteps;
  recipe.steps = std::max<uint32_t>(1, static_cast<uint32_t>(std::lround(share * steps)));
}

}  // namespace

Student prepare_student(const SourceModel& source, const Recipe& recipe, Progress& progress, size_t threads) {
  if (!recipe.student.any()) return {source, match_all(source.program), {}};
  return make_student(source, recipe.student, make_samples(source, recipe).batch, progress, threads);
}

RecoveryStages::RecoveryStages(const SourceModel& teacher, const Recipe& recipe, Progress& progress, size_t threads)
    : teacher_(teacher),
      recipe_(recipe),
      progress_(progress),
      threads_(threads),
      engine_(load_training_engine(recipe.training.device)) {
  if (recipe.training.distills()) data_ = make_training_data(teacher, recipe.training);
}

RecoveryStages::~RecoveryStages() = default;

bool RecoveryStages::trains_dense() const {
  return recipe_.training.distills() && (recipe_.student.any() || recipe_.training.schedule == PruneSchedule::cubic);
}

TrainingJob RecoveryStages::make_job(const std::string& stage, TrainableModel& model, const Student& student,
                                     const CompressionPlan& plan) const {
  TrainingJob job;
  job.stage = stage;
  job.teacher = &teacher_.program;
  job.teacher_weights = [this](const std::string& name) { return teacher_.weight(name); };
  job.student = &model;
  job.matched = student.matched;
  job.task = teacher_.task.classifies()  ? TrainingTask::classification
             : teacher_.task.generates() ? TrainingTask::generation
                                         : TrainingTask::embedding;
  job.data = &data_;
  job.recipe = recipe_.training;
  job.recipe.schedule = PruneSchedule::one_shot;
  for (const WeightPlan& weight : plan.weights) {
    if (!(weight.sparsity > 0)) continue;
    for (const char* part : {"", ".up", ".down"}) {
      if (model.weights.contains(weight.name + part)) job.target_sparsity[weight.name + part] = weight.sparsity;
    }
  }
  job.fingerprint = to_text(Json::object(
      {{"stage", stage}, {"recipe", recipe_json(recipe_)}, {"provenance", provenance(teacher_, recipe_)}}));
  job.threads = threads_;
  return job;
}

void RecoveryStages::distill(TrainingJob& job) { curves_.push_back(engine_->distill(job, progress_)); }

void RecoveryStages::train_dense(Student& student, const CompressionPlan& plan) {
  TrainableModel model{student.model.program, {}};
  for (const std::string& name : model.program.weights) {
    model.weights[name] = full_precision(student.model.weight(name));
  }
  TrainingJob job = make_job("dense training", model, student, plan);
  job.recipe.schedule = recipe_.training.schedule;
  if (job.recipe.schedule != PruneSchedule::cubic) job.target_sparsity.clear();
  take_share(job.recipe, dense_share(recipe_));
  job.rate_factor = dense_rate(recipe_);
  distill(job);
  student.model.derived = std::move(model.weights);
}

void RecoveryStages::recover(TrainableModel& compressed, const Student& student, const CompressionPlan& plan,
                             const Samples* calibration) {
  if (recipe_.recovery == Recovery::blocks && calibration != nullptr) {
    TrainingData samples;
    samples.train = calibration->batch;
    TrainingJob job = make_job("block reconstruction", compressed, student, plan);
    job.data = &samples;
    for (TrainingCurve& curve : engine_->reconstruct_blocks(job, progress_)) curves_.push_back(std::move(curve));
  }
  if (!recipe_.training.distills()) return;
  TrainingJob job = make_job("distillation", compressed, student, plan);
  if (trains_dense()) {
    take_share(job.recipe, 1 - dense_share(recipe_));
    job.rate_factor = kFinalRate * dense_rate(recipe_);
  }
  distill(job);
}

}  // namespace lathe
