#include "compress/training/torch/next_token.h"

#include <algorithm>

namespace lathe::training {
namespace {

// The token that follows each token, and the weight of each token in a mean over the sequences of the means over their
// tokens.
struct Targets {
  at::Tensor next;      // int64 [tokens, 1]; for the last token of a sequence a value without meaning
  at::Tensor each;      // [tokens]: the weights when all tokens count
  at::Tensor followed;  // [tokens]: the weights when the last token of each sequence does not count; its own is 0
};

Targets make_targets(const TensorBatch& batch, const at::TensorOptions& options) {
  const at::Tensor& ids = batch.streams[static_cast<size_t>(Stream::tokens)];
  const at::Tensor& positions = batch.streams[static_cast<size_t>(Stream::positions)];
  const at::Tensor lengths = batch.lengths.squeeze(1).index_select(0, batch.sequence_of).to(options.dtype());
  const at::Tensor followed = (positions.to(lengths.scalar_type()) + 1 < lengths).to(lengths.scalar_type());
  const auto sequences = static_cast<double>(batch.sequences);
  Targets out;
  out.next = at::cat({ids.slice(0, 1), at::zeros({1}, ids.options())}).unsqueeze(1);
  out.each = at::reciprocal(lengths * sequences);
  out.followed = followed * at::reciprocal((lengths - 1).clamp_min(1) * sequences);
  return out;
}

at::Tensor product(const at::Tensor& a, const at::Tensor& b, bool bf16) {
  if (!bf16) return at::matmul(a, b);
  return at::matmul(a.to(at::kBFloat16), b.to(at::kBFloat16)).to(a.scalar_type());
}

// Sums loss, measure and gradients over chunks of tokens. It computes the gradients itself, so LibTorch records nothing
// while it runs.
class ChunkedLoss {
 public:
  ChunkedLoss(const Predictions& p, const TensorBatch& batch, const NextTokenGoal& goal)
      : p_(p),
        goal_(goal),
        targets_(make_targets(batch, p.student_rows.options())),
        sequences_(static_cast<double>(batch.sequences)),
        wants_rows_(at::GradMode::is_enabled() && p.student_rows.requires_grad()),
        wants_head_(at::GradMode::is_enabled() && p.student_head.requires_grad()) {}

  NextTokenLoss run() {
    {
      const at::NoGradGuard no_gradients;
      loss_ = at::zeros({}, p_.student_rows.options());
      measure_ = at::zeros({}, p_.student_rows.options());
      if (wants_head_) head_gradient_ = at::zeros_like(p_.student_head);
      const int64_t tokens = p_.student_rows.size(0);
      for (int64_t first = 0; first < tokens; first += kLogitRows) chunk(first, std::min(kLogitRows, tokens - first));
    }
    NextTokenLoss out{loss_, measure_};
    // These terms are zero, and their gradients are those that were computed.
    if (wants_rows_) out.loss = out.loss + with_gradient(p_.student_rows, at::cat(row_gradients_));
    if (wants_head_) out.loss = out.loss + with_gradient(p_.student_head, head_gradient_);
    return out;
  }

 private:
  static at::Tensor with_gradient(const at::Tensor& x, const at::Tensor& gradient) {
    const at::Tensor sum = (x * gradient).sum();
    return sum - sum.detach();
  }

  void chunk(int64_t first, int64_t count) {
    const at::Tensor rows = p_.student_rows.narrow(0, first, count).detach();
    const at::Tensor logits = product(rows, p_.student_head.detach().t(), goal_.bf16);
    const bool has_teacher = p_.teacher_rows.defined();
    at::Tensor gradient = at::zeros_like(logits);
    at::Tensor truth = targets_.next.narrow(0, first, count).squeeze(1);
    const at::Tensor counted = (has_teacher ? targets_.each : targets_.followed).narrow(0, first, count);
    if (has_teacher) {
      const at::Tensor taught = product(p_.teacher_rows.narrow(0, first, count), p_.teacher_head.t(), goal_.bf16);
      add_divergence(logits, taught, counted.unsqueeze(1), gradient);
      truth = taught.argmax(1);
    }
    const double hard = has_teacher ? 1 - goal_.alpha : 1;
    if (hard > 0) add_cross_entropy(logits, first, count, hard, gradient);
    measure_ += ((logits.argmax(1) == truth).to(counted.scalar_type()) * counted).sum() * sequences_;
    if (wants_rows_) row_gradients_.push_back(product(gradient, p_.student_head.detach(), goal_.bf16));
    if (wants_head_) head_gradient_ += product(gradient.t(), rows, goal_.bf16);
  }

  void add_divergence(const at::Tensor& logits, const at::Tensor& taught, const at::Tensor& weights,
                      at::Tensor& gradient) {
    const double t = goal_.temperature;
    const at::Tensor student = at::log_softmax(logits / t, 1);
    const at::Tensor teacher = at::log_softmax(taught / t, 1);
    const at::Tensor likely = teacher.exp();
    loss_ += goal_.alpha * t * t * ((likely * (teacher - student)).sum(1, true) * weights).sum();
    gradient += (student.exp() - likely) * (goal_.alpha * t * weights);
  }

  void add_cross_entropy(const at::Tensor& logits, int64_t first, int64_t count, double hard, at::Tensor& gradient) {
    const at::Tensor next = targets_.next.narrow(0, first, count);
    const at::Tensor weights = hard * targets_.followed.narrow(0, first, count).unsqueeze(1);
    const at::Tensor likelihoods = at::log_softmax(logits, 1);
    loss_ -= (likelihoods.gather(1, next) * weights).sum();
    gradient += likelihoods.exp() * weights;
    gradient.scatter_add_(1, next, -weights);
  }

  const Predictions& p_;
  const NextTokenGoal& goal_;
  Targets targets_;
  double sequences_;
  bool wants_rows_, wants_head_;
  at::Tensor loss_, measure_, head_gradient_;
  std::vector<at::Tensor> row_gradients_;
};

}  // namespace

Head head_of(const Program& program) {
  const Op* head = nullptr;
  for (const Op& op : program.ops) head = op.output == program.outputs.at(0) ? &op : head;
  const bool plain = head != nullptr && head->is<ops::Linear>() && !head->has_weight(1);
  if (!plain || program.outputs.size() != 1) {
    fail(Errc::unsupported, "training: the logits of a decoder must come from one linear layer without a bias");
  }
  return {head->inputs[0], head->weights[0]};
}

NextTokenLoss next_token_loss(const Predictions& predictions, const TensorBatch& batch, const NextTokenGoal& goal) {
  return ChunkedLoss(predictions, batch, goal).run();
}

}  // namespace lathe::training
