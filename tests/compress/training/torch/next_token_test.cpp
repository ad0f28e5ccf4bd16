// Agreement about the next token: values by plain loops over whole logits, gradients by differences.

#include "compress/training/torch/next_token.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "compress/pipeline/recovery.h"
#include "tests/compress/training/torch/differences.h"
#include "tests/compress/training/torch/random_program.h"
#include "tests/compress/training/torch/small_student.h"
#include "tests/support/recorded_decoder.h"

namespace lathe::training {
namespace {

using test::check_gradients;
using test::random_tensor;

constexpr int64_t kVocabulary = 11;

struct Bench {
  TokenBatch tokens;
  TensorBatch batch;
  Predictions p;
  NextTokenGoal goal{0.7, 2};

  explicit Bench(const std::vector<size_t>& lengths)
      : tokens(test::random_batch(lengths, kVocabulary, 5)), batch(make_tensor_batch(tokens, at::Device(at::kCPU))) {
    p.student_rows = random_tensor({batch.tokens, 4}, 1, at::kDouble);
    p.student_head = random_tensor({kVocabulary, 4}, 2, at::kDouble);
    p.teacher_rows = random_tensor({batch.tokens, 6}, 3, at::kDouble);
    p.teacher_head = random_tensor({kVocabulary, 6}, 4, at::kDouble);
  }
  void without_teacher() { p.teacher_rows = p.teacher_head = at::Tensor(); }

  NextTokenLoss loss() const { return next_token_loss(p, batch, goal); }

  static std::vector<double> likelihoods(const at::Tensor& rows, const at::Tensor& head, int64_t row, double t) {
    const at::Tensor logits = at::matmul(head, rows[row]);
    std::vector<double> out;
    double sum = 0;
    for (int64_t c = 0; c < kVocabulary; ++c) sum += std::exp(logits[c].item<double>() / t);
    for (int64_t c = 0; c < kVocabulary; ++c) out.push_back(std::exp(logits[c].item<double>() / t) / sum);
    return out;
  }

  double expected() const {
    const bool taught = p.teacher_rows.defined();
    double total = 0;
    for (size_t s = 0; s < tokens.sequences(); ++s) {
      const auto length = static_cast<double>(tokens.length(s));
      for (size_t i = 0; i < tokens.length(s); ++i) {
        const auto row = static_cast<int64_t>(tokens.starts[s] + i);
        if (taught) {
          const auto a = likelihoods(p.student_rows, p.student_head, row, goal.temperature);
          const auto b = likelihoods(p.teacher_rows, p.teacher_head, row, goal.temperature);
          double kl = 0;
          for (size_t c = 0; c < a.size(); ++c) kl += b[c] * std::log(b[c] / a[c]);
          total += goal.alpha * goal.temperature * goal.temperature * kl / length;
        }
        if (i + 1 == tokens.length(s)) continue;
        const auto next = static_cast<size_t>(tokens.ids[tokens.starts[s] + i + 1]);
        const double likely = likelihoods(p.student_rows, p.student_head, row, 1)[next];
        total -= (taught ? 1 - goal.alpha : 1) * std::log(likely) / (length - 1);
      }
    }
    return total / static_cast<double>(tokens.sequences());
  }
};

TEST_CASE("the loss of the next token is what plain loops give, with and without a teacher",
          "[compress][torch][next_token]") {
  Bench bench(GENERATE(std::vector<size_t>{3, 1, 5}, std::vector<size_t>{4, 4}));
  if (GENERATE(true, false)) bench.without_teacher();
  CHECK(bench.loss().loss.item<double>() == Approx(bench.expected()).epsilon(1e-9));
  bench.goal = {1, 1};
  CHECK(bench.loss().loss.item<double>() == Approx(bench.expected()).epsilon(1e-9));
}

TEST_CASE("gradients of the next token's loss reach rows and head", "[compress][torch][next_token]") {
  Bench bench({3, 1, 5});
  if (GENERATE(true, false)) bench.without_teacher();
  check_gradients({bench.p.student_rows, bench.p.student_head}, [&](const std::vector<at::Tensor>& at) {
    bench.p.student_rows = at[0];
    bench.p.student_head = at[1];
    return bench.loss().loss;
  });
}

TEST_CASE("chunks of tokens change neither loss nor gradients", "[compress][torch][next_token]") {
  Bench bench({100, kLogitRows, 3, 2 * kLogitRows - 60});
  at::Tensor rows = bench.p.student_rows.requires_grad_(true);
  const at::Tensor whole = at::log_softmax(at::matmul(rows, bench.p.student_head.t()) / 2, 1);
  const at::Tensor wanted = at::log_softmax(at::matmul(bench.p.teacher_rows, bench.p.teacher_head.t()) / 2, 1);
  at::Tensor weights = at::zeros({bench.batch.tokens}, at::kDouble);
  for (size_t s = 0; s < bench.tokens.sequences(); ++s) {
    weights.narrow(0, bench.tokens.starts[s], static_cast<int64_t>(bench.tokens.length(s)))
        .fill_(1.0 / static_cast<double>(bench.tokens.length(s) * bench.tokens.sequences()));
  }
  const at::Tensor expected = 4 * ((wanted.exp() * (wanted - whole)).sum(1) * weights).sum();
  bench.goal = {1, 2};
  const at::Tensor actual = bench.loss().loss;
  CHECK(actual.item<double>() == Approx(expected.item<double>()));
  const at::Tensor a = torch::autograd::grad({actual}, {rows})[0];
  const at::Tensor b = torch::autograd::grad({expected}, {rows})[0];
  CHECK((a - b).abs().max().item<double>() < 1e-12);
}

TEST_CASE("the measure is the share of tokens with the same most likely next one", "[compress][torch][next_token]") {
  Bench bench({3, 2});
  bench.p.teacher_rows = bench.p.student_rows.clone();
  bench.p.teacher_head = bench.p.student_head.clone();
  CHECK(bench.loss().measure.item<double>() == Approx(2));
  bench.p.teacher_rows[0] *= -1;  // one of three
  CHECK(bench.loss().measure.item<double>() == Approx(2 - 1.0 / 3));
  bench.without_teacher();
  bench.p.student_head.zero_();
  bench.p.student_rows.fill_(1);
  bench.p.student_head[bench.tokens.ids[1]] += 1;  // always this token is predicted
  const double first = 1 + (bench.tokens.ids[2] == bench.tokens.ids[1] ? 1 : 0);
  const double second = bench.tokens.ids[4] == bench.tokens.ids[1] ? 1 : 0;
  CHECK(bench.loss().measure.item<double>() == Approx(first / 2 + second));
}

TEST_CASE("without gradients there are none, and a head with a bias is refused", "[compress][torch][next_token]") {
  Bench bench({3, 1});
  bench.p.student_rows.requires_grad_(true);
  const at::NoGradGuard no_gradients;
  CHECK_FALSE(bench.loss().loss.requires_grad());
  test::RandomProgram p;
  const uint32_t x = p.embedding(Stream::tokens, 5, 4);
  p.program.outputs = {p.linear(x, 5, false)};
  CHECK(head_of(p.program).input == x);
  CHECK(head_of(p.program).weight == 1);
  p.program.outputs = {p.linear(x, 5)};
  CHECK_THROWS_WITH(head_of(p.program), Catch::Contains("without a bias"));
}

// A recorded decoder as teacher, and random texts.
struct DecoderClass {
  test::TempDir dir;
  SourceModel teacher;
  TrainingData data;

