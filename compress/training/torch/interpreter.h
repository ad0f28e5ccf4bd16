#pragma once
// Runs any program with LibTorch, with gradients. The tests also compare the runtime with it, because the two share no
// arithmetic.

#include <map>
#include <span>

#include "compress/calibration/dense_samples.h"
#include "compress/training/torch/tensors.h"
#include "formats/artifact/program.h"
#include "runtime/session.h"

namespace lathe::training {

/// A batch on a device. Values have a row for each token: those of a sequence follow each other, without padding
/// between sequences. Attention alone pads all sequences to the longest, to sequences * longest rows.
struct TensorBatch {
  at::Tensor streams[3];   // int64 [tokens], by Stream: ids, positions, segments
  at::Tensor sequence_of;  // int64 [tokens]: which sequence each token belongs to
  at::Tensor starts;       // int64 [sequences]: the row of each sequence's first token
  at::Tensor lengths;      // f32 [sequences, 1], in tokens
  at::Tensor to_padded;    // int64 [sequences * longest]: the row that each padded row is copied from; 0 for padding
  at::Tensor from_padded;  // int64 [tokens]: the padded row of each token
  at::Tensor bias;         // f32 [sequences, 1, 1, longest]: 0 for a token, -inf for padding
  int64_t sequences = 0;
  int64_t tokens = 0;
  int64_t longest = 0;  // tokens of the longest sequence
  bool ragged = false;  // there is padding: not all sequences have the same length
};
TensorBatch make_tensor_batch(const TokenBatch& batch, const at::Device& device);
/// A batch of the sequences with these indices, in this order, with their segments.
TokenBatch select_sequences(const TokenBatch& batch, std::span<const uint32_t> indices);

/// A value [tokens, width] as [sequences, heads, longest, width / heads]; padding holds the values of row 0.
at::Tensor split_heads(const at::Tensor& rows, const TensorBatch& batch, int64_t heads);

/// Values of a program, [rows, width] each, by their index in the program.
using Values = std::map<uint32_t, at::Tensor>;

/// The inputs of a program that reads samples, to be given to interpret() with a TensorBatch() without tokens.
Values given_samples(const Program& program, const DenseSamples& samples, const at::Device& device);

/// Computes the values `wanted` of the program from the values `given` and the token streams, and runs only the ops
/// that this needs. `weights` has a tensor for each of program.weights, in its shape; those of ops that do not run may
/// be undefined. With `bf16`, matrix products take operands in bf16, and everything else stays f32. Gradients flow to
/// the weights and given values that require them. Safe to call from several threads.
Values interpret(const Program& program, const std::vector<at::Tensor>& weights, const TensorBatch& batch,
                 const Values& given, const std::vector<uint32_t>& wanted, bool bf16 = false);

}  // namespace lathe::training
