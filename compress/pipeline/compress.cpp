#include "compress/pipeline/compress.h"

#include <algorithm>
#include <optional>

#include "compress/calibration/calibration.h"
#include "compress/job/stop.h"
#include "compress/pipeline/finished_layer.h"
#include "compress/pipeline/linear_job.h"
#include "compress/pipeline/provenance.h"
#include "compress/pipeline/tensor_store.h"
#include "compress/program/rewrite.h"

namespace lathe {
namespace {

// Inputs are rounded to 8 bits unless that would cost a decoder more than this share of what its weights cost
// (docs/decisions/0011-sixteen-bit-inputs.md).
constexpr double kMostRounding = 0.5;

// "compression-0012"
std::string group_name(size_t index) {
  constexpr size_t kDigits = 4;
  const std::string number = std::to_string(index);
  return "compression-" + std::string(kDigits - std::min(kDigits, number.size()), '0') + number;
}

class Pipeline {
 public:
  Pipeline(const SourceModel& teacher, Student student, const Recipe& recipe, const CompressionPlan& plan,
           ArtifactWriter& out, Progress& progress, size_t threads)
      : teacher_(teacher),
        student_(std::move(student)),
        source_(student_.model),
        recipe_(recipe),
        plan_(plan),
        out_(out),
        progress_(progress),
        pool_(threads) {
    if (recipe.trains()) recovery_ = std::make_unique<RecoveryStages>(teacher, recipe, progress, threads);
  }

  CompressedModel run() {
    try {
      return run_stages();
    } catch (const ResumableStop&) {
      throw;
    } catch (const Error& error) {
      if (error.code() != Errc::interrupted || state_folder().empty()) throw;
      throw ResumableStop("stopped; what was done is kept, and the same command goes on from there");
    }
  }

 private:
  // The order matters: each group of layers is calibrated on what the compressed layers before it give, and training
  // keeps the masks and grids that are there by then.
  CompressedModel run_stages() {
    result_.program = source_.program;
    result_.notes = source_.notes;
    result_.notes.insert(result_.notes.end(), student_.notes.begin(), student_.notes.end());
    if (recipe_.needs_samples()) samples_ = make_samples(source_, recipe_);  // before anything long
    if (recovery_ && recovery_->trains_dense()) recovery_->train_dense(student_, plan_);
    store_.emplace(state_folder(), state_folder().empty() ? Json() : compression_job(teacher_, source_, recipe_));
    compress_tables();
    start_calibration();
    const auto groups = linear_groups(source_.program);
    progress_.stage("compressing layers", groups.size());
    for (size_t i = 0; i < groups.size(); ++i) {
      compress_group(groups[i]);
      progress_.advance(i + 1);
    }
    store_the_rest();
    if (recovery_) recover();
    finish();
    return std::move(result_);
  }

  // Linear ops that read the same value, by their index in the source program; heads are compressed with the tables.
  static std::vector<std::vector<size_t>> linear_groups(const Program& program) {
    const auto roles = weight_roles(program);
    std::vector<std::vector<size_t>> groups;
    for (size_t i = 0; i < program.ops.size(); ++i) {
      if (!program.ops[i].is<ops::Linear>()) continue;
      if (roles.at(program.weights[program.ops[i].weights[0]]) != WeightRole::linear) continue;
      const bool same = !groups.empty() && program.ops[groups.back().back()].inputs == program.ops[i].inputs;
      if (!same) groups.emplace_back();
      groups.back().push_back(i);
    }
    return groups;
  }

  void check_cancelled() const {
    if (progress_.cancelled()) fail(Errc::interrupted, "stopped; nothing was written");
  }

  const std::string& state_folder() const { return recipe_.training.state_folder; }

  // The next group: what an earlier run of this job has left in the store, or else what `compress` makes.
  template <class Compress>
  std::vector<FinishedLayer> finished(const Compress& compress) {
    check_cancelled();
    const std::string name = group_name(groups_++);
    if (const auto kept = store_->find(name)) return parse_finished(*kept, name);
    FinishedGroup group = compress();
    store_->put(name, group.tensors, finished_text(group.layers));
    return std::move(group.layers);
  }

