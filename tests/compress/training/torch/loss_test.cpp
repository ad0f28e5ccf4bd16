// What a student is asked to agree with: values by plain loops, gradients by differences.

#include "compress/training/torch/loss.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/compress/training/torch/differences.h"
#include "tests/compress/training/torch/random_program.h"

namespace lathe::training {
namespace {

using test::check_gradients;
using test::random_tensor;

constexpr uint32_t kOutput = 0, kHiddenA = 1, kHiddenB = 2, kQueries = 3, kKeys = 4;

// Values of student and teacher for a batch: an output and four values of tokens.
struct Bench {
  TensorBatch batch;
  std::vector<uint32_t> ids = {kOutput, kHiddenA, kHiddenB, kQueries, kKeys};
  std::vector<at::Tensor> student;
  Values teacher;
  LossTerms terms;

  explicit Bench(const std::vector<size_t>& lengths)
      : batch(make_tensor_batch(test::random_batch(lengths, 7, 5), at::Device(at::kCPU))) {
    for (const uint32_t id : ids) {
      const std::vector<int64_t> shape = {id == kOutput ? batch.sequences : batch.tokens, id == kOutput ? 3 : 4};
      student.push_back(random_tensor(shape, 10 + id, at::kDouble));
      teacher[id] = random_tensor(shape, 20 + id, at::kDouble);
    }
    terms.has_teacher = true;
  }
  BatchLoss loss(const std::vector<at::Tensor>& values, const at::Tensor& labels = {}) const {
    Values named;
    for (size_t i = 0; i < ids.size(); ++i) named[ids[i]] = values[i];
    return batch_loss(terms, named, terms.has_teacher ? teacher : Values{}, batch, labels);
  }
  double value(const at::Tensor& labels = {}) const { return loss(student, labels).loss.item<double>(); }
  void check(const at::Tensor& labels = {}) {
    // What the loss does not read has no gradient to compare.
    check_gradients(student, [&](const std::vector<at::Tensor>& values) {
      at::Tensor unread = at::zeros({}, at::kDouble);
      for (const at::Tensor& each : values) unread = unread + 0.01 * each.sum();
      return loss(values, labels).loss + unread;
    });
  }
};

double at2(const at::Tensor& t, int64_t row, int64_t col) { return t[row][col].item<double>(); }

std::vector<double> softmax(const at::Tensor& t, int64_t row, double temperature) {
  std::vector<double> out;
  double sum = 0;
  for (int64_t c = 0; c < t.size(1); ++c) sum += std::exp(at2(t, row, c) / temperature);
  for (int64_t c = 0; c < t.size(1); ++c) out.push_back(std::exp(at2(t, row, c) / temperature) / sum);
  return out;
}

double divergence(const std::vector<double>& teacher, const std::vector<double>& student) {
  double sum = 0;
  for (size_t i = 0; i < teacher.size(); ++i) sum += teacher[i] * std::log(teacher[i] / student[i]);
  return sum;
}

const std::vector<size_t> kRagged = {3, 1, 5};

TEST_CASE("the loss of embeddings is one less their cosine", "[compress][torch][loss]") {
  Bench b(kRagged);
  double sum = 0;
  for (int64_t s = 0; s < 3; ++s) {
    double dot = 0, own = 0, other = 0;
    for (int64_t c = 0; c < 3; ++c) {
      const double x = at2(b.student[0], s, c), y = at2(b.teacher[kOutput], s, c);
      dot += x * y, own += x * x, other += y * y;
    }
    sum += dot / std::sqrt(own * other);
  }
  CHECK(b.value() == Approx(1 - sum / 3).epsilon(1e-12));
  CHECK(b.loss(b.student).measure.item<double>() == Approx(sum).epsilon(1e-12));
  b.check();
}

TEST_CASE("the loss of a classifier weighs the teacher against the labels", "[compress][torch][loss]") {
  Bench b(kRagged);
  b.terms.task = OutputKind::classification;
  b.terms.alpha = 0.7;
  b.terms.temperature = 2;
  const at::Tensor labels = at::tensor(std::vector<int64_t>{2, 0, 1});
  double soft = 0, hard = 0, right = 0, agreed = 0;
  for (int64_t s = 0; s < 3; ++s) {
    soft += 4 * divergence(softmax(b.teacher[kOutput], s, 2), softmax(b.student[0], s, 2)) / 3;
    const std::vector<double> own = softmax(b.student[0], s, 1), other = softmax(b.teacher[kOutput], s, 1);
    hard -= std::log(own[static_cast<size_t>(labels[s].item<int64_t>())]) / 3;
    const auto best = [](const std::vector<double>& p) { return std::max_element(p.begin(), p.end()) - p.begin(); };
    right += best(own) == labels[s].item<int64_t>();
    agreed += best(own) == best(other);
  }
  CHECK(b.value(labels) == Approx(0.7 * soft + 0.3 * hard).epsilon(1e-12));
  CHECK(b.loss(b.student, labels).measure.item<double>() == right);
  b.check(labels);
  CHECK(b.value() == Approx(soft).epsilon(1e-12));  // without labels the teacher alone
  CHECK(b.loss(b.student).measure.item<double>() == agreed);
  b.check();
  b.terms.has_teacher = false;  // and without a teacher the labels alone
  CHECK(b.value(labels) == Approx(hard).epsilon(1e-12));
  b.check(labels);
}

TEST_CASE("the hidden-state term is the mean relative squared error", "[compress][torch][loss]") {
  Bench b(kRagged);
  const double before = b.value();
  b.terms.matched = {{kHiddenA, kHiddenB}, {kHiddenB, kHiddenA}};
  b.terms.hidden_weight = 0.6;
  const auto error = [&](size_t own, uint32_t other) {
    double change = 0, energy = 0;
    for (int64_t r = 0; r < b.batch.tokens; ++r) {
      for (int64_t c = 0; c < 4; ++c) {
        change += std::pow(at2(b.student[own], r, c) - at2(b.teacher[other], r, c), 2);
        energy += std::pow(at2(b.teacher[other], r, c), 2);
      }
    }
    return change / energy;
  };
  const double wanted = 0.6 * (error(kHiddenA, kHiddenB) + error(kHiddenB, kHiddenA)) / 2;
  CHECK(b.value() - before == Approx(wanted).epsilon(1e-12));
  b.check();
}

TEST_CASE("rows of a decoder count alike, however large they are", "[compress][torch][loss]") {
  const at::Tensor teacher = at::tensor(std::vector<double>{3e4, 4e4, 3, 4}).view({2, 2});
  const at::Tensor student = at::tensor(std::vector<double>{3e4, 4e4 - 50, 0, 4}).view({2, 2});
  CHECK(relative_error(student, teacher, OutputKind::generation).item<double>() ==
        Approx((2500 / 2.5e9 + 9.0 / 25) / 2).epsilon(1e-12));
  CHECK(relative_error(student, teacher, OutputKind::embedding).item<double>() ==
        Approx((2500.0 + 9) / (2.5e9 + 25)).epsilon(1e-12));
}

// Of one value: KL between the softmax of the products of a head's rows within a sequence.
double relation(const at::Tensor& own, const at::Tensor& other, const std::vector<size_t>& lengths, int64_t heads) {
  const int64_t width = own.size(1) / heads;
  double sum = 0, tokens = 0;
  int64_t first = 0;
  for (const size_t length : lengths) {
    const auto count = static_cast<int64_t>(length);
    const auto row = [&](const at::Tensor& t, int64_t head, int64_t i) {
      std::vector<double> p;
      double total = 0;
      for (int64_t j = 0; j < count; ++j) {
        double dot = 0;
        for (int64_t c = head * width; c < (head + 1) * width; ++c) dot += at2(t, first + i, c) * at2(t, first + j, c);
        p.push_back(std::exp(dot / std::sqrt(static_cast<double>(width))));
        total += p.back();
      }
      for (double& each : p) each /= total;
      return p;
    };
    for (int64_t head = 0; head < heads; ++head) {
      for (int64_t i = 0; i < count; ++i) sum += divergence(row(other, head, i), row(own, head, i));
    }
    first += count;
    tokens += static_cast<double>(length);
  }
  return sum / (tokens * static_cast<double>(heads));
}

TEST_CASE("the relation term compares rows within each sequence and leaves padding out", "[compress][torch][loss]") {
  const std::vector<size_t> lengths = GENERATE(std::vector<size_t>{3, 1, 5}, std::vector<size_t>{4, 4});
  const int64_t heads = GENERATE(1, 2);
  Bench b(lengths);
  const double before = b.value();
  b.terms.relations = {{kQueries, kKeys}, {kKeys, kKeys}};
  b.terms.relation_weight = 0.4;
  b.terms.relation_heads = heads;
  const double wanted = 0.4 *
                        (relation(b.student[kQueries], b.teacher[kKeys], lengths, heads) +
                         relation(b.student[kKeys], b.teacher[kKeys], lengths, heads)) /
                        2;
  CHECK(b.value() - before == Approx(wanted).epsilon(1e-9));
  b.check();
}

TEST_CASE("a student that equals its teacher has no loss", "[compress][torch][loss]") {
  Bench b(kRagged);
  b.terms.matched = {{kHiddenA, kHiddenA}};
  b.terms.relations = {{kQueries, kQueries}};
  b.terms.hidden_weight = b.terms.relation_weight = 1;
  for (const uint32_t id : b.ids) b.student[id] = b.teacher[id];
  CHECK(std::abs(b.value()) < 1e-12);
  b.terms.task = OutputKind::classification;
  CHECK(std::abs(b.value()) < 1e-12);
}

TEST_CASE("the loss compares what both programs have in the same width", "[compress][torch][loss]") {
  test::RandomProgram teacher, narrow;
  const auto build = [](test::RandomProgram& p, uint32_t width, uint32_t heads) {
    const uint32_t x = p.embedding(Stream::tokens, 7, 8);
    const uint32_t q = p.linear(x, width), k = p.linear(x, width), v = p.linear(x, width);
    p.program.outputs = {p.pool(p.linear(p.attention(q, k, v, heads), 8), Pooling::mean)};
  };
  build(teacher, 8, 4);
  build(narrow, 4, 2);
  TrainableModel student{narrow.program, narrow.weights};
  TrainingJob job;
  job.teacher = &teacher.program;
  job.student = &student;
  job.matched = {{0, 0}, {1, 1}};  // the embedding and the narrower queries
  const LossTerms o = make_loss_terms(job);
  CHECK(o.has_teacher);
  CHECK(o.student_values() == std::vector<uint32_t>{6, 0, 1, 2, 3});
  CHECK(o.teacher_values() == std::vector<uint32_t>{6, 0, 1, 2, 3});
  CHECK(o.relation_heads == 2);
  job.recipe.hidden_weight = job.recipe.relation_weight = 0;
  CHECK(make_loss_terms(job).student_values() == std::vector<uint32_t>{6});
  job.teacher = nullptr;
  job.recipe = TrainingRecipe();
  CHECK(make_loss_terms(job).student_values() == std::vector<uint32_t>{6});
  CHECK_FALSE(make_loss_terms(job).has_teacher);
}

}  // namespace
}  // namespace lathe::training
