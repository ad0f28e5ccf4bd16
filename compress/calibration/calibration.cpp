#include "compress/calibration/calibration.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "compress/calibration/gram.h"

namespace lathe {
namespace {

constexpr size_t kMinKeptBytes = size_t{96} << 20;  // of values that one track may keep
constexpr size_t kMaxKeptBytes = size_t{768} << 20;

// Values that are given or written before the op and read by it or after it.
std::vector<uint32_t> live_values(const Program& program, size_t op) {
  std::vector<bool> read(program.values.size(), false);
  for (const uint32_t output : program.outputs) read[output] = true;
  for (size_t i = op; i < program.ops.size(); ++i) {
    for (const uint32_t input : program.ops[i].inputs) read[input] = true;
  }
  std::vector<uint32_t> live;
  for (const uint32_t input : program.inputs) {
    if (read[input]) live.push_back(input);
  }
  for (size_t i = 0; i < op; ++i) {
    if (read[program.ops[i].output]) live.push_back(program.ops[i].output);
  }
  return live;
}

void add_sum(const float* x, size_t rows, size_t width, std::vector<double>& sum) {
  for (size_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < width; ++i) sum[i] += x[row * width + i];
  }
}

// Rounding to steps of the row's range is wrong by a twelfth of a step's square in the mean.
double rounding_error(const float* x, size_t rows, size_t width) {
  double sum = 0;
  for (size_t row = 0; row < rows; ++row) {
    const auto [low, high] = std::minmax_element(x + row * width, x + (row + 1) * width);
    const double step = (std::max(*high, 0.0f) - std::min(*low, 0.0f)) / 255.0;
    sum += step * step / 12.0;
  }
  return sum;
}

// What one track may keep: as many bytes as the linear weights take in f32, between the two bounds. So memory follows
// the size of the model and not that of the samples.
size_t kept_bytes(const Program& original) {
  size_t weights = 0;
  for (const Op& op : original.ops) {
    if (!op.is<ops::Linear>()) continue;
    weights += original.values[op.inputs[0]].shape.size() * original.values[op.output].shape.size();
  }
  return std::clamp(weights * sizeof(float), kMinKeptBytes, kMaxKeptBytes);
}

}  // namespace

// Rows of a value, for each part of the samples.
using PartRows = std::vector<std::vector<float>>;

// One of the two models: what it keeps, and the step that is being run. What a part no longer needs is freed as soon
// as that part has been run, so that old and new values of all parts are never there together.
struct Calibration::Track {
  WeightLookup weights;
  MakeExecutor make;
  std::map<uint32_t, PartRows> kept;
  std::map<uint32_t, PartRows> next;  // what the step computes
  std::vector<uint32_t> wanted;       // the values of `next`, in the order of the step's outputs
  std::vector<uint32_t> inputs;       // kept values that the step reads
  std::vector<uint32_t> dropped;      // kept values that nothing needs after the step
  std::unique_ptr<Model> model;
  std::unique_ptr<Session> session;
  bool started = false;

  // Keeps what the program is given, before the first step.
  void start(const Program& program, const SampleParts& samples) {
    if (std::exchange(started, true)) return;
    for (const uint32_t id : program.inputs) kept[id].resize(samples.count());
    for (size_t i = 0; i < samples.count(); ++i) {
      SamplePart part = samples.part(i);
      for (size_t j = 0; j < program.inputs.size(); ++j) kept.at(program.inputs[j])[i].swap(part.samples.inputs.at(j));
    }
  }

  // Prepares the step that computes `values` from what is kept.
  void begin(const Program& program, const std::vector<uint32_t>& values, size_t parts, bool keep, size_t threads) {
    std::vector<uint32_t> given;
    dropped.clear();
    for (const auto& [id, rows] : kept) {
      given.push_back(id);
      if (keep && std::find(values.begin(), values.end(), id) == values.end()) dropped.push_back(id);
    }
    wanted.clear();
    next.clear();
    for (const uint32_t id : values) {
      if (kept.contains(id)) continue;
      wanted.push_back(id);
      next[id].resize(parts);
    }
    if (wanted.empty()) return;
    ProgramSlice slice = lathe::slice(program, given, wanted);
    inputs = std::move(slice.inputs);
    model = std::make_unique<Model>(Model::build(std::move(slice.program), weights, "calibration", make));
    session = std::make_unique<Session>(*model, threads);
  }

