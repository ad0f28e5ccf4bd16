#pragma once
// What a student is asked to agree with.

#include "compress/training/torch/interpreter.h"
#include "compress/training/torch/next_token.h"
#include "compress/training/training.h"

namespace lathe::training {

/// Which values of both programs are compared, and how. With T the temperature:
///   classification: alpha T^2 KL(teacher || student) + (1 - alpha) cross-entropy with the labels (Hinton et al.,
///   2015);
///                   without a teacher cross-entropy alone, without labels KL alone
///   embedding:      1 - cosine
///   generation:     the loss of next_token.h, from the values that the heads read
/// and with a teacher, in all: hidden_weight x the mean relative squared error of the matched values, and
/// relation_weight x KL of the relations among queries, keys and values of the last attention (MiniLM; Wang et al.,
/// 2020 and 2021). There are no relations where attention is causal: half of them would be of tokens that never meet.
struct Objective {
  TrainingTask task = TrainingTask::embedding;
  bool has_teacher = false;
  double alpha = 0;
  double temperature = 1;
  double hidden_weight = 0;
  double relation_weight = 0;
  uint32_t student_output = 0;  // of decoders, what the head reads
  uint32_t teacher_output = 0;
  uint32_t student_head = kNone;  // of decoders: weights of the programs
  uint32_t teacher_head = kNone;
  std::vector<MatchedValue> matched;
  std::vector<MatchedValue> relations;  // queries, keys, values
  int64_t relation_heads = 1;

  std::vector<uint32_t> student_values() const;  // that loss() reads
  std::vector<uint32_t> teacher_values() const;
};
Objective make_objective(const TrainingJob& job);

struct BatchLoss {
  at::Tensor loss;     // a scalar, the mean over the batch
  at::Tensor measure;  // a scalar, the sum over the sequences: cosines, 1 for each right class, or shares of tokens
};
/// The heads of decoders; undefined for other tasks, and for a teacher that is not there.
struct HeadWeights {
  at::Tensor student;
  at::Tensor teacher;
  bool bf16 = false;
};
/// `labels` int64 [sequences], or undefined. The measure of a classifier without labels is agreement with the teacher.
BatchLoss batch_loss(const Objective& objective, const Values& student, const Values& teacher, const TensorBatch& batch,
                     const at::Tensor& labels, const HeadWeights& heads = {});

/// |student - teacher|^2 / |teacher|^2 of values [rows, width]: over all rows, or, for decoders, of each row and then
/// the mean. Where states are normalized only on the way into a layer, those of a text's first token can be hundreds
/// of times longer than all others, and would be all that counts (Sun et al., "Massive Activations", 2024).
at::Tensor relative_error(const at::Tensor& student, const at::Tensor& teacher, TrainingTask task);

}  // namespace lathe::training