  void record(WeightFacts facts) {
    for (const std::string& fallback : facts.fallbacks) {
      if (recipe_.strict) fail(Errc::unsupported, message(facts.name, ": ", fallback, " (an error under --strict)"));
      result_.notes.push_back(facts.name + ": " + fallback);
    }
    result_.weights.push_back(std::move(facts));
  }

  void compress_tables() {
    std::vector<const WeightPlan*> tables;
    for (const WeightPlan& plan : plan_.weights) {
      if (plan.role == WeightRole::embedding || plan.role == WeightRole::head) tables.push_back(&plan);
    }
    progress_.stage("compressing embeddings", tables.size());
    for (size_t i = 0; i < tables.size(); ++i) {
      const auto compress = [&] {
        TableOutcome outcome = compress_table(source_, *tables[i]);
        source_.release(tables[i]->name);
        FinishedGroup group;
        group.layers = {{{std::move(outcome.facts)}, std::nullopt}};
        group.tensors[tables[i]->name] = std::move(outcome.encoded);
        return group;
      };
      take(finished(compress).front());
      store_->release();
      progress_.advance(i + 1);
    }
  }

  void start_calibration() {
    if (recipe_.training.schedule == PruneSchedule::cubic) {
      masks_ = masks_of_zeros(source_, plan_);
    } else if (recipe_.prune_scope == PruneScope::global && recipe_.prune > 0) {
      masks_ = choose_global_masks(source_, plan_);
    }
    if (!samples_) return;
    result_.calibration = samples_->description;
    const auto compressed = [this](const std::string& name) {
      return store_->contains(name) ? store_->at(name) : source_.weight(name);
    };
    calibration_.emplace(
        *samples_, [this](const std::string& name) { return source_.weight(name); }, compressed, pool_.size());
  }

  void compress_group(const std::vector<size_t>& ops) {
    ahead_.push_back(ops.front());
    const std::vector<FinishedLayer> layers = finished([&] { return compress_layers(ops); });
    for (size_t i = 0; i < ops.size(); ++i) {
      if (layers[i].weights.size() == 2) factor(source_.program.ops[ops[i]], layers[i]);
      take(layers[i]);
    }
    release();
  }

  FinishedGroup compress_layers(const std::vector<size_t>& ops) {
    std::optional<InputStatistics> statistics;
    if (calibration_) statistics = collect();
    std::vector<LinearOutcome> outcomes(ops.size());
    pool_.parallel_for(ops.size(), [&](size_t i, size_t) {
      const LinearJob job = make_linear_job(source_, recipe_, plan_, source_.program.ops[ops[i]], masks_);
      outcomes[i] = compress_linear(job, statistics ? &*statistics : nullptr);
    });
    FinishedGroup group;
    for (size_t i = 0; i < ops.size(); ++i) {
      FinishedLayer& layer = group.layers.emplace_back();
      layer.rounding_share = outcomes[i].rounding_share;
      for (LinearFactor& factor : outcomes[i].factors) {
        layer.weights.push_back(std::move(factor.facts));
        group.tensors[factor.name] = std::move(factor.encoded);
      }
      const Op& op = source_.program.ops[ops[i]];
      if (op.weights.size() < 2 || op.weights[1] == kNone) continue;
      const std::string& bias = source_.program.weights[op.weights[1]];
      group.tensors[bias] = encode_vector(outcomes[i].bias, plan_.find(bias).encoding);
    }
    return group;
  }

  // Of the newest group. Past those that were in the store already it goes step by step, as if they had been compressed
  // now, so that memory stays bounded.
  InputStatistics collect() {
    const size_t op = ahead_.back();
    ahead_.pop_back();
    for (const size_t passed : ahead_) {
      check_cancelled();
      calibration_->skip(source_.program, result_.program, passed);
      release();
    }
    ahead_.clear();
    return calibration_->collect(source_.program, result_.program, op);
  }

  void release() {
    for (const std::string& name : source_.program.weights) source_.release(name);
    store_->release();
  }

  // A low-rank layer is two ops of the program.
  void factor(const Op& op, const FinishedLayer& layer) {
    const auto rank = static_cast<uint32_t>(store_->at(layer.weights[0].name).shape[1]);
    factor_linear(result_.program, op.output, layer.weights[0].name, layer.weights[1].name, rank);
  }

