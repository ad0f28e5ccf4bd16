#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "formats/artifact/encoding.h"
#include "runtime/generation.h"

namespace lathe {
namespace {

constexpr uint32_t kVocabulary = 50, kHidden = 24, kHeads = 6, kKvHeads = 2, kHeadWidth = 8;

// A decoder of two layers whose heads are wider than the stream.
class TinyDecoder {
 public:
  explicit TinyDecoder(uint32_t window = 0) {
    add_weight("table", {kVocabulary, kHidden}, 1.0f);
    for (uint32_t i = 0; i < kHeadWidth / 2; ++i) frequencies_.push_back(std::pow(100.0f, -2.0f * i / kHeadWidth));
    weights_["frequencies"] = f32_buffer({kHeadWidth / 2}, frequencies_);
    const uint32_t frequencies = program_.add_weight("frequencies");
    uint32_t x = program_.add_value("x", RowKind::tokens, kHidden);
    program_.ops.push_back({ops::Embedding{}, {}, {0}, x});
    for (int layer = 0; layer < 2; ++layer) x = add_layer(x, frequencies, window);
    x = norm(x, kHidden);
    const uint32_t logits = program_.add_value("logits", RowKind::tokens, kVocabulary);
    program_.ops.push_back({ops::Linear{}, {x}, {0}, logits});
    program_.outputs = {logits};
  }

  /// `change` may alter the program first.
  Model build(const std::function<void(Program&)>& change = [](Program&) {}) const {
    Program program = program_;
    change(program);
    return Model::build(
        program, [&](const std::string& name) { return weights_.at(name).view(); }, "test");
  }

 private:
  uint32_t add_weight(const std::string& name, const Shape& shape, float scale) {
    std::vector<float> values(element_count(shape, name));
    for (float& value : values) value = scale * (static_cast<float>(random_()) / 1073741824.0f - 1.0f);
    weights_[name] = f32_buffer(shape, values);
    return program_.add_weight(name);
  }

  uint32_t linear(uint32_t x, uint32_t out) {
    const uint32_t in = program_.values[x].shape.size();
    const uint32_t w = add_weight("w" + std::to_string(program_.ops.size()), {out, in}, 1.7f / std::sqrt(float(in)));
    const uint32_t y = program_.add_value("linear", RowKind::tokens, out);
    program_.ops.push_back({ops::Linear{}, {x}, {w}, y});
    return y;
  }

  uint32_t norm(uint32_t x, uint32_t width, uint32_t heads = 0) {
    const uint32_t w = add_weight("g" + std::to_string(program_.ops.size()), {width}, 2.0f);
    return unary(ops::RmsNorm{1e-5f, heads}, x, {w});
  }

  uint32_t unary(const Attributes& attributes, uint32_t x, const std::vector<uint32_t>& weights) {
    const uint32_t y = program_.add_value("value", RowKind::tokens, program_.values[x].shape.size());
    program_.ops.push_back({attributes, {x}, weights, y});
    return y;
  }

  uint32_t binary(const Attributes& attributes, uint32_t a, uint32_t b) {
    const uint32_t y = program_.add_value("value", RowKind::tokens, program_.values[a].shape.size());
    program_.ops.push_back({attributes, {a, b}, {}, y});
    return y;
  }

  uint32_t add_layer(uint32_t x, uint32_t frequencies, uint32_t window) {
    const uint32_t n = norm(x, kHidden);
    uint32_t q = linear(n, kHeads * kHeadWidth);
    uint32_t k = linear(n, kKvHeads * kHeadWidth);
    const uint32_t v = linear(n, kKvHeads * kHeadWidth);
    q = unary(ops::Rope{RopePairs::halves, kHeads}, norm(q, kHeadWidth, kHeads), {frequencies});
    k = unary(ops::Rope{RopePairs::halves, kKvHeads}, norm(k, kHeadWidth, kKvHeads), {frequencies});
    const uint32_t mixed = program_.add_value("mixed", RowKind::tokens, kHeads * kHeadWidth);
    program_.ops.push_back({ops::Attention{AttentionMask::causal, kHeads, kKvHeads, window}, {q, k, v}, {}, mixed});
    x = binary(ops::Add{}, x, linear(mixed, kHidden));
    const uint32_t m = norm(x, kHidden);
    const uint32_t gate = linear(m, 40);
    const uint32_t up = linear(m, 40);
    const uint32_t gated = binary(ops::Multiply{}, unary(ops::Activation{ActivationFunction::silu}, gate, {}), up);
    return binary(ops::Add{}, x, linear(gated, kHidden));
  }

