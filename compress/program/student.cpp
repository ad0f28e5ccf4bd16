#include "compress/program/student.h"

#include <algorithm>
#include <cmath>

#include "compress/calibration/calibration.h"
#include "compress/program/blocks.h"
#include "compress/program/narrow_table.h"
#include "compress/program/structured.h"
#include "compress/program/student_layers.h"

namespace lathe {
namespace {

std::string list_text(const std::vector<uint32_t>& numbers) {
  std::string out;
  for (const uint32_t number : numbers) out += (out.empty() ? "" : ", ") + std::to_string(number);
  return out;
}

std::string percent(double share) { return message(std::round(share * 10000) / 100, "%"); }

void forget_unused(SourceModel& model) {
  std::erase_if(model.derived, [&](const auto& own) {
    return std::find(model.program.weights.begin(), model.program.weights.end(), own.first) ==
           model.program.weights.end();
  });
}

// Chooses the layers that stay and matches their outputs: the output of the student's layer j should agree with the
// teacher's output after the same share of its layers.
class LayerChoice {
 public:
  LayerChoice(Student& student, const StudentSpec& spec, const TokenBatch& samples, Progress& progress, size_t threads)
      : student_(student), layers_(find_layers(student.model.program)), kept_(*spec.layers) {
    check();
    if (spec.layers_by_importance) {
      progress.stage("choosing layers", layers_.size() - kept_);
      const auto weights = [&](const std::string& name) { return student.model.weight(name); };
      keep_ = most_important_layers(student.model.program, layers_, kept_, weights, samples, progress, threads);
    } else {
      keep_ = spread_layers(layers_.size(), kept_);
    }
    std::vector<uint32_t> numbers;
    for (uint32_t layer = 0; layer < layers_.size(); ++layer) {
      if (keep_[layer]) numbers.push_back(layer);
    }
    student.notes.push_back(message("the student has ", kept_, " of ", layers_.size(), " layers, ",
                                    spec.layers_by_importance ? "chosen by importance" : "evenly spread", ": ",
                                    list_text(numbers)));
  }

  void apply() {
    SourceModel& model = student_.model;
    student_.matched.clear();
    std::vector<uint32_t> ends;
    const Block leading = find_blocks(model.program).front();
    if (leading.last < layers_.front().first) {
      ends.push_back(leading.output);
      student_.matched.push_back({0, leading.output});
    }
    size_t reached = 0;
    for (size_t layer = 0; layer < layers_.size(); ++layer) {
      if (!keep_[layer]) continue;
      ++reached;
      ends.push_back(layers_[layer].output);
      const size_t like = (2 * reached * layers_.size() + kept_) / (2 * kept_) - 1;  // rounded
      student_.matched.push_back({0, layers_[like].output});
    }
    model.program = without_layers(model.program, layers_, keep_, ends);
    for (size_t i = 0; i < ends.size(); ++i) student_.matched[i].student = ends[i];
    forget_unused(model);
  }

 private:
  void check() const {
    const std::string field = message(student_.model.path.string(), ": student: layers=", kept_);
    if (layers_.empty()) fail(Errc::bad_recipe, field + ": the model has no repeated layers");
    if (kept_ < 1 || kept_ >= layers_.size()) {
      fail(Errc::bad_recipe,
           message(field, ", must be in [1, ", layers_.size() - 1, "]: the model has ", layers_.size(), " layers"));
    }
  }

  Student& student_;
  std::vector<Block> layers_;
  size_t kept_;
  std::vector<bool> keep_;
};

struct PlannedReduction {
  ParallelUnits units;
  const char* what;
  uint32_t keep;
};

void plan_reductions(const Student& student, const char* what, uint32_t keep, std::vector<ParallelUnits> found,
                     std::vector<PlannedReduction>& plan) {
  const std::string field = message(student.model.path.string(), ": student: ", what, "=", keep);
  if (found.empty()) {
    fail(Errc::bad_recipe, message(field, ": the model has no ", what, " between linear layers of their own"));
  }
  uint32_t most = 0;
  for (const ParallelUnits& units : found) most = std::max(most, units.count);
  if (keep < 1 || keep >= most) {
    fail(Errc::bad_recipe, message(field, ", must be in [1, ", most - 1, "]: the model has ", most, " in a layer"));
  }
  for (ParallelUnits& units : found) {
    if (units.count > keep) plan.push_back({std::move(units), what, keep});
  }
}

// Reduces layers in program order, each calibrated on the layers before it as they have become. Until all are done the
// layers keep their width, with zeros where units are gone, so that calibration can go on from the values that it
// holds.
class Reducer {
 public:
  Reducer(Student& student, const TokenBatch& samples, Progress& progress, size_t threads)
      : student_(student),
        progress_(progress),
        calibration_(
            samples, [this](const std::string& name) { return student_.model.weight(name); },
            [this](const std::string& name) { return reduced_weight(name); }, threads) {}

  void run(const std::vector<PlannedReduction>& plan) {
    progress_.stage("removing heads and neurons", plan.size());
    std::vector<Reduction> reductions;
    for (const PlannedReduction& step : plan) {
      if (progress_.cancelled()) fail(Errc::interrupted, "stopped while removing heads and neurons");
      reductions.push_back(reduce(step));
      progress_.advance(reductions.size());
    }
    for (size_t i = 0; i < plan.size(); ++i) apply_reduction(student_.model, plan[i].units, reductions[i]);
    for (const char* what : {"heads", "neurons"}) describe(what, plan, reductions);
  }

 private:
  EncodedTensor reduced_weight(const std::string& name) const {
    const auto own = wide_.find(name);
    return own == wide_.end() ? student_.model.weight(name) : own->second.view();
  }

