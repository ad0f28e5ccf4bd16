#pragma once
// Agreement of two decoders about the next token, without ever holding the logits of all tokens.

#include "compress/training/torch/interpreter.h"

namespace lathe::training {

/// The linear op that makes a program's only output, a row of logits for each token. Throws Error{unsupported} where
/// the output comes from another op or has a bias.
struct Head {
  uint32_t input = 0;   // value
  uint32_t weight = 0;  // of the program, [vocabulary, width]
};
Head head_of(const Program& program);

/// What the logits are made of; those of the teacher are undefined where there is none.
struct Predictions {
  at::Tensor student_rows;  // [tokens, width of the student]
  at::Tensor student_head;  // [vocabulary, that width]
  at::Tensor teacher_rows;
  at::Tensor teacher_head;
};

/// The weight of KL against cross-entropy, and the temperature of KL.
struct NextTokenGoal {
  double alpha = 0;
  double temperature = 1;
  bool bf16 = false;
};

struct NextTokenLoss {
  at::Tensor loss;     // a scalar, the mean over the sequences of the means over their tokens
  at::Tensor measure;  // a scalar, the sum over the sequences of the share of tokens with the teacher's most likely
                       // next token, or without a teacher the true one
};

/// alpha T^2 KL(teacher || student) at every token and (1 - alpha) cross-entropy with the token that follows; without a
/// teacher cross-entropy alone. Logits exist for kLogitRows tokens at a time: gradients are computed along with them
/// and flow to the student's rows, and to its head where that wants them.
NextTokenLoss next_token_loss(const Predictions& predictions, const TensorBatch& batch, const NextTokenGoal& goal);
inline constexpr int64_t kLogitRows = 256;

}  // namespace lathe::training