  // Puts the compressed layer into program and report; it is in the store, and so in file and calibration.
  void take(const FinishedLayer& layer) {
    for (const WeightFacts& facts : layer.weights) {
      if (needs_wide_inputs(facts, layer.rounding_share)) widen_inputs(facts.name);
      record(facts);
    }
  }

  // A decoder's output depends on every layer's; a text vector is a mean, and not that sensitive. What the rounding
  // would do to a head is not known, and a head is run for one token at a time.
  bool needs_wide_inputs(const WeightFacts& facts, std::optional<double> rounding_share) const {
    if (!value_codec(store_->at(facts.name).encoding.values).integer || recipe_.input_bits == 8) return false;
    if (recipe_.input_bits == 16) return true;
    return source_.task.generates() && (!rounding_share || *rounding_share > kMostRounding * facts.loss.value_or(0));
  }

  void widen_inputs(const std::string& weight) {
    for (Op& op : result_.program.ops) {
      auto* linear = op.as<ops::Linear>();
      if (linear == nullptr || result_.program.weights[op.weights[0]] != weight) continue;
      linear->input_bits = InputBits::sixteen;
      ++wide_;
    }
  }

  // Norms, and whatever else no pass touches.
  void store_the_rest() {
    for (const std::string& name : result_.program.weights) {
      if (store_->contains(name)) continue;
      store_->hold(name, encode_vector(decode(source_.weight(name)), plan_.find(name).encoding));
    }
  }

  void recover() {
    calibration_.reset();  // its memory
    TrainableModel model{result_.program, store_->copies()};
    recovery_->recover(model, student_, plan_, samples_ ? &*samples_ : nullptr);
    for (WeightFacts& facts : result_.weights) update_facts(model.weights.at(facts.name), facts);
    for (auto& [name, weight] : model.weights) store_->hold(name, std::move(weight));
    result_.training = recovery_->curves();
    result_.training_data = recovery_->data();
    result_.notes.push_back(
        message("the losses of the layers are those before training, which was done by ", recovery_->engine()));
  }

  void finish() {
    check_cancelled();
    if (wide_ > 0) {
      result_.notes.push_back(message("the inputs of ", wide_, " linear layers are rounded to 16 bits instead of 8"));
    }
    for (const auto& [name, weight] : store_->tensors()) {
      out_.add_tensor(name, weight);
      store_->release();
    }
    result_.recipe_json = to_text(recipe_json(recipe_));
    result_.provenance_json = to_text(provenance(teacher_, recipe_));
    out_.set_section(layout::Section::tokenizer, encode_tokenizer(source_.tokenizer));
    out_.set_section(layout::Section::task, task_text(source_.task, source_.name));
    out_.set_section(layout::Section::recipe, result_.recipe_json);
    out_.set_section(layout::Section::provenance, result_.provenance_json);
    out_.set_section(layout::Section::results, to_text(results(result_.weights, result_.training)));
    progress_.stage("writing", 1);
    result_.file_bytes = out_.finish(result_.program);
    progress_.advance(1);
  }

  const SourceModel& teacher_;
  Student student_;
  const SourceModel& source_;  // what is compressed: the student's
  const Recipe& recipe_;
  const CompressionPlan& plan_;
  ArtifactWriter& out_;
  Progress& progress_;
  ThreadPool pool_;
  CompressedModel result_;
  std::optional<TensorStore> store_;
  size_t groups_ = 0;  // of the store, in the order of the work
  std::optional<Samples> samples_;
  std::optional<Calibration> calibration_;
  std::vector<size_t> ahead_;  // the first op of each group that calibration has not reached
  GlobalMasks masks_;
  std::unique_ptr<RecoveryStages> recovery_;
  size_t wide_ = 0;  // linear ops with inputs of 16 bits
};

}  // namespace

CompressedModel compress(const SourceModel& source, Student student, const Recipe& recipe, const CompressionPlan& plan,
                         ArtifactWriter& out, Progress& progress, size_t threads) {
  const size_t count = threads == 0 ? available_cores() : threads;
  return Pipeline(source, std::move(student), recipe, plan, out, progress, count).run();
}

CompressedModel compress(const SourceModel& source, const Recipe& recipe, const CompressionPlan& plan,
                         ArtifactWriter& out, Progress& progress, size_t threads) {
  Student itself{source, match_all(source.program), {}};
  return compress(source, std::move(itself), recipe, plan, out, progress, threads);
}

}  // namespace lathe
