#include "compress/evaluation/language.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "tests/formats/expect_error.h"
#include "tests/support/tiny_decoder.h"

namespace lathe {
namespace {

using test::expect_error;
using test::TempDir;
using test::tiny_prose;
using test::TinyDecoder;
using test::TinyDecoderOptions;

// An embedding that is the output as well: the logits after a token are its row of the table, known by hand. One
// attention whose values are zero makes the program a decoder without changing a number.
struct TableModel {
  Program program;
  std::vector<float> table, zeros;
  uint32_t width;

  TableModel(uint32_t tokens, std::vector<float> rows) : table(std::move(rows)), zeros(size_t{tokens} * tokens, 0) {
    width = tokens;
    const auto value = [&](const char* name) { return program.add_value(name, RowKind::tokens, tokens); };
    const uint32_t table_weight = program.add_weight("table"), zero_weight = program.add_weight("zero");
    const uint32_t x = value("x"), zero = value("zero"), attended = value("attended"), logits = value("logits");
    program.ops.push_back({ops::Embedding{}, {}, {table_weight}, x});
    program.ops.push_back({ops::Embedding{}, {}, {zero_weight}, zero});
    program.ops.push_back({ops::Attention{AttentionMask::causal, 1, 1, 0}, {x, x, zero}, {}, attended});
    program.ops.push_back({ops::Add{}, {x, attended}, {}, logits});
    program.outputs = {logits};
  }

  Model build() const {
    return Model::build(
        program,
        [this](const std::string& name) {
          EncodedTensor tensor{{}, {width, width}, {}};
          tensor.planes[0] = as_bytes_of(name == "table" ? table : zeros);
          return tensor;
        },
        "table");
  }
};

LanguageData windows_of(const std::vector<std::vector<int32_t>>& windows) {
  LanguageData data{"by hand", static_cast<uint32_t>(windows[0].size()), {}};
  for (const auto& window : windows) data.windows.add(window);
  return data;
}

// Logits whose softmax is the given probabilities.
std::vector<float> logs(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)) + 3);  // the 3 changes nothing
  return logits;
}

}  // namespace

TEST_CASE("perplexity is exp of the mean loss over all tokens but the first of each window", "[compress][language]") {
  const TableModel table(4, logs({0.1, 0.2, 0.3, 0.4, 0.25, 0.25, 0.25, 0.25, 0.7, 0.1, 0.1, 0.1, 0.4, 0.3, 0.2, 0.1}));
  const Model model = table.build();
  Session session(model, 1);
  SilentProgress progress;
  const TokenLosses losses = token_losses(session, windows_of({{0, 3, 1}, {2, 0, 0}}), progress);
  const std::vector<double> expected = {0.4, 0.3, 0.7, 0.1};  // 3 after 0, 1 after 3; 0 after 2, 0 after 0
  REQUIRE(losses.losses.size() == expected.size());
  double sum = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(losses.losses[i] == Approx(-std::log(expected[i])).epsilon(1e-5));
    sum -= std::log(expected[i]);
  }
  CHECK(losses.perplexity() == Approx(std::exp(sum / 4)).epsilon(1e-5));
  double squares = 0;
  for (const double p : expected) squares += std::pow(-std::log(p) - sum / 4, 2);
  CHECK(losses.standard_error() == Approx(losses.perplexity() * std::sqrt(squares / 3 / 4)).epsilon(1e-5));
}

TEST_CASE("two models are compared by the divergence of their predictions place by place", "[compress][language]") {
  const TableModel p_table(2, logs({0.5, 0.5, 0.9, 0.1})), q_table(2, logs({0.25, 0.75, 0.8, 0.2}));
  const Model p_model = p_table.build(), q_model = q_table.build();
  Session p(p_model, 1), q(q_model, 1);
  SilentProgress progress;
  const LanguageFidelity close = compare_language(p, q, windows_of({{0, 1, 1, 0}}), progress);
  const double after_0 = 0.5 * std::log(0.5 / 0.25) + 0.5 * std::log(0.5 / 0.75);
  const double after_1 = 0.9 * std::log(0.9 / 0.8) + 0.1 * std::log(0.1 / 0.2);
  CHECK(close.mean_kl == Approx((after_0 + 2 * after_1) / 3).epsilon(1e-5));
  CHECK(close.p99_kl == Approx(std::max(after_0, after_1)).epsilon(1e-5));
  CHECK(close.same_top == Approx(2.0 / 3));  // after 0 the original's first one of equals is 0, the other's top is 1
  const PredictionResult result = close.result();
  CHECK(result.tokens == 3);
  // Tokens 1, 1, 0 after 0, 1, 1.
  const std::vector<double> differences = {std::log(0.5 / 0.75), std::log(0.1 / 0.2), std::log(0.9 / 0.8)};
  const double mean = (differences[0] + differences[1] + differences[2]) / 3;
  CHECK(result.log_ratio == Approx(mean).epsilon(1e-4));
  CHECK(std::log(close.compressed.perplexity() / close.original.perplexity()) == Approx(mean).epsilon(1e-4));
  double squares = 0;
  for (const double difference : differences) squares += (difference - mean) * (difference - mean);
  CHECK(result.log_ratio_error == Approx(std::sqrt(squares / 2 / 3)).epsilon(1e-4));
}