  // Runs the step on one part of the samples; returns its rows of `value`, which stay valid until the next call.
  const float* run(const Program& program, const SamplePart& part, size_t index, bool keep, uint32_t value) {
    if (session == nullptr) return kept.at(value)[index].data();
    std::vector<const float*> in;
    for (const uint32_t id : inputs) in.push_back(kept.at(id)[index].data());
    std::vector<float*> out;
    for (const uint32_t id : wanted) {
      if (!keep && index > 0) next.at(id)[index].swap(next.at(id)[index - 1]);
      next.at(id)[index].resize(part.rows(program.values[id].rows) * program.values[id].shape.size());
      out.push_back(next.at(id)[index].data());
    }
    part.run(*session, in, out);
    for (const uint32_t id : dropped) std::vector<float>().swap(kept.at(id)[index]);
    return (next.contains(value) ? next : kept).at(value)[index].data();
  }

  void finish(bool keep) {
    session.reset();
    model.reset();
    if (keep) {
      for (const uint32_t id : dropped) kept.erase(id);
      kept.merge(next);
    }
    next.clear();
  }
};

Calibration::Calibration(const SampleParts& samples, WeightLookup original, WeightLookup compressed, size_t threads,
                         const MakeExecutor& make, MakeMomentSum make_sum)
    : samples_(samples),
      pool_(threads == 0 ? available_cores() : threads),
      make_sum_(make_sum ? std::move(make_sum) : cpu_moment_sums(pool_)),
      original_(std::make_unique<Track>()),
      compressed_(std::make_unique<Track>()) {
  original_->weights = std::move(original);
  compressed_->weights = std::move(compressed);
  original_->make = compressed_->make = make;
}

Calibration::~Calibration() = default;

// Whether all that is needed from the op on can be kept.
bool Calibration::fits(const Program& original, size_t op) const {
  size_t floats = 0;
  for (const uint32_t id : live_values(original, op)) {
    floats += original.values[id].shape.size() * samples_.rows(original.values[id].rows);
  }
  return floats * sizeof(float) <= kept_bytes(original);
}

void Calibration::run_to(const Program& original, const Program& compressed, size_t op, bool keep, const Look& look) {
  const uint32_t value = original.ops[op].inputs[0];
  const std::vector<uint32_t> values = keep ? live_values(original, op) : std::vector<uint32_t>{value};
  for (Track* track : {original_.get(), compressed_.get()}) track->start(original, samples_);
  original_->begin(original, values, samples_.count(), keep, pool_.size());
  compressed_->begin(compressed, values, samples_.count(), keep, pool_.size());
  for (size_t i = 0; i < samples_.count(); ++i) {
    const SamplePart part = samples_.part(i);
    const float* y = original_->run(original, part, i, keep, value);
    const float* x = compressed_->run(compressed, part, i, keep, value);
    look(x, y, part.rows(original.values[value].rows));
  }
  original_->finish(keep);
  compressed_->finish(keep);
}

void Calibration::skip(const Program& original, const Program& compressed, size_t op) {
  if (fits(original, op)) run_to(original, compressed, op, true, [](const float*, const float*, size_t) {});
}

InputStatistics Calibration::collect(const Program& original, const Program& compressed, size_t op) {
  const size_t width = original.values[original.ops[op].inputs[0]].shape.size();
  InputStatistics statistics;
  statistics.width = width;
  statistics.sum.assign(width, 0.0);
  const std::unique_ptr<MomentSum> gram = make_sum_(width);
  std::unique_ptr<MomentSum> cross_gram;
  run_to(original, compressed, op, fits(original, op), [&](const float* x, const float* y, size_t rows) {
    statistics.rounding += rounding_error(x, rows, width);
    const bool differ = std::memcmp(x, y, rows * width * sizeof(float)) != 0;
    if (differ && cross_gram == nullptr) {  // until here the two were the same
      cross_gram = gram->copy();
      statistics.original_sum = statistics.sum;
    }
    gram->add(x, x, rows);
    add_sum(x, rows, width, statistics.sum);
    if (cross_gram != nullptr) {
      cross_gram->add(y, x, rows);
      add_sum(y, rows, width, statistics.original_sum);
    }
    statistics.tokens += rows;
  });
  statistics.gram = gram->take();
  if (cross_gram != nullptr) statistics.cross_gram = cross_gram->take();
  return statistics;
}

}  // namespace lathe
