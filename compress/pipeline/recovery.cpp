#include "compress/pipeline/recovery.h"

#include <algorithm>
#include <cmath>

namespace lathe {
namespace {

// Shares of all steps for the training before compression. The training after it has to make up for the grid alone, or
// for zeros too; it begins near its goal and takes smaller steps.
constexpr double kDenseShare = 0.85;
constexpr double kDenseShareBeforePruning = 0.6;
constexpr double kFinalRate = 0.3;
constexpr double kStudentRate = 3;  // a smaller student has further to go than a compressed model

// A factor of the default learning rate; a rate that the recipe gives is that of the dense training.
double dense_rate(const Recipe& recipe) {
  return recipe.student.any() && !(recipe.training.learning_rate > 0) ? kStudentRate : 1;
}

double dense_share(const Recipe& recipe) {
  const bool prunes_after = recipe.prune > 0 && recipe.training.schedule == PruneSchedule::one_shot;
  return prunes_after ? kDenseShareBeforePruning : kDenseShare;
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

OutputKind training_task(const Task& task) {
  if (task.classifies()) return OutputKind::classification;
  return task.generates() ? OutputKind::generation : OutputKind::embedding;
}

TrainingJob make_job(const TrainingSetup& setup, const std::string& stage, TrainableModel& model,
                     const Student& student) {
  const SourceModel& teacher = setup.inputs.source;
  const Recipe& recipe = setup.inputs.recipe;
  TrainingJob job;
  job.stage = stage;
  job.teacher = &teacher.program;
  job.teacher_weights = [&teacher](const std::string& name) { return teacher.weight(name); };
  job.student = &model;
  job.matched = student.matched;
  job.task = training_task(teacher.task);
  job.data = &setup.inputs.training;
  job.recipe = recipe.training;
  job.recipe.schedule = PruneSchedule::one_shot;
  for (const WeightPlan& weight : setup.plan.weights) {
    if (!(weight.sparsity > 0)) continue;
    for (const char* part : {"", ".up", ".down"}) {
      if (model.weights.contains(weight.name + part)) job.target_sparsity[weight.name + part] = weight.sparsity;
    }
  }
  job.fingerprint =
      to_text(Json::object({{"stage", stage}, {"recipe", recipe_json(recipe)}, {"provenance", setup.provenance}}));
  job.threads = setup.threads;
  return job;
}

}  // namespace

Student prepare_student(const CompressionInputs& inputs, Progress& progress, size_t threads) {
  const SourceModel& source = inputs.source;
  if (!inputs.recipe.student.any()) return {source, match_all(source.program), {}};
  return make_student(source, inputs.recipe.student, inputs.samples.value().batch, progress, threads);
}

bool trains_dense(const Recipe& recipe) {
  return recipe.training.distills() && (recipe.student.any() || recipe.training.schedule == PruneSchedule::cubic);
}

TrainingCurve train_dense(const TrainingSetup& setup, Student& student) {
  const Recipe& recipe = setup.inputs.recipe;
  TrainableModel model{student.model.program, {}};
  for (const std::string& name : model.program.weights) {
    const EncodedTensor weight = student.model.weight(name);
    model.weights[name] = f32_buffer(weight.shape, decode(weight));
  }
  TrainingJob job = make_job(setup, "dense training", model, student);
  job.recipe.schedule = recipe.training.schedule;
  if (job.recipe.schedule != PruneSchedule::cubic) job.target_sparsity.clear();
  take_share(job.recipe, dense_share(recipe));
  job.rate_factor = dense_rate(recipe);
  TrainingCurve curve = setup.inputs.engine->distill(job, setup.progress);
  student.model.derived = std::move(model.weights);
  return curve;
}

std::vector<TrainingCurve> recover(const TrainingSetup& setup, TrainableModel& compressed, const Student& student) {
  const Recipe& recipe = setup.inputs.recipe;
  std::vector<TrainingCurve> curves;
  if (recipe.recovery == Recovery::blocks) {
    TrainingData samples;
    samples.train = setup.inputs.samples.value().batch;
    TrainingJob job = make_job(setup, "block reconstruction", compressed, student);
    job.data = &samples;
    curves = setup.inputs.engine->reconstruct_blocks(job, setup.progress);
  }
  if (!recipe.training.distills()) return curves;
  TrainingJob job = make_job(setup, "distillation", compressed, student);
  if (trains_dense(recipe)) {
    take_share(job.recipe, 1 - dense_share(recipe));
    job.rate_factor = kFinalRate * dense_rate(recipe);
  }
  curves.push_back(setup.inputs.engine->distill(job, setup.progress));
  return curves;
}

}  // namespace lathe
