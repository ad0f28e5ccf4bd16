#pragma once
// How well a decoder predicts the next token, and how far it agrees with its teacher about it. The logits of all tokens
// of a batch never exist at the same time.

#include "compress/training/torch/interpreter.h"

namespace lathe::training {

/// The output layer of a decoder: the linear op that makes the program's only output, a row of logits for each token.
struct Head {
  uint32_t input = 0;   // the value of the program that it reads
  uint32_t weight = 0;  // index of its weight in the program, [vocabulary, width]
};
/// Throws Error{unsupported} where the output does not come from a linear op, or the op has a bias.
Head head_of(const Program& program);

/// The factors of the logits of student and teacher; the teacher's are undefined without a teacher.
struct Predictions {
  at::Tensor student_rows;  // [tokens, width of the student]
  at::Tensor student_head;  // [vocabulary, width of the student]
  at::Tensor teacher_rows;  // [tokens, width of the teacher]
  at::Tensor teacher_head;  // [vocabulary, width of the teacher]
};

struct NextTokenGoal {
  double alpha = 0;        // share of KL against cross-entropy, in [0, 1]
  double temperature = 1;  // of KL
  bool bf16 = false;       // products are computed in bf16
};

/// Both are means over the tokens of each sequence first.
struct NextTokenLoss {
  at::Tensor loss;     // scalar: the mean over the sequences
  at::Tensor measure;  // scalar, the sum over the sequences: of the share of tokens whose most likely next token is the
                       // teacher's or, without a teacher, the true one
};

/// alpha T^2 KL(teacher || student) at every token plus (1 - alpha) cross-entropy with the token that follows; without
/// a teacher cross-entropy alone. Logits exist for kLogitRows tokens at a time. Gradients are computed along with them
/// and flow to the student's rows, and to its head where it requires them.
NextTokenLoss next_token_loss(const Predictions& predictions, const TensorBatch& batch, const NextTokenGoal& goal);
inline constexpr int64_t kLogitRows = 256;

}  // namespace lathe::training
