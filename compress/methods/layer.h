#pragma once
// Compressing the weight of one linear layer: the heart of the toolkit. Pure functions of their arguments: the same
// arguments give the same bits, on any number of threads.

#include <functional>
#include <optional>
#include <string>

#include "compress/methods/matrix.h"
#include "formats/artifact/encoding.h"

namespace lathe {

/// error_feedback: every column makes up for the errors of those before it, then descent on single weights and swaps
/// of the mask (SparseGPT and GPTQ class and beyond). nearest: rounding with a scale search. best: the smaller loss.
enum class PruneMethod { magnitude, error_feedback };
enum class QuantMethod { nearest, error_feedback, best };

/// What is asked for one layer.
struct LayerGoal {
  Encoding encoding;    // int8, int4/g, f16, f32; sparsity bitmask when anything is pruned
  double sparsity = 0;  // exact share of the weights that becomes zero
  PruneMethod prune_method = PruneMethod::error_feedback;
  QuantMethod quant_method = QuantMethod::best;
  bool bias_correction = true;     // needs statistics
  std::optional<double> damping;   // of the mean diagonal of the gram matrix; empty: default_damping of the tokens
  double target_correction = 1.0;  // with a cross_gram: how far to make up for the layers before, in [0, 1]
  std::optional<std::vector<bool>> mask;  // true = keep; given when the choice is made over all layers at once
};

/// One hundredth with the usual tens of thousands of tokens, more with fewer, whose gram matrix says less about the
/// inputs to come.
double default_damping(uint64_t tokens);

/// What came of it. Losses are mean squares of the change of the layer's output, relative to the mean square of
/// T x: tr(D G D^T) / tr(T G T^T) with G the gram matrix and D the change of the weight; 0 is perfect, 1 is as bad
/// as zeroing the layer. G is taken about the mean of x in `loss` where the bias makes up for the mean error. T is the
/// weight, or, with a cross_gram, the weight that brings T x as close as it can to what the original layer made of y:
/// then losses are the part of the error that this layer is answerable for. Without statistics G is the identity.
struct LayerOutcome {
  EncodedBuffer encoded;
  std::vector<float> bias;             // corrected; empty when there was none and none is needed
  double loss_uncorrected = 0;         // magnitude mask and rounding to nearest, same share and encoding
  double loss = 0;                     // of `encoded`
  double sparsity = 0;                 // reached; above what was asked where a kept weight rounds to zero
  std::string method;                  // "error_feedback", "nearest", "magnitude+nearest" ...
  std::vector<std::string> fallbacks;  // every deviation from what was asked, in words: damping raised to ...
  uint64_t dead_inputs = 0;            // columns that calibration never saw active
};

/// `bias` may be empty. `statistics` may be null (then only magnitude and nearest are possible and `fallbacks` says
/// so if more was asked). Throws Error{malformed} naming `name` on non-finite weights.
LayerOutcome compress_layer(const std::string& name, const Matrix& weight, const std::vector<float>& bias,
                            const InputStatistics* statistics, const LayerGoal& goal);

/// The threshold-free exact choice over several layers at once: masks (true = keep) such that exactly
/// round(sparsity * total) of all weights, the smallest by magnitude (ties: first layer, then first index), go.
std::vector<std::vector<bool>> global_magnitude_masks(const std::vector<const Matrix*>& weights, double sparsity);

/// Embedding tables and other weights without an error to feed back: scale search per row (or per group) that
/// minimises the squared error. `rows` are encoded one by one from `read_row`, so a table is never held in f32.
EncodedBuffer encode_table(const std::string& name, size_t rows, size_t cols, const Encoding& encoding,
                           const std::function<void(size_t row, float* out)>& read_row, double* relative_error);

/// Low rank: weight ~ up * down with up [rows, rank], down [rank, cols], the best for inputs with this gram matrix
/// (whitened SVD); plain SVD without statistics. relative_loss as in LayerOutcome.
struct LowRank {
  Matrix up;
  Matrix down;
  double relative_loss = 0;
};
LowRank factor_low_rank(const std::string& name, const Matrix& weight, const InputStatistics* statistics, size_t rank,
                        std::vector<std::string>& fallbacks);

}  // namespace lathe
