#include "compress/pipeline/compress.h"

#include <algorithm>
#include <optional>

#include "compress/job/stop.h"
#include "compress/methods/encode.h"
#include "compress/pipeline/group_calibration.h"
#include "compress/pipeline/group_store.h"
#include "compress/pipeline/layer_group.h"
#include "compress/pipeline/provenance.h"
#include "compress/pipeline/recovery.h"
#include "compress/program/rewrite.h"

namespace lathe {
namespace {

// Inputs are rounded to 8 bits unless that would cost a decoder more than this share of what its weights cost
// (docs/decisions/0011-sixteen-bit-inputs.md).
constexpr double kMostRounding = 0.5;

// What the steps of one compression share. Finished tensors are in the store, facts and program in a CompressedModel.
struct Context {
  const CompressionInputs& inputs;
  const SourceModel& source;  // what is compressed: the original or a student of it
  const CompressionPlan& plan;
  Progress& progress;
  size_t threads;

  const Recipe& recipe() const { return inputs.recipe; }
};

void check_cancelled(const Context& context) {
  if (context.progress.cancelled()) fail(Errc::interrupted, "stopped; nothing was written");
}

// A decoder's output depends on every layer's; a text vector is a mean, and not that sensitive. What the rounding
// would do to a head is not known, and a head is run for one token at a time.
bool needs_wide_inputs(const Context& context, const TensorStore& store, const WeightFacts& facts,
                       std::optional<double> rounding_share) {
  const uint32_t asked = context.recipe().input_bits;
  if (!value_codec(store.at(facts.name).encoding.values).integer || asked == 8) return false;
  if (asked == 16) return true;
  return context.source.task.generates() &&
         (!rounding_share || *rounding_share > kMostRounding * facts.loss.value_or(0));
}

void widen_inputs(const std::string& weight, Program& program) {
  for (Op& op : program.ops) {
    auto* linear = op.as<ops::Linear>();
    if (linear == nullptr || program.weights[op.weights[0]] != weight) continue;
    linear->input_bits = InputBits::sixteen;
  }
}

size_t count_wide_inputs(const Program& program) {
  return static_cast<size_t>(std::count_if(program.ops.begin(), program.ops.end(), [](const Op& op) {
    const auto* linear = op.as<ops::Linear>();
    return linear != nullptr && linear->input_bits == InputBits::sixteen;
  }));
}

// Adds a finished layer, whose tensors are in the store, to program and facts.
void add_layer(const Context& context, const TensorStore& store, const FinishedLayer& layer, CompressedModel& model) {
  for (const WeightFacts& facts : layer.weights) {
    if (needs_wide_inputs(context, store, facts, layer.rounding_share)) widen_inputs(facts.name, model.program);
    for (const std::string& fallback : facts.fallbacks) {
      if (context.recipe().strict) {
        fail(Errc::unsupported, message(facts.name, ": ", fallback, " (an error under --strict)"));
      }
      model.notes.push_back(facts.name + ": " + fallback);
    }
    model.weights.push_back(facts);
  }
}

// Embeddings and heads, each a group of its own.
void compress_tables(const Context& context, GroupStore& groups, CompressedModel& model) {
  std::vector<const WeightPlan*> tables;
  for (const WeightPlan& weight : context.plan.weights) {
    if (weight.role == WeightRole::embedding || weight.role == WeightRole::head) tables.push_back(&weight);
  }
  context.progress.stage("compressing embeddings", tables.size());
  for (size_t i = 0; i < tables.size(); ++i) {
    check_cancelled(context);
    std::optional<std::vector<FinishedLayer>> layers = groups.restore();
    if (!layers) {
      layers = groups.keep(compress_table_group(context.source, *tables[i]));
      context.source.release(tables[i]->name);
    }
    add_layer(context, groups.tensors(), layers->front(), model);
    groups.tensors().release();
    context.progress.advance(i + 1);
  }
}

// A low-rank layer is two ops of the program.
void factor_if_low_rank(const Op& op, const FinishedLayer& layer, const TensorStore& store, Program& program) {
  if (layer.weights.size() != 2) return;
  const auto rank = static_cast<uint32_t>(store.at(layer.weights[0].name).shape[1]);
  factor_linear(program, op.output, layer.weights[0].name, layer.weights[1].name, rank);
}

// The layers of one group after another, each calibrated on what the compressed layers before it give.
void compress_layers(const Context& context, GroupStore& groups, CompressedModel& model) {
  const SourceModel& source = context.source;
  const GroupSettings settings = make_group_settings(source, context.recipe(), context.plan);
  ThreadPool pool(context.threads);
  std::optional<GroupCalibration> calibration;
  if (context.inputs.samples) {
    model.calibration = context.inputs.samples->description;
    calibration.emplace(*context.inputs.samples, source, groups.tensors(), context.threads,
                        context.inputs.recipe.calibration_device);
  }
  const auto between = [&] {
    release_pages(source, groups.tensors());
    check_cancelled(context);
  };
  const std::vector<std::vector<size_t>> all = linear_groups(source.program);
  context.progress.stage("compressing layers", all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    check_cancelled(context);
    const std::vector<size_t>& ops = all[i];
    std::optional<std::vector<FinishedLayer>> layers = groups.restore();
    if (layers && calibration) calibration->skip(ops.front());
    if (!layers) {
      std::optional<InputStatistics> statistics;
      if (calibration) statistics = calibration->collect(model.program, ops.front(), between);
      layers = groups.keep(compress_group(settings, ops, statistics ? &*statistics : nullptr, pool));
    }
    for (size_t k = 0; k < ops.size(); ++k) {
      factor_if_low_rank(source.program.ops[ops[k]], (*layers)[k], groups.tensors(), model.program);
      add_layer(context, groups.tensors(), (*layers)[k], model);
    }
    release_pages(source, groups.tensors());
    context.progress.advance(i + 1);
  }
}

// Norms, and whatever else no method changes.
void hold_other_weights(const Context& context, const Program& program, TensorStore& store) {
  for (const std::string& name : program.weights) {
    if (store.contains(name)) continue;
    store.hold(name, encode_vector(decode(context.source.weight(name)), context.plan.find(name).encoding));
  }
}

void recover_accuracy(const TrainingSetup& setup, const Student& student, TensorStore& store, CompressedModel& model) {
  TrainableModel trained{model.program, store.copies()};
  for (TrainingCurve& curve : recover(setup, trained, student)) model.training.push_back(std::move(curve));
  for (WeightFacts& facts : model.weights) update_facts(trained.weights.at(facts.name), facts);
  for (auto& [name, weight] : trained.weights) store.hold(name, std::move(weight));
  model.training_data = setup.inputs.training.description;
  model.notes.push_back(
      message("layer losses were measured before training (trained with ", setup.inputs.engine->description(), ")"));
}

void write_artifact(const Context& context, const Json& provenance, const TensorStore& store, ArtifactWriter& out,
                    CompressedModel& model) {
  check_cancelled(context);
  if (const size_t wide = count_wide_inputs(model.program); wide > 0) {
    model.notes.push_back(message("the inputs of ", wide, " linear layers are rounded to 16 bits instead of 8"));
  }
  for (const auto& [name, weight] : store.tensors()) {
    out.add_tensor(name, weight);
    store.release();
  }
  model.recipe_json = to_text(recipe_json(context.recipe()));
  model.provenance_json = to_text(provenance);
  out.set_section(layout::Section::tokenizer, encode_tokenizer(context.source.tokenizer));
  out.set_section(layout::Section::task, task_text(context.source.task, context.source.name));
  out.set_section(layout::Section::recipe, model.recipe_json);
  out.set_section(layout::Section::provenance, model.provenance_json);
  out.set_section(layout::Section::results, to_text(results(model.weights, model.training)));
  context.progress.stage("writing", 1);
  model.file_bytes = out.finish(model.program);
  context.progress.advance(1);
}

void check_dense_inputs(const CompressionInputs& inputs) {
  const SourceModel& source = inputs.source;
  if (!reads_samples(source.program)) return;
  if (inputs.recipe.trains()) {
    fail(Errc::unsupported, source.path.string() + ": a model that reads dense tensors cannot be trained");
  }
  if (inputs.samples) check_samples(source.program, inputs.samples->dense);
}

// The order matters: each group of layers is calibrated on what the compressed layers before it give, and training
// keeps the masks and grids that are there by then.
CompressedModel run_stages(const CompressionInputs& inputs, Student student, const CompressionPlan& plan,
                           ArtifactWriter& out, Progress& progress, size_t threads) {
  check_dense_inputs(inputs);
  const Recipe& recipe = inputs.recipe;
  const Context context{inputs, student.model, plan, progress, threads};
  const Json origin = provenance(inputs);
  const TrainingSetup setup{inputs, plan, origin, progress, threads};
  CompressedModel model;
  model.program = student.model.program;
  model.notes = student.model.notes;
  model.notes.insert(model.notes.end(), student.notes.begin(), student.notes.end());

  if (trains_dense(recipe)) model.training.push_back(train_dense(setup, student));
  const std::string& folder = recipe.training.state_folder;
  GroupStore groups(folder, folder.empty() ? Json() : compression_job(origin, student.model, recipe));
  compress_tables(context, groups, model);
  compress_layers(context, groups, model);
  hold_other_weights(context, model.program, groups.tensors());
  if (recipe.trains()) recover_accuracy(setup, student, groups.tensors(), model);
  write_artifact(context, origin, groups.tensors(), out, model);
  return model;
}

}  // namespace

CompressedModel compress(const CompressionInputs& inputs, Student student, const CompressionPlan& plan,
                         ArtifactWriter& out, Progress& progress, size_t threads) {
  const size_t count = threads == 0 ? available_cores() : threads;
  try {
    return run_stages(inputs, std::move(student), plan, out, progress, count);
  } catch (const ResumableStop&) {
    throw;
  } catch (const Error& error) {
    if (error.code() != Errc::interrupted || inputs.recipe.training.state_folder.empty()) throw;
    throw ResumableStop("stopped; what was done is kept, and the same command goes on from there");
  }
}

CompressedModel compress(const CompressionInputs& inputs, const CompressionPlan& plan, ArtifactWriter& out,
                         Progress& progress, size_t threads) {
  Student itself{inputs.source, match_all(inputs.source.program), {}};
  return compress(inputs, std::move(itself), plan, out, progress, threads);
}

}  // namespace lathe
