#pragma once
// Compresses the weight of one linear layer. These functions depend on nothing but their arguments: the same arguments
// give the same bits on any number of threads.

#include <functional>
#include <optional>
#include <string>

#include "compress/methods/matrix.h"
#include "formats/artifact/encoding.h"
#include "formats/artifact/named_values.h"

namespace lathe {

/// How the weights that become zero are chosen. magnitude removes the smallest ones. error_feedback removes them column
/// by column, where later columns make up for the error of earlier ones (as SparseGPT does), and then improves the mask
/// by swapping pairs of weights. automatic takes error feedback where there are statistics.
enum class PruneMethod { automatic, magnitude, error_feedback };
inline constexpr NamedValues<PruneMethod, 3> kPruneMethods = {
    {{PruneMethod::automatic, "auto", "automatic"},
     {PruneMethod::magnitude, "magnitude", "magnitude_or_nearest"},
     {PruneMethod::error_feedback, "error-feedback", "error_feedback"}}};

/// How weights are rounded to the grid of an encoding. nearest rounds every weight by itself, after a search for the
/// best scales. error_feedback lets later columns make up for the error of earlier ones (as GPTQ does) and then moves
/// single weights while that lowers the error. automatic runs both and keeps the one with the smaller loss.
enum class QuantMethod { automatic, nearest, error_feedback };
inline constexpr NamedValues<QuantMethod, 3> kQuantMethods = {
    {{QuantMethod::automatic, "auto", "automatic"},
     {QuantMethod::nearest, "nearest", "magnitude_or_nearest"},
     {QuantMethod::error_feedback, "error-feedback", "error_feedback"}}};

/// What is asked of one layer.
struct LayerGoal {
  Encoding encoding;    // its sparsity is a bitmask when anything is pruned
  double sparsity = 0;  // the exact share of the weights that becomes zero
  PruneMethod prune_method = PruneMethod::automatic;
  QuantMethod quant_method = QuantMethod::automatic;
  bool bias_correction = true;     // needs statistics
  std::optional<double> damping;   // a share of the mean diagonal of the gram matrix; empty: default_damping(tokens)
  double target_correction = 1.0;  // how far to make up for the layers before, in [0, 1]; needs a cross_gram
  std::optional<std::vector<bool>> mask;  // true = keep; given when the choice was made over all layers at once
};

/// A hundredth for the usual tens of thousands of tokens. Fewer tokens say less about the inputs to come, so that they
/// are damped more.
double default_damping(uint64_t tokens);

/// A compressed layer. Losses are the mean square of the change of the layer's output over the mean square of T x:
/// tr(D G D^T) / tr(T G T^T), where G is the gram matrix of the inputs x and D the change of the weight. 0 is perfect,
/// and 1 is as bad as a layer of zeros. Where the bias makes up for the mean error, D G D^T takes G about the mean of
/// x. T is the weight or, with a cross_gram, the weight that brings T x as close as possible to what the original layer
/// made of its input y: then losses leave out the part of the error that no weight of this layer could mend. Without
/// statistics G is the identity.
struct LayerOutcome {
  EncodedBuffer encoded;
  std::vector<float> bias;             // corrected; empty when there was none and none is needed
  double loss_uncorrected = 0;         // of a magnitude mask and rounding to nearest, without a correction of the bias
  double loss = 0;                     // of `encoded`
  double sparsity = 0;                 // the share of zeros; more than was asked where a kept weight rounds to zero
  std::string method;                  // the one that won: "error_feedback", "nearest", "magnitude+nearest"
  std::vector<std::string> fallbacks;  // every deviation from what was asked, a sentence each
  uint64_t dead_inputs = 0;            // inputs that were zero throughout calibration
};

/// `bias` may be empty. `statistics` may be null: then weights are pruned by magnitude and rounded to nearest, and
/// `fallbacks` says so if more was asked. Throws Error{malformed} naming `name` when a weight is not finite.
LayerOutcome compress_layer(const std::string& name, const Matrix& weight, const std::vector<float>& bias,
                            const InputStatistics* statistics, const LayerGoal& goal);

/// Masks (true = keep) that remove exactly round(sparsity * total) weights of all layers together, the smallest by
/// magnitude; among equal ones the first layer and the first index go first.
std::vector<std::vector<bool>> global_magnitude_masks(const std::vector<const Matrix*>& weights, double sparsity);

/// Encodes embedding tables and other weights whose inputs are not calibrated: scales are searched row by row (or group
/// by group) for the smallest squared error. `read_row` writes one row of `cols` values, so that the table is never
/// held in f32 as a whole. `relative_error` may be null; it becomes the squared error over the sum of squares. Throws
/// Error{malformed} naming `name`, row and column when a value is not finite.
EncodedBuffer encode_table(const std::string& name, size_t rows, size_t cols, const Encoding& encoding,
                           const std::function<void(size_t row, float* out)>& read_row, double* relative_error);

/// Two factors whose product approximates a weight: up [rows, rank] and down [rank, cols].
struct LowRank {
  Matrix up;
  Matrix down;
  double relative_loss = 0;  // as LayerOutcome::loss, of the product, before either factor is encoded
};
/// The factors whose product is best for the inputs of these statistics (a whitened SVD), or for equal inputs where
/// `statistics` is null. Appends every deviation to `fallbacks`. Throws Error{usage} for a rank outside
/// [1, min(rows, cols)] and Error{malformed} for weights that are not finite, both naming `name`.
LowRank factor_low_rank(const std::string& name, const Matrix& weight, const InputStatistics* statistics, size_t rank,
                        std::vector<std::string>& fallbacks);

/// Statistics of what `up` reads: stored x in the compressed model, exact x where nothing is lost. They follow from the
/// statistics of x, without another pass over the data. `exact` and `stored` are `down` [rank, width] before and after
/// it was encoded.
InputStatistics statistics_after(const InputStatistics& inputs, const Matrix& exact, const Matrix& stored);

}  // namespace lathe