TEST_CASE("99 per cent of the places are at or below the p99 of the divergence", "[compress][language]") {
  // After token 0 both agree, after token 1 they do not; 1 place in 200 is a token 1.
  const TableModel p_table(2, logs({0.5, 0.5, 0.5, 0.5})), q_table(2, logs({0.5, 0.5, 0.9, 0.1}));
  const Model p_model = p_table.build(), q_model = q_table.build();
  Session p(p_model, 1), q(q_model, 1);
  SilentProgress progress;
  std::vector<int32_t> window(201, 0);
  for (const int places : {1, 2, 3}) {
    window[static_cast<size_t>(10 * places)] = 1;
    const LanguageFidelity close = compare_language(p, q, windows_of({window}), progress);
    const double apart = 0.5 * std::log(0.5 / 0.9) + 0.5 * std::log(0.5 / 0.1);
    CHECK(close.mean_kl == Approx(places * apart / 200).epsilon(1e-4));
    CHECK(close.p99_kl == Approx(places == 3 ? apart : 0).margin(1e-6));
  }
}

TEST_CASE("a decoder that knows nothing has the vocabulary's size as its perplexity", "[compress][language]") {
  TinyDecoderOptions options;
  options.scale = 0;
  const TinyDecoder decoder(options);
  const Model model = decoder.build();
  Session session(model, 1);
  SilentProgress progress;
  const TempDir dir;
  const LanguageData data =
      read_language_data(dir.write("t.txt", tiny_prose(40)), Tokenizer(decoder.tokenizer), {64, 4});
  const TokenLosses losses = token_losses(session, data, progress);
  CHECK(losses.losses.size() == 4 * 63);
  CHECK(losses.perplexity() == Approx(265).epsilon(1e-6));
  CHECK(losses.standard_error() == Approx(0).margin(1e-3));
  const EvalResult result = language_result(data, losses);
  CHECK(result.task == "lm");
  CHECK(result.file == "t.txt");
  CHECK(result.items == 4 * 63);
  CHECK(result.main().key == "perplexity");
  CHECK(result.main().lower_is_better);
  CHECK(result.main().value == losses.perplexity());
}

TEST_CASE("the perplexity of a decoder is the one that PyTorch's transformers give", "[compress][language]") {
  const TinyDecoder decoder;
  const Model model = decoder.build();
  Session session(model, 1);
  SilentProgress progress;
  const TempDir dir;
  const LanguageData data =
      read_language_data(dir.write("t.txt", tiny_prose(300)), Tokenizer(decoder.tokenizer), {40, 6});
  const TokenLosses losses = token_losses(session, data, progress);
  // Recorded with the folder that write_folder() makes, in float32, log_softmax in float64.
  CHECK(losses.perplexity() == Approx(485.66079523).epsilon(1e-5));
  CHECK(losses.standard_error() == Approx(25.87764471).epsilon(1e-5));
}

