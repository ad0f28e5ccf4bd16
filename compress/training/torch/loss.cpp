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

// How each token relates to all tokens of its sequence: the logarithm of the softmax of the products of its row with
// theirs, [sequences, heads, longest, longest].
at::Tensor log_relation(const at::Tensor& rows, const TensorBatch& batch, int64_t heads) {
  const at::Tensor x = split_heads(rows, batch, heads);
  at::Tensor scores = at::matmul(x * (1.0 / std::sqrt(static_cast<double>(x.size(3)))), x.transpose(2, 3));
  if (batch.ragged) scores = scores.masked_fill(batch.bias < 0, -1e4);
  return at::log_softmax(scores, -1);
}

// KL(teacher || student) between the relations of each token to all tokens of its sequence, as the mean over tokens and
// heads.
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

void add_cosine_term(const at::Tensor& student, const at::Tensor& teacher, BatchLoss& out) {
  const at::Tensor each = cosines(student, teacher);
  out.loss = out.loss + (1 - each).mean();
  out.measure = each.detach().sum();
}

void add_class_term(const LossTerms& terms, const at::Tensor& student, const at::Tensor& teacher,
                    const at::Tensor& labels, BatchLoss& out) {
  const double soft = !terms.has_teacher ? 0 : labels.defined() ? terms.alpha : 1;
  if (soft > 0) {
    const at::Tensor s = at::log_softmax(student / terms.temperature, 1);
    const at::Tensor t = at::log_softmax(teacher / terms.temperature, 1);
    out.loss = out.loss + soft * terms.temperature * terms.temperature * (t.exp() * (t - s)).sum(1).mean();
  }
  if (labels.defined()) out.loss = out.loss + (1 - soft) * at::nll_loss(at::log_softmax(student, 1), labels);
  const at::Tensor truth = labels.defined() ? labels : teacher.argmax(1);
  out.measure = (student.detach().argmax(1) == truth).sum();
}

}  // namespace

std::vector<uint32_t> LossTerms::student_values() const {
  std::vector<uint32_t> values = {student_output};
  for (const MatchedValue& value : matched) values.push_back(value.student);
  for (const MatchedValue& value : relations) values.push_back(value.student);
  return values;
}

std::vector<uint32_t> LossTerms::teacher_values() const {
  std::vector<uint32_t> values = {teacher_output};
  for (const MatchedValue& value : matched) values.push_back(value.teacher);
  for (const MatchedValue& value : relations) values.push_back(value.teacher);
  return values;
}

LossTerms make_loss_terms(const TrainingJob& job) {
  const TrainingRecipe& recipe = job.recipe;
  LossTerms terms;
  terms.task = job.task;
  terms.alpha = recipe.alpha;
  terms.temperature = recipe.temperature;
  const bool generates = job.task == OutputKind::generation;
  const auto output_of = [&](const Program& program, uint32_t& head) {
    if (!generates) return program.outputs.at(0);
    head = head_of(program).weight;
    return head_of(program).input;
  };
  terms.student_output = output_of(job.student->program, terms.student_head);
  terms.has_teacher = job.teacher != nullptr;
  if (!terms.has_teacher) return terms;
  terms.teacher_output = output_of(*job.teacher, terms.teacher_head);
  terms.hidden_weight = recipe.hidden_weight;
  terms.relation_weight = recipe.relation_weight;
  for (const MatchedValue& value : job.matched) {
    const bool same =
        job.student->program.values[value.student].shape.size() == job.teacher->values[value.teacher].shape.size();
    if (same && terms.hidden_weight > 0) terms.matched.push_back(value);
  }
  const Op* student = last_attention(job.student->program);
  const Op* teacher = last_attention(*job.teacher);
  const bool related = student != nullptr && teacher != nullptr && !is_causal(*student) && !is_causal(*teacher);
  if (!related || terms.relation_weight <= 0) return terms;
  terms.relation_heads = std::gcd(heads_of(*student), heads_of(*teacher));
  for (size_t i = 0; i < 3; ++i) terms.relations.push_back({student->inputs[i], teacher->inputs[i]});
  return terms;
}

at::Tensor relative_error(const at::Tensor& student, const at::Tensor& teacher, OutputKind task) {
  const at::Tensor squared = (student - teacher).square();
  if (task != OutputKind::generation) return squared.sum() / teacher.square().sum().clamp_min(kTiny);
  return (squared.sum(1) / teacher.square().sum(1).clamp_min(kTiny)).mean();
}

BatchLoss batch_loss(const LossTerms& terms, const Values& student, const Values& teacher, const TensorBatch& batch,
                     const at::Tensor& labels, const HeadWeights& heads) {
  BatchLoss out;
  const at::Tensor& output = student.at(terms.student_output);
  out.loss = at::zeros({}, output.options());
  const at::Tensor target = terms.has_teacher ? teacher.at(terms.teacher_output) : at::Tensor();
  if (terms.task == OutputKind::embedding) {
    add_cosine_term(output, target, out);
  } else if (terms.task == OutputKind::generation) {
    const NextTokenLoss next = next_token_loss({output, heads.student, target, heads.teacher}, batch,
                                               {terms.alpha, terms.temperature, heads.bf16});
    out.loss = out.loss + next.loss;
    out.measure = next.measure;
  } else {
    add_class_term(terms, output, target, labels, out);
  }
  for (const MatchedValue& value : terms.matched) {
    const double share = terms.hidden_weight / static_cast<double>(terms.matched.size());
    out.loss = out.loss + share * relative_error(student.at(value.student), teacher.at(value.teacher), terms.task);
  }
  for (const MatchedValue& value : terms.relations) {
    const double share = terms.relation_weight / static_cast<double>(terms.relations.size());
    out.loss = out.loss +
               share * relation_loss(student.at(value.student), teacher.at(value.teacher), batch, terms.relation_heads);
  }
  return out;
}

}  // namespace lathe::training