  Program program_;
  std::vector<float> frequencies_;
  std::map<std::string, EncodedBuffer> weights_;
  std::minstd_rand random_{7};
};

std::vector<int32_t> some_tokens(size_t count, uint32_t seed) {
  std::minstd_rand random(seed);
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % kVocabulary);
  return ids;
}

std::vector<float> all_logits(Session& session, const std::vector<std::vector<int32_t>>& texts) {
  TokenBatch batch;
  for (const auto& text : texts) batch.add(text);
  std::vector<float> logits(batch.tokens() * kVocabulary);
  float* const outputs[] = {logits.data()};
  session.run(batch, {}, outputs);
  return logits;
}

double largest_difference(std::span<const float> a, std::span<const float> b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(static_cast<double>(a[i]) - b[i]));
  return most;
}

}  // namespace

TEST_CASE("a token's logits do not depend on the tokens after it", "[runtime][decoder]") {
  const TinyDecoder decoder;
  const Model model = decoder.build();
  Session session(model, 1);
  const std::vector<int32_t> text = some_tokens(90, 1);
  const std::vector<float> whole = all_logits(session, {text});
  const std::vector<float> begin = all_logits(session, {{text.begin(), text.begin() + 37}});
  CHECK(largest_difference(std::span(whole).first(begin.size()), begin) < 1e-5);
  std::vector<int32_t> other = text;
  other[10] = (other[10] + 1) % static_cast<int32_t>(kVocabulary);
  const std::vector<float> changed = all_logits(session, {other});
  CHECK(largest_difference(std::span(whole).last(kVocabulary), std::span(changed).last(kVocabulary)) > 1e-3);
}

TEST_CASE("tokens fed piece by piece through the cache give the logits of the whole text", "[runtime][decoder]") {
  for (const uint32_t window : {0u, 5u}) {
    const TinyDecoder decoder(window);
    const Model model = decoder.build();
    const std::vector<int32_t> text = some_tokens(81, 2);
    Session one(model, 1);
    const std::vector<float> whole = all_logits(one, {text});
    for (const size_t threads : {1, 2, 3}) {
      for (const CacheType type : {CacheType::f16, CacheType::int8}) {
        INFO("window " << window << ", threads " << threads << ", cache " << kCacheTypes.name(type));
        Session session(model, threads);
        KvCache cache(model, 1, text.size(), type);
        double worst = 0;
        size_t done = 0;
        for (const size_t count : {size_t{3}, size_t{1}, size_t{1}, size_t{65}, size_t{7}, size_t{1}, size_t{3}}) {
          TokenBatch batch;
          batch.add(std::span(text).subspan(done, count));
          std::vector<float> logits(count * kVocabulary);
          float* const outputs[] = {logits.data()};
          session.run(batch, {}, outputs, {&cache});
          worst =
              std::max(worst, largest_difference(logits, std::span(whole).subspan(done * kVocabulary, logits.size())));
          done += count;
          CHECK(cache.length(0) == done);
        }
        REQUIRE(done == text.size());
        CHECK(worst < (type == CacheType::f16 ? 0.01 : 0.3));
        CHECK(worst > 0);  // the cache does round
      }
    }
  }
}

TEST_CASE("a cache can be cut back and used again", "[runtime][decoder]") {
  const TinyDecoder decoder;
  const Model model = decoder.build();
  Session session(model, 2);
  KvCache cache(model, 1, 20);
  const std::vector<int32_t> text = some_tokens(20, 3);
  const auto last = [&](size_t first, size_t count) {
    TokenBatch batch;
    batch.add(std::span(text).subspan(first, count));
    std::vector<float> logits(kVocabulary);
    float* const outputs[] = {logits.data()};
    session.run(batch, {}, outputs, {&cache, {}, true});
    return logits;
  };
  const std::vector<float> before = last(0, 12);
  last(12, 8);
  cache.truncate(0, 8);
  CHECK(last(8, 4) == before);
}

