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

// Finds the linear ops around an op, as long as nothing else reads the values between them.
class Neighbours {
 public:
  explicit Neighbours(const Program& program) : program_(program), uses_(program) {}

  bool find(size_t between, ParallelUnits& units) const {
    const Op& op = program_.ops[between];
    units.between = between;
    if (uses_.values[op.output] != 1) return false;
    for (const uint32_t input : op.inputs) {
      if (uses_.values[input] != 1 || !find_linear(input, true, units.before.emplace_back())) return false;
    }
    return find_linear(op.output, false, units.after);
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
std::vector<ParallelUnits> find_units(const Program& program) {
  const Neighbours neighbours(program);
  std::vector<ParallelUnits> found;
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    ParallelUnits units;
    if (!op.is<Kind>() || program.values[op.output].rows != RowKind::tokens) continue;
    if (!neighbours.find(i, units)) continue;
    const uint32_t width = program.values[op.output].shape.size();
    units.count = width;
    if (const auto* attention = op.as<ops::Attention>()) {
      if (attention->kv_heads != attention->heads) continue;  // heads share keys and values
      units.count = attention->heads;
    }
    units.width = width / units.count;
    found.push_back(std::move(units));
  }
  return found;
}

// Removes columns from a weight one after the other, while the columns that stay make up for them as well as they can.
// For that it needs the inverse of the moments of the columns that stay. Removing a column from that inverse is a step
// of a Cholesky factorization with chosen pivots, whose rows are computed for the removed columns only.
class Elimination {
 public:
  /// `factor` is upper triangular, with inverse(moments) = factor^T factor; `width` columns are one unit, and `leaving`
  /// columns will be removed.
  Elimination(const Matrix& weight, const DoubleMatrix& factor, Eigen::Index width, Eigen::Index leaving)
      : width_(width),
        inverse_(factor.transpose() * factor),
        columns_(view(weight).cast<double>().transpose()),
        blocks_(inverse_.rows(), width),
        factors_(leaving, inverse_.rows()) {
    for (Eigen::Index first = 0; first < inverse_.rows(); first += width_) {
      blocks_.middleRows(first, width_) = inverse_.block(first, first, width_, width_);
    }
  }

  /// The error that is left when this unit is removed: tr(w inverse(b) w^T), with w its columns of the weight and b its
  /// block of the inverse.
  double cost(size_t unit) const {
    const Eigen::Index first = static_cast<Eigen::Index>(unit) * width_;
    const auto columns = columns_.middleRows(first, width_);
    if (width_ == 1) return columns.squaredNorm() / blocks_(first, 0);
    DoubleMatrix block = blocks_.middleRows(first, width_);
    DoubleMatrix solved = columns.transpose();
    if (!solve_rows(block, solved)) return std::numeric_limits<double>::infinity();
    return columns.transpose().cwiseProduct(solved).sum();
  }

  void remove(size_t unit) {
    const Eigen::Index first = static_cast<Eigen::Index>(unit) * width_;
    for (Eigen::Index column = first; column < first + width_; ++column) remove_column(column);
  }

 private:
  void remove_column(Eigen::Index gone) {
    const auto earlier = factors_.topRows(removed_);
    Eigen::VectorXd factor = inverse_.row(gone).transpose();
    factor.noalias() -= earlier.transpose() * earlier.col(gone);
    const double pivot = std::sqrt(std::max(factor[gone], std::numeric_limits<double>::min()));
    factor /= pivot;
    const Eigen::RowVectorXd weight = columns_.row(gone);
    columns_.noalias() -= (factor / pivot) * weight;
    for (Eigen::Index first = 0; first < factor.size(); first += width_) {
      const auto unit = factor.segment(first, width_);
      blocks_.middleRows(first, width_).noalias() -= unit * unit.transpose();
    }
    factors_.row(removed_++) = factor;
  }

