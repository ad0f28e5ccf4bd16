#include "compress/program/structured.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compress/methods/linalg.h"
#include "compress/methods/objective.h"

namespace lathe {
namespace {

constexpr int kDampingRetries = 3;
constexpr double kDampingGrowth = 10;

// How often values are read and weights are used.
struct Uses {
  std::vector<uint32_t> values;
  std::vector<uint32_t> weights;

  explicit Uses(const Program& program) : values(program.values.size(), 0), weights(program.weights.size(), 0) {
    for (const Op& op : program.ops) {
      for (const uint32_t input : op.inputs) ++values[input];
      for (const uint32_t weight : op.weights) {
        if (weight != kNone) ++weights[weight];
      }
    }
    for (const uint32_t output : program.outputs) ++values[output];
  }
  bool owns_weights(const Op& op) const {
    return std::all_of(op.weights.begin(), op.weights.end(),
                       [&](uint32_t weight) { return weight == kNone || weights[weight] == 1; });
  }
};

// Looks for a linear op, through what is read once alone, in either direction.
class Neighbours {
 public:
  explicit Neighbours(const Program& program) : program_(program), uses_(program) {}

  bool find(size_t between, ParallelParts& parts) const {
    const Op& op = program_.ops[between];
    parts.between = between;
    if (uses_.values[op.output] != 1) return false;
    for (const uint32_t input : op.inputs) {
      if (uses_.values[input] != 1 || !find_linear(input, true, parts.before.emplace_back())) return false;
    }
    return find_linear(op.output, false, parts.behind);
  }

 private:
  bool find_linear(uint32_t value, bool writes, size_t& at) const {
    for (at = 0; at < program_.ops.size(); ++at) {
      const Op& op = program_.ops[at];
      const bool found = writes ? op.output == value : !op.inputs.empty() && op.inputs[0] == value;
      if (found && op.is<ops::Linear>() && uses_.owns_weights(op)) return true;
    }
    return false;
  }

  const Program& program_;
  Uses uses_;
};

template <class Kind>
std::vector<ParallelParts> find_parts(const Program& program) {
  const Neighbours neighbours(program);
  std::vector<ParallelParts> found;
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    ParallelParts parts;
    if (!op.is<Kind>() || program.values[op.output].rows != RowKind::tokens) continue;
    if (!neighbours.find(i, parts)) continue;
    const uint32_t width = program.values[op.output].shape.size();
    parts.count = width;
    if (const auto* attention = op.as<ops::Attention>()) {
      if (attention->kv_heads != attention->heads) continue;  // heads share keys and values
      parts.count = attention->heads;
    }
    parts.width = width / parts.count;
    found.push_back(std::move(parts));
  }
  return found;
}

// inverse(a), or nothing when `a` is not positive definite.
std::vector<double> inverse(size_t n, std::vector<double> a) {
  if (!factor_of_inverse(n, a)) return {};
  std::vector<double> transposed(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i; j < n; ++j) transposed[j * n + i] = a[i * n + j];
  }
  return product(n, n, n, transposed, transposed, true);
}

// Columns leave a weight one after the other, and those that stay take over what they did as well as they can. The
// inverse of the moments is that of the columns that stay: it loses a column like a Cholesky factorization with
// chosen pivots, of which only the rows of the columns that left are ever computed.
class Elimination {
 public:
  Elimination(const Matrix& weight, std::vector<double> inverse, size_t width)
      : rows_(weight.rows), n_(weight.cols), width_(width), inverse_(std::move(inverse)), left_(n_, true) {
    columns_.resize(n_ * rows_);
    for (size_t r = 0; r < rows_; ++r) {
      for (size_t c = 0; c < n_; ++c) columns_[c * rows_ + r] = weight.row(r)[c];
    }
    blocks_.resize(n_ * width_);
    for (size_t c = 0; c < n_; ++c) {
      for (size_t j = 0; j < width_; ++j) blocks_[c * width_ + j] = inverse_[c * n_ + c / width_ * width_ + j];
    }
  }