TEST_CASE("a decoder compared with itself differs by nothing, whatever the threads", "[compress][language]") {
  const TinyDecoder decoder;
  TinyDecoderOptions near_by;
  near_by.noise = 0.05f;
  const TinyDecoder other(near_by);
  const Model model = decoder.build(), noisy = other.build();
  const TempDir dir;
  SilentProgress progress;
  const LanguageData data =
      read_language_data(dir.write("t.txt", tiny_prose(60)), Tokenizer(decoder.tokenizer), {48, 5});
  Session one(model, 1), two(model, 2), one_noisy(noisy, 1), two_noisy(noisy, 2);
  const LanguageFidelity same = compare_language(one, two, data, progress);
  CHECK(same.mean_kl == 0);
  CHECK(same.same_top == 1);
  CHECK(same.ratio_error == 0);
  CHECK(same.original.losses == same.compressed.losses);
  CHECK(token_losses(two, data, progress).losses == same.original.losses);
  const LanguageFidelity apart = compare_language(one, one_noisy, data, progress);
  CHECK(apart.mean_kl > 0);
  CHECK(apart.p99_kl > apart.mean_kl);
  CHECK(apart.same_top < 1);
  const LanguageFidelity again = compare_language(two, two_noisy, data, progress);
  CHECK(again.mean_kl == apart.mean_kl);
  CHECK(again.p99_kl == apart.p99_kl);
  CHECK(again.compressed.losses == apart.compressed.losses);
}

TEST_CASE("windows are cut one after another from the start of the text, blank lines and all", "[compress][language]") {
  const TempDir dir;
  const Tokenizer tokenizer(test::tiny_bpe());
  const std::string text = tiny_prose(30);
  const std::vector<int32_t> ids = tokenizer.encode_plain(text);
  std::string windows_ends = "\xef\xbb\xbf";  // a byte order mark and other line ends are not part of the text
  for (const char c : text) windows_ends += c == '\n' ? std::string("\r\n") : std::string(1, c);
  for (const std::string& written : {text, windows_ends}) {
    const auto path = dir.write("t.txt", written);
    const LanguageData all = read_language_data(path, tokenizer, {50, 0});
    REQUIRE(all.windows.sequences() == ids.size() / 50);
    CHECK(std::equal(all.windows.ids.begin(), all.windows.ids.end(), ids.begin()));
    CHECK(all.windows.length(0) == 50);
    const LanguageData some = read_language_data(path, tokenizer, {50, 3});
    CHECK(some.windows.sequences() == 3);
    CHECK(std::equal(some.windows.ids.begin(), some.windows.ids.end(), ids.begin()));
  }
}

TEST_CASE("texts and windows that cannot be measured are refused", "[compress][language]") {
  const TempDir dir;
  const Tokenizer tokenizer(test::tiny_bpe());
  expect_error(Errc::no_input, {"absent.txt"}, [&] { read_language_data(dir / "absent.txt", tokenizer, {8, 1}); });
  expect_error(Errc::malformed, {"e.txt"}, [&] { read_language_data(dir.write("e.txt", ""), tokenizer, {8, 1}); });
  expect_error(Errc::malformed, {"s.txt", "3 tokens", "8"}, [&] {
    read_language_data(dir.write("s.txt", "xyz"), tokenizer, {8, 1});
  });
  expect_error(Errc::malformed, {"l.txt", "line 2", "UTF-8"}, [&] {
    read_language_data(dir.write("l.txt",
                                 "good\nb\xe9"
                                 "d\n"),
                       tokenizer, {2, 1});
  });
  Task task;
  task.context = 100;
  expect_error(Errc::usage, {"101", "[2, 100]"}, [&] { window_options(101, 1, task); });
  expect_error(Errc::usage, {"1 tokens"}, [&] { window_options(1, 1, task); });
  CHECK(window_options(0, 7, task).length == 100);
  CHECK(window_options(0, 7, task).windows == 7);
  task.context = 2048;
  CHECK(window_options(0, 0, task).length == 512);
}

TEST_CASE("models that cannot be compared are refused, and so are logits that are not finite", "[compress][language]") {
  const TableModel small(2, logs({0.5, 0.5, 0.5, 0.5})), large(3, std::vector<float>(9, 0));
  TableModel broken(2, {0, 1, INFINITY, INFINITY});
  const Model small_model = small.build(), large_model = large.build(), broken_model = broken.build();
  Session a(small_model, 1), b(large_model, 1), c(broken_model, 1);
  SilentProgress progress;
  const LanguageData data = windows_of({{0, 1, 0}});
  expect_error(Errc::usage, {"2", "3"}, [&] { compare_language(a, b, data, progress); });
  expect_error(Errc::malformed, {"finite"}, [&] { token_losses(c, data, progress); });

  class Stopped : public SilentProgress {
    bool cancelled() const override { return true; }
  } stopped;
  expect_error(Errc::interrupted, {"stopped"}, [&] { token_losses(a, data, stopped); });
}

}  // namespace lathe