  Eigen::Index width_;
  DoubleMatrix inverse_;      // of the moments of all columns
  DoubleMatrix columns_;      // [n, rows]: the weight after the removals so far, transposed
  DoubleMatrix blocks_;       // [n, width]: within each unit, the inverse of the moments of the columns that are left
  DoubleMatrix factors_;      // [leaving, n]: a row for each column that was removed
  Eigen::Index removed_ = 0;  // rows of factors_ that are set
};

// The units that stay, ascending. Empty when the moments have no inverse.
std::vector<uint32_t> choose_units(const LayerObjective& objective, uint32_t width, uint32_t keep) {
  const size_t n = objective.target.cols;
  DoubleMatrix factor = square(objective.damped, n);
  if (!factor_of_inverse(factor)) return {};
  Elimination elimination(objective.target, factor, width, static_cast<Eigen::Index>(n - size_t{keep} * width));
  std::vector<uint32_t> kept(n / width);
  for (size_t unit = 0; unit < kept.size(); ++unit) kept[unit] = static_cast<uint32_t>(unit);
  while (kept.size() > keep) {
    double least = std::numeric_limits<double>::infinity();
    auto weakest = kept.begin();
    for (auto unit = kept.begin(); unit != kept.end(); ++unit) {
      const double cost = elimination.cost(*unit);
      if (cost >= least) continue;
      least = cost;
      weakest = unit;
    }
    elimination.remove(*weakest);
    kept.erase(weakest);
  }
  return kept;
}

// The rows or columns of these units, in order.
std::vector<size_t> indices_of(const std::vector<uint32_t>& units, uint32_t width) {
  std::vector<size_t> indices;
  for (const uint32_t unit : units) {
    for (uint32_t i = 0; i < width; ++i) indices.push_back(size_t{unit} * width + i);
  }
  return indices;
}

// Finds the weight of the kept columns that is best for the damped moments m: t m[:, kept] inverse(m[kept, kept]).
bool solve_kept(const LayerObjective& objective, const std::vector<size_t>& kept, Matrix& weight) {
  const auto moments = square(objective.damped, objective.target.cols);
  DoubleMatrix solved = view(objective.target).cast<double>() * moments(Eigen::all, kept);
  DoubleMatrix kept_moments = moments(kept, kept);
  if (!solve_rows(kept_moments, solved)) return false;
  weight = Matrix(objective.target.rows, objective.target.cols);
  view(weight)(Eigen::all, kept) = solved.cast<float>();
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

std::vector<ParallelUnits> find_heads(const Program& program) { return find_units<ops::Attention>(program); }
std::vector<ParallelUnits> find_neurons(const Program& program) { return find_units<ops::Activation>(program); }

Reduction reduce_inputs(const std::string& name, const Matrix& weight, const std::vector<float>& bias,
                        const InputStatistics& statistics, uint32_t width, uint32_t keep) {
  Reduction out;
  LayerGoal goal;
  goal.bias_correction = !bias.empty();
  // Where whole units are removed, the errors before a layer are large, and a target that makes up for them fits the
  // samples better than the texts to come: MiniLM with half its neurons had a cosine of 0.917 with the correction and
  // 0.929 without.
  goal.target_correction = 0;
  LayerObjective objective = make_objective(weight, &statistics, goal, out.fallbacks);
  double damping = default_damping(statistics.tokens);
  for (int retry = 0;; ++retry) {
    out.kept = choose_units(objective, width, keep);
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

void apply_reduction(SourceModel& model, const ParallelUnits& units, const Reduction& reduction) {
  const std::vector<size_t> kept = indices_of(reduction.kept, units.width);
  for (const size_t op : units.before) keep_rows(model, model.program.ops[op], kept);
  Op& between = model.program.ops[units.between];
  model.program.values[between.output].shape = static_cast<uint32_t>(kept.size());
  if (auto* attention = between.as<ops::Attention>()) {
    attention->heads = attention->kv_heads = static_cast<uint32_t>(reduction.kept.size());
  }

  const Op& after = model.program.ops[units.after];
  Matrix narrow(reduction.weight.rows, kept.size());
  view(narrow) = view(reduction.weight)(Eigen::all, kept);
  model.derived[model.program.weights[after.weights[0]]] = f32_buffer({narrow.rows, narrow.cols}, narrow.values);
  if (!reduction.bias.empty()) {
    model.derived[model.program.weights[after.weights[1]]] = f32_buffer({reduction.bias.size()}, reduction.bias);
  }
}

}  // namespace lathe
