#include "compress/pipeline/linear_job.h"

#include <algorithm>
#include <cmath>

#include "compress/methods/linalg.h"

namespace lathe {
namespace {

Matrix read_matrix(const SourceModel& source, const std::string& name) {
  const EncodedTensor tensor = source.weight(name);
  Matrix matrix;
  matrix.rows = tensor.rows();
  matrix.cols = tensor.cols();
  matrix.values = decode(tensor);
  return matrix;
}

WeightFacts describe_weight(const std::string& name, WeightRole role, const EncodedBuffer& encoded) {
  WeightFacts facts;
  facts.name = name;
  facts.shape = encoded.shape;
  facts.role = role_name(role);
  facts.encoding = encoding_name(encoded.encoding);
  const EncodedTensor view = encoded.view();
  facts.bytes = view.bytes();
  facts.bits_per_weight = 8.0 * static_cast<double>(view.bytes()) / static_cast<double>(view.rows() * view.cols());
  return facts;
}

LinearFactor make_factor(const std::string& name, LayerOutcome&& outcome) {
  LinearFactor factor{name, std::move(outcome.encoded), {}};
  factor.facts = describe_weight(name, WeightRole::linear, factor.encoded);
  factor.facts.sparsity = outcome.sparsity;
  factor.facts.loss = outcome.loss;
  factor.facts.loss_uncorrected = outcome.loss_uncorrected;
  factor.facts.method = outcome.method;
  factor.facts.fallbacks = std::move(outcome.fallbacks);
  if (outcome.dead_inputs > 0) {
    factor.facts.fallbacks.push_back(message(
        outcome.dead_inputs, outcome.dead_inputs == 1 ? " input was" : " inputs were", " never active in calibration"));
  }
  return factor;
}

LinearOutcome compress_factored(const LinearJob& job, const InputStatistics* statistics) {
  std::vector<std::string> fallbacks;
  LowRank factors = factor_low_rank(job.name, job.weight, statistics, job.rank, fallbacks);
  LayerOutcome down = compress_layer(job.name + ".down", factors.down, {}, statistics, job.goal);
  std::optional<InputStatistics> after;
  if (statistics != nullptr) {
    Matrix compressed(factors.down.rows, factors.down.cols);
    compressed.values = decode(down.encoded.view());
    after = statistics_after(*statistics, factors.down, compressed);
  }
  LayerOutcome up = compress_layer(job.name + ".up", factors.up, job.bias, after ? &*after : nullptr, job.goal);
  LinearOutcome outcome;
  outcome.bias = up.bias.empty() ? job.bias : up.bias;
  up.method += message(" on rank ", job.rank, " (truncation loss ", factors.relative_loss, ")");
  up.fallbacks.insert(up.fallbacks.end(), fallbacks.begin(), fallbacks.end());
  outcome.factors.push_back(make_factor(job.name + ".up", std::move(up)));
  outcome.factors.push_back(make_factor(job.name + ".down", std::move(down)));
  return outcome;
}

LinearOutcome compress_whole(const LinearJob& job, const InputStatistics* statistics) {
  LayerOutcome layer = compress_layer(job.name, job.weight, job.bias, statistics, job.goal);
  LinearOutcome outcome;
  outcome.bias = layer.bias.empty() ? job.bias : layer.bias;
  outcome.factors.push_back(make_factor(job.name, std::move(layer)));
  return outcome;
}

// The errors of the inputs are independent, so each weight passes on its square's share.
std::optional<double> rounding_share(const Matrix& weight, const InputStatistics* statistics) {
  if (statistics == nullptr) return std::nullopt;
  double squares = 0;
  for (const float w : weight.values) squares += static_cast<double>(w) * w;
  const double output = quadratic_form(weight, statistics->gram);
  return output > 0 ? statistics->rounding * squares / output : 0;
}

}  // namespace

GlobalMasks choose_global_masks(const SourceModel& source, const CompressionPlan& plan) {
  std::vector<std::string> names;
  std::vector<Matrix> weights;
  for (const WeightPlan& weight : plan.weights) {
    if (weight.role != WeightRole::linear) continue;
    names.push_back(weight.name);
    weights.push_back(read_matrix(source, weight.name));
    source.release(weight.name);
  }
  std::vector<const Matrix*> views;
  for (const Matrix& weight : weights) views.push_back(&weight);
  std::vector<std::vector<bool>> masks = global_magnitude_masks(views, plan.find(names.front()).sparsity);
  GlobalMasks result;
  for (size_t i = 0; i < names.size(); ++i) result[names[i]] = std::move(masks[i]);
  return result;
}

GlobalMasks masks_of_zeros(const SourceModel& source, const CompressionPlan& plan) {
  GlobalMasks masks;
  for (const WeightPlan& weight : plan.weights) {
    if (weight.role != WeightRole::linear || !(weight.sparsity > 0)) continue;
    std::vector<bool>& mask = masks[weight.name];
    for (const float value : decode(source.weight(weight.name))) mask.push_back(value != 0);
  }
  return masks;
}

LinearJob make_linear_job(const SourceModel& source, const Recipe& recipe, const CompressionPlan& plan, const Op& op,
                          const GlobalMasks& masks) {
  LinearJob job;
  job.name = source.program.weights[op.weights[0]];
  job.weight = read_matrix(source, job.name);
  if (op.weights.size() > 1 && op.weights[1] != kNone) {
    job.bias = decode(source.weight(source.program.weights[op.weights[1]]));
  }
  const WeightPlan& weight = plan.find(job.name);
  job.rank = weight.rank;
  job.goal.encoding = weight.encoding;
  job.goal.sparsity = weight.sparsity;
  job.goal.prune_method = recipe.prune_method;
  job.goal.quant_method = recipe.quant_method;
  job.goal.bias_correction = !job.bias.empty();  // otherwise nothing takes up the mean of the error
  if (const auto mask = masks.find(job.name); mask != masks.end()) job.goal.mask = mask->second;
  return job;
}

LinearOutcome compress_linear(const LinearJob& job, const InputStatistics* statistics) {
  LinearOutcome outcome = job.rank != 0 ? compress_factored(job, statistics) : compress_whole(job, statistics);
  outcome.rounding_share = rounding_share(job.weight, statistics);
  return outcome;
}

TableOutcome compress_table(const SourceModel& source, const WeightPlan& plan) {
  const EncodedTensor table = source.weight(plan.name);
  const uint64_t row_bytes = packed_bytes(table.encoding.values, table.cols());
  double error = 0;
  TableOutcome outcome;
  outcome.encoded = encode_table(
      plan.name, table.rows(), table.cols(), plan.encoding,
      [&](size_t row, float* out) { decode_row(table, row, row * row_bytes, out); }, &error);
  outcome.facts = describe_weight(plan.name, plan.role, outcome.encoded);
  outcome.facts.loss = error;
  outcome.facts.method = value_codec(plan.encoding.values).integer ? "scale search" : "copied";
  return outcome;
}

void update_facts(const EncodedBuffer& encoded, WeightFacts& facts) {
  const EncodedTensor view = encoded.view();
  const auto weights = static_cast<double>(view.rows() * view.cols());
  facts.bytes = view.bytes();
  facts.bits_per_weight = 8.0 * static_cast<double>(facts.bytes) / weights;
  facts.sparsity = static_cast<double>(count_zeros(view)) / weights;
}

}  // namespace lathe