  explicit DecoderClass(const std::string& name) : teacher(open_source(test::RecordedDecoder(name).copy(dir), false)) {
    data.train = test::random_batch(std::vector<size_t>(300, 20), 300, 1);
    data.held_out = test::random_batch(std::vector<size_t>(16, 20), 300, 2);
  }
  TrainingJob job(TrainableModel& student, uint32_t steps) const {
    TrainingJob job;
    job.stage = "distillation";
    job.teacher = &teacher.program;
    job.teacher_weights = [this](const std::string& name) { return teacher.weight(name); };
    job.student = &student;
    job.matched = match_all(teacher.program);
    job.task = OutputKind::generation;
    job.data = &data;
    job.recipe.steps = steps;
    job.recipe.learning_rate = 1e-3;
    job.recipe.alpha = 1;
    job.fingerprint = "one";
    job.threads = 1;
    return job;
  }
  TrainableModel compressed(const std::string& quant) const {
    Recipe recipe;
    recipe.quant = quant;
    recipe.quant_method = QuantMethod::nearest;
    test::compress_to(teacher, recipe, dir / "student.lathe");
    return test::model_of(dir / "student.lathe");
  }
};

TEST_CASE("distillation brings a compressed decoder nearer to its original", "[compress][torch][next_token]") {
  const std::string name = GENERATE("llama", "qwen3", "gpt2");
  CAPTURE(name);
  const DecoderClass room(name);
  TrainableModel student = room.compressed("int4");
  const TrainableModel before = student;
  const TrainingCurve curve = test::distill(room.job(student, 80));
  CHECK(curve.measure_name == "agreement");
  REQUIRE(curve.points.size() > 2);
  CHECK(curve.points.front().held_out_loss > 0);
  double best = curve.points.front().held_out_loss;
  for (const CurvePoint& point : curve.points) best = std::min(best, point.held_out_loss);
  CHECK(best < 0.95 * curve.points.front().held_out_loss);
  if (name == "gpt2") return;
  const EncodedBuffer& was = before.weights.at("rope.frequencies");
  CHECK((student.weights.at("rope.frequencies").planes == was.planes));
  CHECK(was.encoding == Encoding{});
}

TEST_CASE("a decoder that is its original has nothing to learn from it", "[compress][torch][next_token]") {
  const DecoderClass room("mistral");
  TrainableModel student = room.compressed("f32");
  TrainingJob job = room.job(student, 1);
  job.recipe.learning_rate = 1e-9;
  const TrainingCurve curve = test::distill(job);
  CHECK(curve.points.front().held_out_loss < 1e-4);
  CHECK(curve.points.front().measure > 0.99);
}

TEST_CASE("threads change nothing about the distillation of a decoder", "[compress][torch][next_token]") {
  const DecoderClass room("llama_scaled");
  TrainableModel one = room.compressed("int8");
  TrainableModel two = one;
  test::distill(room.job(one, 4));
  TrainingJob job = room.job(two, 4);
  job.threads = 2;
  test::distill(job);
  CHECK(test::same_weights(one, two));
}

}  // namespace
}  // namespace lathe::training