TEST_CASE("the last tokens alone get the logits that they have among all", "[runtime][decoder]") {
  const TinyDecoder decoder;
  const Model model = decoder.build();
  const std::vector<std::vector<int32_t>> texts = {some_tokens(3, 4), some_tokens(70, 5), some_tokens(1, 6),
                                                   some_tokens(200, 7)};
  for (const size_t threads : {1, 2}) {
    Session session(model, threads);
    const std::vector<float> all = all_logits(session, texts);
    TokenBatch batch;
    for (const auto& text : texts) batch.add(text);
    std::vector<float> logits(texts.size() * kVocabulary);
    float* const outputs[] = {logits.data()};
    session.run(batch, {}, outputs, {nullptr, {}, true});
    for (size_t s = 0; s < texts.size(); ++s) {
      const size_t at = (batch.starts[s + 1] - 1) * kVocabulary;
      CHECK(largest_difference(std::span(logits).subspan(s * kVocabulary, kVocabulary),
                               std::span(all).subspan(at, kVocabulary)) == 0);
    }
  }
}

TEST_CASE("what a sequence generates does not depend on the others or on the threads", "[runtime][decoder]") {
  const TinyDecoder decoder;
  const Model model = decoder.build();
  const std::vector<std::vector<int32_t>> prompts = {some_tokens(5, 8), some_tokens(40, 9), some_tokens(1, 10)};
  GenerationOptions options;
  options.max_new_tokens = 25;
  Session session(model, 1);
  const auto together = generate(session, prompts, options);
  for (size_t i = 0; i < prompts.size(); ++i) {
    CHECK(together[i].size() == 25);
    Session other(model, 2);
    CHECK(generate(other, {prompts[i]}, options)[0] == together[i]);
  }
  // Greedy: the most probable token of the whole text so far.
  std::vector<int32_t> text = prompts[0];
  text.insert(text.end(), together[0].begin(), together[0].end());
  const std::vector<float> logits = all_logits(session, {text});
  const auto row = logits.begin() + static_cast<std::ptrdiff_t>((prompts[0].size() - 1) * kVocabulary);
  CHECK(std::max_element(row, row + kVocabulary) - row == together[0][0]);
}

TEST_CASE("generation stops at a stop id, at the caller's word, and where room ends", "[runtime][decoder]") {
  const TinyDecoder decoder;
  const Model model = decoder.build();
  Session session(model, 1);
  const std::vector<std::vector<int32_t>> prompts = {some_tokens(4, 11)};
  GenerationOptions options;
  options.max_new_tokens = 12;
  const std::vector<int32_t> free_run = generate(session, prompts, options)[0];
  options.stop_ids = {free_run[5]};
  const auto first = std::find(free_run.begin(), free_run.end(), free_run[5]) - free_run.begin();
  CHECK(generate(session, prompts, options)[0].size() == static_cast<size_t>(first));
  options.stop_ids = {};
  size_t heard = 0;
  GenerationTimes times;
  const auto stopped = generate(
      session, prompts, options, [&](size_t, int32_t) { return ++heard < 3; }, &times);
  CHECK(stopped[0].size() == 3);
  CHECK(times.prompt_tokens == 4);
  CHECK(times.decoded_tokens == 2);
  CHECK(times.cache_bytes ==
        2 * kKvHeads * (kHeadWidth + 16) * 2 * 16);  // layers, heads, a key and a padded value, f16
  CHECK_THROWS_AS(generate(session, {{}}, options), Error);
}