  Reduction reduce(const PlannedReduction& step) {
    const Program& program = student_.model.program;
    const Op& after = program.ops[step.units.after];
    const std::string& name = program.weights[after.weights[0]];
    const EncodedTensor tensor = student_.model.weight(name);
    Matrix weight;
    weight.rows = tensor.rows();
    weight.cols = tensor.cols();
    weight.values = decode(tensor);
    const bool has_bias = after.weights.size() > 1 && after.weights[1] != kNone;
    std::vector<float> bias;
    if (has_bias) bias = decode(student_.model.weight(program.weights[after.weights[1]]));
    const InputStatistics statistics = calibration_.collect(program, program, step.units.after);
    Reduction reduction = reduce_inputs(name, weight, bias, statistics, step.units.width, step.keep);
    wide_[name] = f32_buffer({weight.rows, weight.cols}, reduction.weight.values);
    if (has_bias) wide_[program.weights[after.weights[1]]] = f32_buffer({reduction.bias.size()}, reduction.bias);
    for (const std::string& fallback : reduction.fallbacks) student_.notes.push_back(message(name, ": ", fallback));
    return reduction;
  }

  void describe(const std::string& what, const std::vector<PlannedReduction>& plan,
                const std::vector<Reduction>& reductions) {
    size_t layers = 0;
    std::string losses;
    std::string kept;
    for (size_t i = 0; i < plan.size(); ++i) {
      if (plan[i].what != what) continue;
      ++layers;
      losses += (losses.empty() ? "" : ", ") + percent(reductions[i].loss);
      kept += (kept.empty() ? "" : "; ") + list_text(reductions[i].kept);
    }
    if (layers == 0) return;
    const PlannedReduction& first =
        *std::find_if(plan.begin(), plan.end(), [&](const PlannedReduction& step) { return step.what == what; });
    student_.notes.push_back(
        message("the student has ", first.keep, " of ", first.units.count, " ", what, " in ", layers,
                " layers; the relative error of the outputs of the layers after them, layer by layer: ", losses));
    if (what == "heads") student_.notes.push_back("heads that the student keeps, layer by layer: " + kept);
  }

  Student& student_;
  Progress& progress_;
  std::map<std::string, EncodedBuffer> wide_;
  Calibration calibration_;
};

void remove_units(Student& student, const StudentSpec& spec, const TokenBatch& samples, Progress& progress,
                  size_t threads) {
  std::vector<PlannedReduction> plan;
  if (spec.heads) plan_reductions(student, "heads", *spec.heads, find_heads(student.model.program), plan);
  if (spec.neurons) plan_reductions(student, "neurons", *spec.neurons, find_neurons(student.model.program), plan);
  std::sort(plan.begin(), plan.end(),
            [](const PlannedReduction& a, const PlannedReduction& b) { return a.units.after < b.units.after; });
  Reducer(student, samples, progress, threads).run(plan);
}

void narrow_embedding(Student& student, uint32_t rank, const TokenBatch& samples, Progress& progress, size_t threads) {
  progress.stage("factoring the token table", 1);
  ThreadPool pool(threads == 0 ? available_cores() : threads);
  const double share = narrow_token_table(student.model, rank, samples, pool);
  student.notes.push_back(message("the token table is ", rank, " wide and keeps ", percent(share),
                                  " of its energy, tokens weighted by how often they are expected"));
  progress.advance(1);
}

// Refuses what cannot be removed from a decoder, before any work.
void check_decoder(const SourceModel& model, const StudentSpec& spec) {
  if (!model.task.generates()) return;
  const auto refuse = [&](const std::string& what, const std::string& why) {
    fail(Errc::unsupported, message(model.path.string(), ": student: ", what, ": ", why));
  };
  if (spec.heads && find_heads(model.program).empty()) {
    refuse(message("heads=", *spec.heads), "heads with rotary positions or shared keys cannot be taken out");
  }
  if (spec.neurons && find_neurons(model.program).empty()) {
    refuse(message("neurons=", *spec.neurons), "neurons after a gate cannot be taken out");
  }
  const auto& ops = model.program.ops;
  const uint32_t head = ops.back().is<ops::Linear>() ? ops.back().weights[0] : kNone;
  const bool tied = std::any_of(ops.begin(), ops.end(),
                                [&](const Op& op) { return op.is<ops::Embedding>() && op.weights[0] == head; });
  if (spec.embedding_rank && tied) {
    refuse(message("embedding=", *spec.embedding_rank), "the token table is the head as well and cannot be narrowed");
  }
}

}  // namespace

std::vector<MatchedValue> match_all(const Program& program) {
  const auto is_output = [&](uint32_t value) {
    return std::find(program.outputs.begin(), program.outputs.end(), value) != program.outputs.end();
  };
  std::vector<MatchedValue> matched;
  for (const Block& block : find_blocks(program)) {
    if (!is_output(block.output)) matched.push_back({block.output, block.output});
  }
  return matched;
}

Student make_student(const SourceModel& teacher, const StudentSpec& spec, const TokenBatch& samples, Progress& progress,
                     size_t threads) {
  check_decoder(teacher, spec);
  Student student;
  student.model = teacher;
  student.matched = match_all(teacher.program);
  if (spec.layers) LayerChoice(student, spec, samples, progress, threads).apply();
  if (spec.heads || spec.neurons) remove_units(student, spec, samples, progress, threads);
  if (spec.embedding_rank) narrow_embedding(student, *spec.embedding_rank, samples, progress, threads);
  const SourceModel& model = student.model;
  validate(
      model.program, [&](const std::string& name) { return model.weight(name).shape; }, model.path.string());
  return student;
}

}  // namespace lathe
