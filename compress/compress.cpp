#include "compress/compress.h"

#include <algorithm>
#include <optional>

#include "compress/calibration.h"
#include "compress/linear_job.h"
#include "compress/provenance.h"
#include "compress/rewrite.h"
#include "compress/stop.h"

namespace lathe {
namespace {

// Inputs are rounded to 8 bits unless that would cost a decoder more than this share of what its weights cost
// (docs/decisions/0011-sixteen-bit-inputs.md).
constexpr double kMostRounding = 0.5;

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
      if (error.code() != Errc::interrupted || !recovery_ || !recovery_->keeps_state()) throw;
      throw ResumableStop("stopped; what was trained is kept, and the same command goes on from there");
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
      if (program.ops[i].kind != OpKind::linear) continue;
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

  void store(const std::string& name, EncodedBuffer buffer) { stored_[name] = std::move(buffer); }

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
      check_cancelled();
      TableOutcome outcome = compress_table(source_, *tables[i]);
      source_.release(tables[i]->name);
      LinearFactor table{tables[i]->name, std::move(outcome.encoded), std::move(outcome.facts)};
      if (needs_wide_inputs(table, std::nullopt)) widen_inputs(table.name);
      store(table.name, std::move(table.encoded));
      record(std::move(table.facts));
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
      const auto at = stored_.find(name);
      return at != stored_.end() ? at->second.view() : source_.weight(name);
    };
    calibration_.emplace(
        *samples_, [this](const std::string& name) { return source_.weight(name); }, compressed, pool_.size());
  }

  void compress_group(const std::vector<size_t>& ops) {
    check_cancelled();
    std::optional<InputStatistics> statistics;
    if (calibration_) statistics = calibration_->collect(source_.program, result_.program, ops.front());
    std::vector<LinearOutcome> outcomes(ops.size());
    pool_.parallel_for(ops.size(), [&](size_t i, size_t) {
      const LinearJob job = make_linear_job(source_, recipe_, plan_, source_.program.ops[ops[i]], masks_);
      outcomes[i] = compress_linear(job, statistics ? &*statistics : nullptr);
    });
    for (size_t i = 0; i < ops.size(); ++i) take(source_.program.ops[ops[i]], std::move(outcomes[i]));
    for (const std::string& name : source_.program.weights) source_.release(name);
  }

  // Puts the compressed layer into program, file and the models that calibrate what follows.
  void take(const Op& op, LinearOutcome outcome) {
    if (outcome.factors.size() == 2) {
      factor_linear(result_.program, op.output, outcome.factors[0].name, outcome.factors[1].name,
                    static_cast<uint32_t>(outcome.factors[0].encoded.shape[1]));
    }
    for (LinearFactor& factor : outcome.factors) {
      if (needs_wide_inputs(factor, outcome.rounding_share)) widen_inputs(factor.name);
      store(factor.name, std::move(factor.encoded));
      record(std::move(factor.facts));
    }
    if (op.weights.size() < 2 || op.weights[1] == kNone) return;
    const std::string& bias = source_.program.weights[op.weights[1]];
    store(bias, encode_vector(outcome.bias, plan_.find(bias).encoding));
  }

  // A decoder's output depends on every layer's; a text vector is a mean, and not that sensitive. What the rounding
  // would do to a head is not known, and a head is run for one token at a time.
  bool needs_wide_inputs(const LinearFactor& factor, std::optional<double> rounding_share) const {
    if (!value_codec(factor.encoded.encoding.values).integer || recipe_.input_bits == 8) return false;
    if (recipe_.input_bits == 16) return true;
    return source_.task.generates() && (!rounding_share || *rounding_share > kMostRounding * factor.facts.loss);
  }

  void widen_inputs(const std::string& weight) {
    for (Op& op : result_.program.ops) {
      if (op.kind != OpKind::linear || result_.program.weights[op.weights[0]] != weight) continue;
      op.mode = static_cast<uint32_t>(InputBits::sixteen);
      ++wide_;
    }
  }

  // Norms, and whatever else no pass touches.
  void store_the_rest() {
    for (const std::string& name : result_.program.weights) {
      if (!stored_.contains(name)) store(name, encode_vector(decode(source_.weight(name)), plan_.find(name).encoding));
    }
  }

  void recover() {
    calibration_.reset();  // its memory
    TrainableModel model{result_.program, std::move(stored_)};
    recovery_->recover(model, student_, plan_, samples_ ? &*samples_ : nullptr);
    stored_ = std::move(model.weights);
    for (WeightFacts& facts : result_.weights) update_facts(stored_.at(facts.name), facts);
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
    for (const auto& [name, weight] : stored_) out_.add_tensor(name, weight.view());
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
  std::map<std::string, EncodedBuffer> stored_;
  std::optional<Samples> samples_;
  std::optional<Calibration> calibration_;
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
