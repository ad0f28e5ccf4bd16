#include "compress/training/torch/loss.h"

#include <cmath>
#include <numeric>

namespace lathe::training {
namespace {

constexpr double kTiny = 1e-12;

const Op* last_attention(const Program& program) {
  const Op* last = nullptr;
  for (const Op& op : program.ops) last = op.is<ops::Attention>() ? &op : last;
  return last;
}

uint32_t heads_of(const Op& attention) { return attention.as<ops::Attention>()->heads; }
bool is_causal(const Op& attention) { return attention.as<ops::Attention>()->mask == AttentionMask::causal; }

at::Tensor log_relation(const at::Tensor& rows, const TensorBatch& batch, int64_t heads) {
  const at::Tensor x = split_heads(rows, batch, heads);
  at::Tensor scores = at::matmul(x * (1.0 / std::sqrt(static_cast<double>(x.size(3)))), x.transpose(2, 3));
  if (batch.ragged) scores = scores.masked_fill(batch.bias < 0, -1e4);
  return at::log_softmax(scores, -1);
}

// KL(teacher || student) of each token's relations to the others, the mean over tokens and heads.
at::Tensor relation_loss(const at::Tensor& student, const at::Tensor& teacher, const TensorBatch& batch,
                         int64_t heads) {
  const at::Tensor s = log_relation(student, batch, heads);
  const at::Tensor t = log_relation(teacher, batch, heads);
  at::Tensor rows = (t.exp() * (t - s)).sum(-1);  // [sequences, heads, longest]
  if (batch.ragged) rows = rows.masked_fill(batch.bias.squeeze(2) < 0, 0);
  return rows.sum() / static_cast<double>(batch.tokens * heads);
}

at::Tensor cosines(const at::Tensor& a, const at::Tensor& b) {
  return (a * b).sum(1) / (a.norm(2, 1) * b.norm(2, 1)).clamp_min(kTiny);
}

void add_embedding_terms(const at::Tensor& student, const at::Tensor& teacher, BatchLoss& out) {
  const at::Tensor each = cosines(student, teacher);
  out.loss = out.loss + (1 - each).mean();
  out.measure = each.detach().sum();
}

void add_class_terms(const Objective& o, const at::Tensor& student, const at::Tensor& teacher, const at::Tensor& labels,
                     BatchLoss& out) {
  const double soft = !o.has_teacher ? 0 : labels.defined() ? o.alpha : 1;
  if (soft > 0) {
    const at::Tensor s = at::log_softmax(student / o.temperature, 1);
    const at::Tensor t = at::log_softmax(teacher / o.temperature, 1);
    out.loss = out.loss + soft * o.temperature * o.temperature * (t.exp() * (t - s)).sum(1).mean();
  }
  if (labels.defined()) out.loss = out.loss + (1 - soft) * at::nll_loss(at::log_softmax(student, 1), labels);
  const at::Tensor truth = labels.defined() ? labels : teacher.argmax(1);
  out.measure = (student.detach().argmax(1) == truth).sum();
}

}  // namespace

std::vector<uint32_t> Objective::student_values() const {
  std::vector<uint32_t> values = {student_output};
  for (const MatchedValue& value : matched) values.push_back(value.student);
  for (const MatchedValue& value : relations) values.push_back(value.student);
  return values;
}

std::vector<uint32_t> Objective::teacher_values() const {
  std::vector<uint32_t> values = {teacher_output};
  for (const MatchedValue& value : matched) values.push_back(value.teacher);
  for (const MatchedValue& value : relations) values.push_back(value.teacher);
  return values;
}

Objective make_objective(const TrainingJob& job) {
  const TrainingRecipe& recipe = job.recipe;
  Objective o;
  o.task = job.task;
  o.alpha = recipe.alpha;
  o.temperature = recipe.temperature;
  const bool generates = job.task == TrainingTask::generation;
  const auto output_of = [&](const Program& program, uint32_t& head) {
    if (!generates) return program.outputs.at(0);
    head = head_of(program).weight;
    return head_of(program).input;
  };
  o.student_output = output_of(job.student->program, o.student_head);
  o.has_teacher = job.teacher != nullptr;
  if (!o.has_teacher) return o;
  o.teacher_output = output_of(*job.teacher, o.teacher_head);
  o.hidden_weight = recipe.hidden_weight;
  o.relation_weight = recipe.relation_weight;
  for (const MatchedValue& value : job.matched) {
    const bool same =
        job.student->program.values[value.student].shape.size() == job.teacher->values[value.teacher].shape.size();
    if (same && o.hidden_weight > 0) o.matched.push_back(value);
  }
  const Op* student = last_attention(job.student->program);
  const Op* teacher = last_attention(*job.teacher);
  const bool related = student != nullptr && teacher != nullptr && !is_causal(*student) && !is_causal(*teacher);
  if (!related || o.relation_weight <= 0) return o;
  o.relation_heads = std::gcd(heads_of(*student), heads_of(*teacher));
  for (size_t i = 0; i < 3; ++i) o.relations.push_back({student->inputs[i], teacher->inputs[i]});
  return o;
}

at::Tensor relative_error(const at::Tensor& student, const at::Tensor& teacher, TrainingTask task) {
  const at::Tensor squared = (student - teacher).square();
  if (task != TrainingTask::generation) return squared.sum() / teacher.square().sum().clamp_min(kTiny);
  return (squared.sum(1) / teacher.square().sum(1).clamp_min(kTiny)).mean();
}

BatchLoss batch_loss(const Objective& o, const Values& student, const Values& teacher, const TensorBatch& batch,
                     const at::Tensor& labels, const HeadWeights& heads) {
  BatchLoss out;
  const at::Tensor& output = student.at(o.student_output);
  out.loss = at::zeros({}, output.options());
  const at::Tensor target = o.has_teacher ? teacher.at(o.teacher_output) : at::Tensor();
  if (o.task == TrainingTask::embedding) {
    add_embedding_terms(output, target, out);
  } else if (o.task == TrainingTask::generation) {
    const NextTokenLoss next =
        next_token_loss({output, heads.student, target, heads.teacher}, batch, {o.alpha, o.temperature, heads.bf16});
    out.loss = out.loss + next.loss;
    out.measure = next.measure;
  } else {
    add_class_terms(o, output, target, labels, out);
  }
  for (const MatchedValue& value : o.matched) {
    const double share = o.hidden_weight / static_cast<double>(o.matched.size());
    out.loss = out.loss + share * relative_error(student.at(value.student), teacher.at(value.teacher), o.task);
  }
  for (const MatchedValue& value : o.relations) {
    const double share = o.relation_weight / static_cast<double>(o.relations.size());
    out.loss =
        out.loss + share * relation_loss(student.at(value.student), teacher.at(value.teacher), batch, o.relation_heads);
  }
  return out;
}

}  // namespace lathe::training