TEST_CASE("sampling draws by the probabilities that its bounds leave", "[runtime][decoder]") {
  const std::vector<float> logits = {0.0f, std::log(2.0f), std::log(4.0f), std::log(1.0f), -50.0f};  // 1 2 4 1 0 of 8
  const auto shares = [&](const Sampling& sampling) {
    Sampler sampler(sampling, 3);
    std::vector<double> counts(logits.size(), 0.0);
    for (int i = 0; i < 20000; ++i) counts[static_cast<size_t>(sampler.draw(logits))] += 1.0 / 20000;
    return counts;
  };
  CHECK(shares({})[2] == Approx(1));
  const auto plain = shares({1.0f, 0, 1.0f, 5});
  CHECK(plain[0] == Approx(0.125).margin(0.01));
  CHECK(plain[1] == Approx(0.25).margin(0.015));
  CHECK(plain[2] == Approx(0.5).margin(0.015));
  const auto two = shares({1.0f, 2, 1.0f, 5});
  CHECK(two[2] == Approx(2.0 / 3).margin(0.015));
  CHECK(two[0] + two[3] == 0);
  CHECK(shares({1.0f, 0, 0.5f, 5})[2] == Approx(1));
  CHECK(shares({1.0f, 0, 0.51f, 5})[1] == Approx(1.0 / 3).margin(0.015));
  CHECK(shares({0.1f, 0, 1.0f, 5})[2] > 0.99);
  Sampler a({1.0f, 0, 1.0f, 9}, 0), b({1.0f, 0, 1.0f, 9}, 0), c({1.0f, 0, 1.0f, 9}, 1);
  size_t differ = 0;
  for (int i = 0; i < 100; ++i) {
    const int32_t token = a.draw(logits);
    CHECK(b.draw(logits) == token);
    differ += c.draw(logits) != token;
  }
  CHECK(differ > 20);
  CHECK_THROWS_AS(validate(Sampling{-1.0f, 0, 1.0f, 0}), Error);
  CHECK_THROWS_AS(validate(Sampling{1.0f, 0, 0.0f, 0}), Error);
}

TEST_CASE("a cache refuses what does not fit", "[runtime][decoder]") {
  const TinyDecoder decoder;
  const Model model = decoder.build();
  Session session(model, 1);
  KvCache cache(model, 2, 4);
  TokenBatch batch;
  batch.add(some_tokens(5, 12));
  std::vector<float> logits(5 * kVocabulary);
  float* const outputs[] = {logits.data()};
  CHECK_THROWS_WITH(session.run(batch, {}, outputs, {&cache}),
                    Catch::Contains("sequence 0 would have 5 tokens") && Catch::Contains("at most 4 fit"));
  const uint32_t wrong[] = {2};
  CHECK_THROWS_WITH(session.run(batch, {}, outputs, {&cache, wrong}),
                    "sequence 0: cache slot 2 is used twice or out of range (the cache has 2 slots)");
  batch = {};
  batch.add(some_tokens(1, 12));
  batch.add(some_tokens(1, 13));
  const uint32_t twice[] = {1, 1};
  CHECK_THROWS_WITH(session.run(batch, {}, outputs, {&cache, twice}),
                    "sequence 1: cache slot 1 is used twice or out of range (the cache has 2 slots)");
  CHECK_THROWS_WITH(session.run(batch, {}, outputs, {&cache, std::span(twice).first(1)}),
                    "there are 1 cache slots for 2 sequences");
  const Model twin = decoder.build();
  KvCache foreign(twin, 2, 4);
  CHECK_THROWS_WITH(session.run(batch, {}, outputs, {&foreign}), "the cache was made for another model");
  CHECK(cache.length(0) == 0);
}

TEST_CASE("the rows of the last tokens alone are refused for outputs that attention follows", "[runtime][decoder]") {
  const TinyDecoder decoder;
  const Model model = decoder.build([](Program& program) { program.outputs = {program.ops[0].output}; });
  TokenBatch batch;
  batch.add(some_tokens(6, 14));
  std::vector<float> rows(batch.tokens() * kHidden);
  float* const outputs[] = {rows.data()};
  Session session(model, 1);
  CHECK_NOTHROW(session.run(batch, {}, outputs));
  CHECK_THROWS_WITH(session.run(batch, {}, outputs, {nullptr, {}, true}), Catch::Contains("after all attention"));
}

}  // namespace lathe
