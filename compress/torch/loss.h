#pragma once
// What a student is asked to agree with.

#include "compress/torch/interpreter.h"
#include "compress/training.h"

namespace lathe::training {

/// Which values of both programs are compared, and how. With T the temperature:
///   classification: alpha T^2 KL(teacher || student) + (1 - alpha) cross-entropy with the labels (Hinton et al.,
///   2015);
///                   without a teacher cross-entropy alone, without labels KL alone
///   embedding:      1 - cosine
/// and with a teacher, in both: hidden_weight x the mean relative squared error of the matched values, and
/// relation_weight x KL of the relations among queries, keys and values of the last attention (MiniLM; Wang et al.,
/// 2020 and 2021).
struct Objective {
  TrainingTask task = TrainingTask::embedding;
  bool has_teacher = false;
  double alpha = 0;
  double temperature = 1;
  double hidden_weight = 0;
  double relation_weight = 0;
  uint32_t student_output = 0;
  uint32_t teacher_output = 0;
  std::vector<MatchedValue> matched;
  std::vector<MatchedValue> relations;  // queries, keys, values
  int64_t relation_heads = 1;

  std::vector<uint32_t> student_values() const;  // that loss() reads
  std::vector<uint32_t> teacher_values() const;
};
Objective make_objective(const TrainingJob& job);

struct BatchLoss {
  at::Tensor loss;     // a scalar, the mean over the batch
  at::Tensor measure;  // a scalar, the sum over the sequences: cosines, or 1 for each right class
};
/// `labels` int64 [sequences], or undefined. The measure of a classifier without labels is agreement with the teacher.
BatchLoss batch_loss(const Objective& objective, const Values& student, const Values& teacher, const TensorBatch& batch,
                     const at::Tensor& labels);

/// |student - teacher|^2 / |teacher|^2 over all rows.
at::Tensor relative_error(const at::Tensor& student, const at::Tensor& teacher);

}  // namespace lathe::training
