#include "compress/program/narrow_table.h"

#include <algorithm>
#include <cmath>

#include "compress/calibration/gram.h"
#include "compress/methods/linalg.h"

namespace lathe {
namespace {

constexpr size_t kRowsAtOnce = 4096;
constexpr double kPriorShare = 1.0;  // for each token of the samples, Zipf's law adds this many

size_t find_token_table(const Program& program, const std::string& where) {
  std::vector<size_t> found;
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    const auto* embedding = op.as<ops::Embedding>();
    if (embedding != nullptr && embedding->stream == Stream::tokens) found.push_back(i);
  }
  if (found.size() != 1) {
    fail(Errc::bad_recipe, message(where, ": student: embedding: the model has ", found.size(),
                                   " ops that look up tokens, needs exactly 1"));
  }
  const uint32_t table = program.ops[found[0]].weights[0];
  size_t uses = 0;
  for (const Op& op : program.ops) uses += static_cast<size_t>(std::count(op.weights.begin(), op.weights.end(), table));
  if (uses != 1) {
    fail(Errc::bad_recipe, message(where, ": student: embedding: table ", program.weights[table], " is used by ", uses,
                                   " ops, must be used by 1"));
  }
  return found[0];
}

// How often each token of the vocabulary is expected, from the samples and Zipf's law; only ratios matter.
std::vector<double> token_weights(size_t tokens, const TokenBatch& samples) {
  std::vector<double> weights(tokens, 0.0);
  for (const int32_t id : samples.ids) {
    if (id >= 0 && static_cast<size_t>(id) < tokens) ++weights[static_cast<size_t>(id)];
  }
  double harmonic = 0;
  for (size_t id = 0; id < tokens; ++id) harmonic += 1.0 / static_cast<double>(id + 1);
  const double prior = kPriorShare * static_cast<double>(std::max<size_t>(samples.ids.size(), 1)) / harmonic;
  for (size_t id = 0; id < tokens; ++id) weights[id] += prior / static_cast<double>(id + 1);
  return weights;
}

std::vector<double> weighted_moments(const Matrix& table, const std::vector<double>& weights, ThreadPool& pool) {
  const size_t n = table.cols;
  const std::unique_ptr<MomentSum> moments = cpu_moment_sums(pool)(n);
  std::vector<float> rows;
  for (size_t first = 0; first < table.rows; first += kRowsAtOnce) {
    const size_t count = std::min(kRowsAtOnce, table.rows - first);
    rows.assign(table.row(first), table.row(first) + count * n);
    for (size_t r = 0; r < count; ++r) {
      view(rows.data() + r * n, 1, n) *= static_cast<float>(std::sqrt(weights[first + r]));
    }
    moments->add(rows.data(), rows.data(), count);
  }
  return moments->take();
}

// The directions with the most energy, one in each column [width, rank], and the share of the energy that they hold.
Matrix main_directions(const std::vector<double>& moments, size_t width, size_t rank, const std::string& name,
                       double& share) {
  const auto square_moments = square(moments, width);
  const std::optional<DoubleMatrix> vectors = eigenvectors(square_moments);
  if (!vectors) fail(Errc::malformed, message("table ", name, ": its second moments have no eigenvectors"));
  const DoubleMatrix main = vectors->topRows(static_cast<Eigen::Index>(rank)).transpose();
  const double energy = square_moments.trace();
  share = energy > 0 ? (square_moments * main).cwiseProduct(main).sum() / energy : 1.0;
  Matrix directions(width, rank);
  view(directions) = main.cast<float>();
  return directions;
}

// Gives "x" for "x.weight".
std::string stem(const std::string& name) {
  constexpr std::string_view kEnd = ".weight";
  return name.ends_with(kEnd) ? name.substr(0, name.size() - kEnd.size()) : name;
}

}  // namespace

double narrow_token_table(SourceModel& model, uint32_t rank, const TokenBatch& samples, ThreadPool& pool) {
  Program& program = model.program;
  const size_t at = find_token_table(program, model.path.string());
  const uint32_t wide = program.ops[at].output;
  const uint32_t table_id = program.ops[at].weights[0];
  const std::string name = program.weights[table_id];
  const uint32_t width = program.values[wide].shape.size();
  if (rank < 1 || rank >= width) {
    fail(Errc::bad_recipe, message(model.path.string(), ": student: embedding=", rank, ", must be in [1, ", width - 1,
                                   "]: table ", name, " is ", width, " wide"));
  }
  const EncodedTensor tensor = model.weight(name);
  Matrix table;
  table.rows = tensor.rows();
  table.cols = tensor.cols();
  table.values = decode(tensor);
  model.release(name);

  double share = 0;
  const std::vector<double> moments = weighted_moments(table, token_weights(table.rows, samples), pool);
  const Matrix widen = main_directions(moments, width, rank, name, share);
  Matrix narrow(table.rows, rank);
  view(narrow).noalias() = view(std::as_const(table)) * view(widen);

  const std::string narrow_name = stem(name) + ".narrow.weight";
  const std::string widen_name = stem(name) + ".widen.weight";
  model.derived.erase(name);
  model.derived[narrow_name] = f32_buffer({narrow.rows, narrow.cols}, narrow.values);
  model.derived[widen_name] = f32_buffer({widen.rows, widen.cols}, widen.values);
  program.weights[table_id] = narrow_name;
  const uint32_t between = program.add_value(program.values[wide].name + ".narrow", RowKind::tokens, rank);
  program.ops[at].output = between;
  Op widening{ops::Linear{}, {between}, {program.add_weight(widen_name)}, wide};
  program.ops.insert(program.ops.begin() + static_cast<std::ptrdiff_t>(at) + 1, std::move(widening));
  return share;
}

}  // namespace lathe
