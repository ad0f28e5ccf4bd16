#pragma once
// What a student is asked to agree with: the loss of a batch, from the values of student and teacher.

#include "compress/training/torch/interpreter.h"
#include "compress/training/torch/next_token.h"
#include "compress/training/training.h"

namespace lathe::training {

/// Which values of student and teacher are compared, and the weights of the terms of the loss. The first term depends
/// on the task; T is the temperature:
///   classification: alpha T^2 KL(teacher || student) + (1 - alpha) cross-entropy with the labels (Hinton et al.,
///                   2015); cross-entropy alone without a teacher, KL with a weight of 1 without labels
///   embedding:      1 - cosine of the outputs
///   generation:     the loss of next_token.h, computed from what the output layers of both programs read
/// With a teacher two terms are added: hidden_weight times the mean relative_error() of the matched values, and
/// relation_weight times the mean KL of the relations among the queries, the keys and the values of the last attention
/// (MiniLM; Wang et al., 2020 and 2021). Causal attention has no such term: half of its relations would be between
/// tokens that never attend to each other.
struct LossTerms {
  OutputKind task = OutputKind::embedding;
  bool has_teacher = false;
  double alpha = 0;        // share of KL in the first term, in [0, 1]
  double temperature = 1;  // above 0
  double hidden_weight = 0;
  double relation_weight = 0;
  uint32_t student_output = 0;    // value of the student's program; for generation, what its output layer reads
  uint32_t teacher_output = 0;    // the corresponding value of the teacher's program
  uint32_t student_head = kNone;  // for generation: the weight of the output layer, by its index in the program
  uint32_t teacher_head = kNone;
  std::vector<MatchedValue> matched;    // those of the same width in both programs
  std::vector<MatchedValue> relations;  // queries, keys and values of the last attention
  int64_t relation_heads = 1;           // into which queries, keys and values are split before they are compared

  /// The values that batch_loss() reads, of the student's and of the teacher's program.
  std::vector<uint32_t> student_values() const;
  std::vector<uint32_t> teacher_values() const;
};
/// Throws Error{unsupported} where a model that generates has an output layer that next_token.h cannot use.
LossTerms make_loss_terms(const TrainingJob& job);

struct BatchLoss {
  at::Tensor loss;     // f32 scalar: the mean over the sequences of the batch
  at::Tensor measure;  // scalar, the sum over the sequences: of cosines, of correct classes (1 each), or of shares of
                       // correct tokens; undefined where a stage has no measure beside the loss
};
/// For generation: the weights of the output layers, [vocabulary, width]. Undefined for other tasks, and the teacher's
/// without a teacher.
struct HeadWeights {
  at::Tensor student;
  at::Tensor teacher;
  bool bf16 = false;  // products with them are computed in bf16
};
/// `student` and `teacher` hold the values that the terms name; `teacher` is empty without a teacher. `labels` are
/// int64 [sequences], or undefined. A classifier without labels is measured by how often it agrees with the teacher.
BatchLoss batch_loss(const LossTerms& terms, const Values& student, const Values& teacher, const TensorBatch& batch,
                     const at::Tensor& labels, const HeadWeights& heads = {});

/// The relative squared error |student - teacher|^2 / |teacher|^2 of two values [rows, width], as a scalar. For
/// encoders both norms are taken over all rows. For decoders each row has an error of its own, and the result is their
/// mean: the state of a text's first token can be hundreds of times longer than all others and would decide the sum
/// alone (Sun et al., "Massive Activations", 2024).
at::Tensor relative_error(const at::Tensor& student, const at::Tensor& teacher, OutputKind task);

}  // namespace lathe::training
