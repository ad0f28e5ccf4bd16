// The teacher's values: the same whether they are kept or computed each time.

#include "compress/training/torch/teacher.h"

#include <catch2/catch.hpp>

#include "runtime/threads.h"
#include "tests/compress/training/torch/random_program.h"

namespace lathe::training {
namespace {

constexpr uint32_t kWidth = 6;
const at::Device kCpu(at::kCPU);

// A program that reads tokens, positions and segments, and pairs of texts for it.
struct Room {
  test::RandomProgram random;
  TokenBatch texts;
  uint32_t hidden = 0, output = 0;

  Room() : texts(test::random_batch({4, 1, 7, 3}, 11, 2)) {
    texts.segments.assign(texts.tokens(), 0);
    for (size_t i = 0; i < texts.tokens(); i += 2) texts.segments[i] = 1;
    const uint32_t x = random.add(
        random.embedding(Stream::tokens, 11, kWidth),
        random.add(random.embedding(Stream::positions, 8, kWidth), random.embedding(Stream::segments, 2, kWidth)));
    hidden = random.attention(random.linear(x, kWidth), random.linear(x, kWidth), x, 2);
    output = random.pool(random.layer_norm(hidden), Pooling::mean);
    random.program.outputs = {output};
  }
  // Bytes of the wanted values of all texts in f16.
  uint64_t bytes() const { return 2 * kWidth * (texts.tokens() + texts.sequences()); }
  Teacher teacher(uint64_t budget) const {
    return {random.program, random.lookup(), {output, hidden, output}, texts, budget, kCpu, false};
  }
  // Of one text, alone, through f16.
  Values direct(uint32_t sequence, const TokenBatch& from) const {
    const TokenBatch alone = select_sequences(from, std::span(&sequence, 1));
    Values values = interpret(random.program, random.tensors(), make_tensor_batch(alone, kCpu), {}, {hidden, output});
    for (auto& [id, value] : values) value = value.to(at::kHalf).to(at::kFloat);
    return values;
  }
};

void check_equal(const Room& room, Teacher& teacher, const TokenBatch& texts, const std::vector<uint32_t>& asked) {
  const Values got = teacher.outputs(asked);
  REQUIRE(got.size() == 2);
  std::vector<at::Tensor> hidden, output;
  for (const uint32_t sequence : asked) {
    const Values wanted = room.direct(sequence, texts);
    hidden.push_back(wanted.at(room.hidden));
    output.push_back(wanted.at(room.output));
  }
  CHECK(got.at(room.hidden).equal(at::cat(hidden)));
  CHECK(got.at(room.output).equal(at::cat(output)));
}

TEST_CASE("a teacher gives the values of each text, kept or not", "[compress][torch][teacher]") {
  const Room room;
  for (const uint64_t budget : {room.bytes(), room.bytes() - 1, uint64_t{0}}) {
    CAPTURE(budget);
    Teacher teacher = room.teacher(budget);
    CHECK(teacher.keeps() == (budget == room.bytes()));
    CHECK(teacher.weights().size() == room.random.program.weights.size());
    for (int times = 0; times < 2; ++times) {  // the second time from memory where they are kept
      check_equal(room, teacher, room.texts, {2, 0});
      check_equal(room, teacher, room.texts, {1, 2, 2, 3});
    }
  }
}

TEST_CASE("a teacher of other texts shares the weights", "[compress][torch][teacher]") {
  const Room room;
  Teacher teacher = room.teacher(0);
  TokenBatch others = test::random_batch({5, 2}, 11, 9);
  Teacher other(teacher, others, 1 << 20);
  CHECK(other.keeps());
  CHECK(other.weights()[0].data_ptr() == teacher.weights()[0].data_ptr());
  check_equal(room, other, others, {1, 0});
}

TEST_CASE("threads may ask a teacher for the same text at once", "[compress][torch][teacher]") {
  const Room room;
  const uint64_t budget = GENERATE(uint64_t{0}, uint64_t{1} << 20);
  Teacher teacher = room.teacher(budget);
  std::vector<at::Tensor> got(16);
  ThreadPool pool(4);
  pool.parallel_for(got.size(), [&](size_t i, size_t) {
    use_one_thread();
    const auto sequence = static_cast<uint32_t>(i % 2);
    got[i] = teacher.outputs(std::span(&sequence, 1)).at(room.output);
  });
  for (size_t i = 0; i < got.size(); ++i) {
    CHECK(got[i].equal(room.direct(static_cast<uint32_t>(i % 2), room.texts).at(room.output)));
  }
}

}  // namespace
}  // namespace lathe::training