  /// The error that is left when the part goes: tr(w (its block of the inverse)^-1 w^T).
  double cost(size_t part) const {
    const size_t first = part * width_;
    const double* w = columns_.data() + first * rows_;
    if (width_ == 1) {
      double square = 0;
      for (size_t r = 0; r < rows_; ++r) square += w[r] * w[r];
      return square / blocks_[first];
    }
    std::vector<double> rows(rows_ * width_);
    for (size_t r = 0; r < rows_; ++r) {
      for (size_t j = 0; j < width_; ++j) rows[r * width_ + j] = w[j * rows_ + r];
    }
    const std::vector<double> before = rows;
    std::vector<double> block(blocks_.begin() + static_cast<std::ptrdiff_t>(first * width_),
                              blocks_.begin() + static_cast<std::ptrdiff_t>((first + width_) * width_));
    if (!solve_rows(width_, block, rows)) return std::numeric_limits<double>::infinity();
    double trace = 0;
    for (size_t i = 0; i < rows.size(); ++i) trace += before[i] * rows[i];
    return trace;
  }

  void remove(size_t part) {
    for (size_t c = part * width_; c < (part + 1) * width_; ++c) remove_column(c);
  }

 private:
  void remove_column(size_t gone) {
    std::vector<double> factor(inverse_.begin() + static_cast<std::ptrdiff_t>(gone * n_),
                               inverse_.begin() + static_cast<std::ptrdiff_t>((gone + 1) * n_));
    for (const std::vector<double>& earlier : factors_) {
      const double share = earlier[gone];
      for (size_t c = 0; c < n_; ++c) factor[c] -= share * earlier[c];
    }
    const double pivot = std::sqrt(std::max(factor[gone], std::numeric_limits<double>::min()));
    for (double& value : factor) value /= pivot;
    left_[gone] = false;
    const double* w = columns_.data() + gone * rows_;
    for (size_t c = 0; c < n_; ++c) {
      if (!left_[c]) continue;
      const double share = factor[c] / pivot;
      double* to = columns_.data() + c * rows_;
      for (size_t r = 0; r < rows_; ++r) to[r] -= share * w[r];
      const double* neighbours = factor.data() + c / width_ * width_;
      for (size_t j = 0; j < width_; ++j) blocks_[c * width_ + j] -= factor[c] * neighbours[j];
    }
    factors_.push_back(std::move(factor));
  }

  size_t rows_;
  size_t n_;
  size_t width_;
  std::vector<double> inverse_;               // of all columns
  std::vector<bool> left_;                    // by column
  std::vector<double> columns_;               // [n, rows]: the weight as it is by now, transposed
  std::vector<double> blocks_;                // [n, width]: within each part, the inverse of the columns that are left
  std::vector<std::vector<double>> factors_;  // of the columns that left
};

// The parts that stay, ascending; nothing when the moments have no inverse.
std::vector<uint32_t> choose_parts(const Objective& objective, uint32_t width, uint32_t keep) {
  const size_t n = objective.target.cols;
  std::vector<double> inverted = inverse(n, objective.damped);
  if (inverted.empty()) return {};
  Elimination elimination(objective.target, std::move(inverted), width);
  std::vector<uint32_t> kept(n / width);
  for (size_t part = 0; part < kept.size(); ++part) kept[part] = static_cast<uint32_t>(part);
  while (kept.size() > keep) {
    double least = std::numeric_limits<double>::infinity();
    auto weakest = kept.begin();
    for (auto part = kept.begin(); part != kept.end(); ++part) {
      const double cost = elimination.cost(*part);
      if (cost >= least) continue;
      least = cost;
      weakest = part;
    }
    elimination.remove(*weakest);
    kept.erase(weakest);
  }
  return kept;
}

// Rows or columns of the parts, in order.
std::vector<size_t> indices_of(const std::vector<uint32_t>& parts, uint32_t width) {
  std::vector<size_t> indices;
  for (const uint32_t part : parts) {
    for (uint32_t i = 0; i < width; ++i) indices.push_back(size_t{part} * width + i);
  }
  return indices;
}

// The weight of the kept columns that is best for the damped moments m: t m[:, kept] / m[kept, kept].
bool solve_kept(const Objective& objective, const std::vector<size_t>& kept, Matrix& weight) {
  const size_t n = objective.target.cols;
  const size_t m = kept.size();
  std::vector<double> columns(n * m);
  std::vector<double> square(m * m);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < m; ++j) columns[i * m + j] = objective.damped[i * n + kept[j]];
  }
  for (size_t i = 0; i < m; ++i) std::copy_n(columns.data() + kept[i] * m, m, square.data() + i * m);
  const std::vector<double> target(objective.target.values.begin(), objective.target.values.end());
  std::vector<double> solved = product(objective.target.rows, m, n, target, columns);
  if (!solve_rows(m, square, solved)) return false;
  weight = Matrix(objective.target.rows, n);
  for (size_t r = 0; r < weight.rows; ++r) {
    for (size_t j = 0; j < m; ++j) weight.row(r)[kept[j]] = static_cast<float>(solved[r * m + j]);
  }
  return true;
}

