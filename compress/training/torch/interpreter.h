#pragma once
// Runs any Program with LibTorch: the interpreter with gradients, and an oracle of the runtime that shares no
// arithmetic with it.

#include <map>
#include <span>

#include "compress/training/torch/tensors.h"
#include "formats/artifact/program.h"
#include "runtime/session.h"

namespace lathe::training {

/// A batch on a device. Rows of all sequences follow each other without padding; only attention pads.
struct TensorBatch {
  at::Tensor streams[3];   // int64 [tokens], by Stream: ids, positions, segments
  at::Tensor sequence_of;  // int64 [tokens]
  at::Tensor starts;       // int64 [sequences]
  at::Tensor lengths;      // f32 [sequences, 1]
  at::Tensor to_padded;    // int64 [sequences * longest]: the row for each place, 0 where there is none
  at::Tensor from_padded;  // int64 [tokens]: the place of each row
  at::Tensor bias;         // f32 [sequences, 1, 1, longest]: 0, or -inf where there is no token
  int64_t sequences = 0;
  int64_t tokens = 0;
  int64_t longest = 0;
  bool ragged = false;  // lengths differ
};
TensorBatch make_tensor_batch(const TokenBatch& batch, const at::Device& device);
/// The sequences of those indices, in that order.
TokenBatch select_sequences(const TokenBatch& batch, std::span<const uint32_t> indices);

/// [tokens, width] as [sequences, heads, longest, width / heads]; what is padding holds row 0.
at::Tensor split_heads(const at::Tensor& rows, const TensorBatch& batch, int64_t heads);

using Values = std::map<uint32_t, at::Tensor>;  // by value of the program, each [rows, width]

/// Runs the ops that `wanted` needs from `given` and the token streams, and returns the wanted values. `weights` has a
/// tensor for each name of program.weights, in its shape; those of ops that are not needed may be undefined.
/// `bf16`: matrix products take bf16 operands; everything else stays f32. Gradients flow to whatever requires them.
Values interpret(const Program& program, const std::vector<at::Tensor>& weights, const TensorBatch& batch,
                 const Values& given, const std::vector<uint32_t>& wanted, bool bf16 = false);

}  // namespace lathe::training