std::vector<float> chosen_rows(const std::vector<float>& values, size_t cols, const std::vector<size_t>& rows) {
  std::vector<float> out;
  out.reserve(rows.size() * cols);
  for (const size_t row : rows) {
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(row * cols);
    out.insert(out.end(), first, first + static_cast<std::ptrdiff_t>(cols));
  }
  return out;
}

void keep_rows(SourceModel& model, const Op& linear, const std::vector<size_t>& rows) {
  for (const uint32_t id : linear.weights) {
    if (id == kNone) continue;
    const std::string& name = model.program.weights[id];
    const EncodedTensor tensor = model.weight(name);
    const size_t cols = tensor.shape.size() == 1 ? 1 : tensor.cols();
    Shape shape = tensor.shape;
    shape[0] = rows.size();
    EncodedBuffer reduced = f32_buffer(shape, chosen_rows(decode(tensor), cols, rows));
    model.derived[name] = std::move(reduced);
  }
  model.program.values[linear.output].shape = static_cast<uint32_t>(rows.size());
}

}  // namespace

std::vector<ParallelParts> find_heads(const Program& program) { return find_parts<ops::Attention>(program); }
std::vector<ParallelParts> find_neurons(const Program& program) { return find_parts<ops::Activation>(program); }

Reduction reduce_inputs(const std::string& name, const Matrix& weight, const std::vector<float>& bias,
                        const InputStatistics& statistics, uint32_t width, uint32_t keep) {
  Reduction out;
  LayerGoal goal;
  goal.bias_correction = !bias.empty();
  // Where whole parts are gone the errors before a layer are large, and bringing it back to the original's output fits
  // the samples more than the texts to come: half the neurons of MiniLM kept 0.917 of the cosine with it, 0.929
  // without.
  goal.target_correction = 0;
  Objective objective = make_objective(weight, &statistics, goal, out.fallbacks);
  double damping = default_damping(statistics.tokens);
  for (int retry = 0;; ++retry) {
    out.kept = choose_parts(objective, width, keep);
    if (!out.kept.empty() && solve_kept(objective, indices_of(out.kept, width), out.weight)) break;
    if (retry == kDampingRetries) {
      fail(Errc::malformed, message("weight ", name, ": the moments of its inputs are not finite"));
    }
    damping *= kDampingGrowth;
    out.fallbacks.push_back(message("the gram matrix is not positive definite: damping raised to ", damping));
    damp(objective, damping);
  }
  out.loss = objective.loss(out.weight, goal.bias_correction);
  if (goal.bias_correction) out.bias = corrected_bias(weight, out.weight, bias, statistics);
  return out;
}

void apply_reduction(SourceModel& model, const ParallelParts& parts, const Reduction& reduction) {
  const std::vector<size_t> kept = indices_of(reduction.kept, parts.width);
  for (const size_t op : parts.before) keep_rows(model, model.program.ops[op], kept);
  Op& between = model.program.ops[parts.between];
  model.program.values[between.output].shape = static_cast<uint32_t>(kept.size());
  if (auto* attention = between.as<ops::Attention>()) {
    attention->heads = attention->kv_heads = static_cast<uint32_t>(reduction.kept.size());
  }

  const Op& behind = model.program.ops[parts.behind];
  Matrix narrow(reduction.weight.rows, kept.size());
  for (size_t r = 0; r < narrow.rows; ++r) {
    for (size_t j = 0; j < kept.size(); ++j) narrow.row(r)[j] = reduction.weight.row(r)[kept[j]];
  }
  model.derived[model.program.weights[behind.weights[0]]] = f32_buffer({narrow.rows, narrow.cols}, narrow.values);
  if (!reduction.bias.empty()) {
    model.derived[model.program.weights[behind.weights[1]]] = f32_buffer({reduction.bias.size()}, reduction.bias);
  }
}

}  // namespace lathe
