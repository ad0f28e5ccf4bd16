#include "compress/evaluation/evaluate.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "tests/formats/expect_error.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_error;
using test::TempDir;

}  // namespace

TEST_CASE("Pearson of known numbers", "[compress][evaluate]") {
  CHECK(pearson({1, 2, 3}, {10, 20, 30}) == Approx(1));
  CHECK(pearson({1, 2, 3}, {3, 2, 1}) == Approx(-1));
  // By hand: sums of squares 10 and 8.8, of products 7.
  CHECK(pearson({1, 2, 3, 4, 5}, {2, 1, 4, 3, 5}) == Approx(0.8));
  CHECK(pearson({43, 21, 25, 42, 57, 59}, {99, 65, 79, 75, 87, 81}) == Approx(0.5298).margin(5e-5));
  CHECK(pearson({1, 1, 1}, {1, 2, 3}) == 0);
  expect_error(Errc::usage, {"3", "2"}, [] { pearson({1, 2, 3}, {1, 2}); });
}

TEST_CASE("Spearman looks at ranks alone and shares the ranks of ties", "[compress][evaluate]") {
  CHECK(spearman({1, 10, 100, 1000}, {1, 2, 3, 4}) == Approx(1));
  CHECK(spearman({5, 6, 7, 8, 7}, {1, 2, 3, 4, 5}) == Approx(0.8207826817));
  CHECK(spearman({1, 2, 2, 3}, {1, 2, 2, 3}) == Approx(1));
  CHECK(spearman({1, 2, 3}, {9, 4, 1}) == Approx(-1));
}

TEST_CASE("pairs are read with each text once", "[compress][evaluate]") {
  const TempDir dir;
  const auto path = dir.write("sts.tsv",
                              "\xef\xbb\xbf"
                              "a cat\ta dog\t2.5\r\n\na dog\tthe sun\t0\na cat\ta cat\t5e0");
  const StsData data = read_sts(path);
  CHECK(data.texts == std::vector<std::string>{"a cat", "a dog", "the sun"});
  REQUIRE(data.pairs.size() == 3);
  CHECK(data.pairs[1].a == 1);
  CHECK(data.pairs[1].b == 2);
  CHECK(data.pairs[2].a == data.pairs[2].b);
  CHECK(data.pairs[0].score == 2.5);
  CHECK(data.pairs[2].score == 5);
}

TEST_CASE("pairs that break the format are refused with file and line", "[compress][evaluate]") {
  const TempDir dir;
  const auto refuse = [&](const std::string& text, const std::vector<std::string>& parts) {
    INFO(text);
    const auto path = dir.write("bad.tsv", text);
    expect_error(Errc::malformed, parts, [&] { read_sts(path); });
  };
  refuse("a\tb\t1\na b 2\n", {"bad.tsv", "line 2", "1 field"});
  refuse("a\tb\t1\tx\nb\tc\t2\n", {"line 1", "4 fields"});
  refuse("a\tb\tscore\nb\tc\t2\n", {"line 1", "score", "is not a number"});
  refuse("a\tb\tnan\nb\tc\t2\n", {"line 1", "nan"});
  refuse("a\tb\t1x\nb\tc\t2\n", {"line 1", "1x"});
  refuse("a\tb\t1\n\tc\t2\n", {"line 2", "text_a"});
  refuse("a\tb\t1\nb\t\t2\n", {"line 2", "text_b"});
  refuse("a\tb\t1\nb\t\xff\t2\n", {"line 2", "UTF-8"});
  refuse("a\tb\t1\nb\tc\t1\n", {"bad.tsv", "2 pairs", "different"});
  refuse("", {"bad.tsv"});
  expect_error(Errc::no_input, {"absent.tsv"}, [&] { read_sts(dir / "absent.tsv"); });
}

TEST_CASE("lines are texts and empty lines are not", "[compress][evaluate]") {
  const TempDir dir;
  CHECK(read_lines(dir.write("t.txt", "one\r\n\n two \nthree")) == std::vector<std::string>{"one", " two ", "three"});
  expect_error(Errc::malformed, {"t.txt"}, [&] { read_lines(dir.write("t.txt", "\n\n")); });
  expect_error(Errc::malformed, {"t.txt", "line 2"}, [&] { read_lines(dir.write("t.txt", "a\n\xc3\n")); });
  expect_error(Errc::no_input, {"none.txt"}, [&] { read_lines(dir / "none.txt"); });
}

TEST_CASE("a task is scored by the cosine of its pairs", "[compress][evaluate]") {
  StsData data{"x.tsv", {"a", "b", "c"}, {{0, 1, 5}, {0, 2, 0}, {1, 2, 1}}};
  // Cosines: 0.8, 0, 0.6 (lengths do not count).
  const std::vector<float> embeddings = {2, 0, 0.8f, 0.6f, 0, 3};
  const TaskResult result = evaluate_sts(data, embeddings, 2);
  CHECK(result.task == "sts");
  CHECK(result.file == "x.tsv");
  CHECK(result.items == 3);
  CHECK(result.unit == "pairs");
  REQUIRE(result.metrics.size() == 2);
  CHECK(result.main().key == "pearson");
  CHECK(result.main().value == Approx(pearson({0.8, 0, 0.6}, {5, 0, 1})));
  CHECK(result.metrics[1].key == "spearman");
  CHECK(result.metrics[1].value == Approx(1));
  expect_error(Errc::usage, {"3 texts"}, [&] { evaluate_sts(data, {1, 2}, 2); });
  expect_error(Errc::malformed, {"text 1", "finite"}, [&] {
    evaluate_sts(data, {1, 2, 1, std::numeric_limits<float>::infinity(), 1, 1}, 2);
  });
}

TEST_CASE("fidelity is the cosine text by text", "[compress][evaluate]") {
  const FidelityResult same = fidelity({1, 2, 3, 4}, {2, 4, 6, 8}, 2);
  CHECK(same.texts == 2);
  CHECK(same.mean == Approx(1));
  CHECK(same.minimum == Approx(1));
  const FidelityResult mixed = fidelity({1, 0, 1, 0, 1, 0, 0, 0}, {1, 0, 0, 1, -1, 0, 0, 0}, 2);
  CHECK(mixed.mean == Approx(0.25));
  CHECK(mixed.minimum == Approx(-1));
  CHECK(fidelity({1, 1}, {0, 0}, 2).mean == 0);
  expect_error(Errc::usage, {"4", "2"}, [] { fidelity({1, 2, 3, 4}, {1, 2}, 2); });
  expect_error(Errc::malformed, {"text 1"}, [] { fidelity({1, 2}, {1, std::nanf("")}, 1); });
}

TEST_CASE("five percent of the texts are at or below p05", "[compress][evaluate]") {
  std::vector<float> original, compressed;
  for (int i = 0; i < 100; ++i) {  // cosines 0.00, 0.01 ... 0.99
    const auto cosine = static_cast<float>(i) / 100;
    original.insert(original.end(), {1, 0});
    compressed.insert(compressed.end(), {cosine, std::sqrt(1 - cosine * cosine)});
  }
  CHECK(fidelity(original, compressed, 2).p05 == Approx(0.04));
  CHECK(fidelity(original, compressed, 2).mean == Approx(0.495));
}

TEST_CASE("perplexity is a task of its own kind, for models that generate", "[compress][evaluate]") {
  const TaskSpec spec = parse_task_spec("lm:a:b.txt", "--eval");
  CHECK(spec.task == "lm");
  CHECK(spec.file == "a:b.txt");
  CHECK(spec.predicts());
  CHECK_FALSE(parse_task_spec("sts:x", "--eval").predicts());
  CHECK(task_spec_help().find("lm:FILE with text") != std::string::npos);
  Task generator, encoder;
  generator.kind = kGenerationTask;
  encoder.kind = kEmbeddingTask;
  CHECK_NOTHROW(check_task_fits(spec, generator, "m"));
  expect_error(Errc::usage, {"lm:a:b.txt", "m.lathe", "sentence-embedding"},
               [&] { check_task_fits(spec, encoder, "m.lathe"); });
  expect_error(Errc::usage, {"sts", "generation"}, [&] { read_task({"sts", "x"}, generator, "m"); });
}

TEST_CASE("a text is read as it stands but for its line ends", "[compress][evaluate]") {
  const test::TempDir dir;
  CHECK(read_text(dir.write("t",
                            "\xef\xbb\xbf"
                            "a\r\n\r\n\nb \tc")) == "a\n\n\nb \tc");
  CHECK(read_text(dir.write("t", "a\n")) == "a\n");
  expect_error(Errc::malformed, {"t", "no text"}, [&] { read_text(dir.write("t", "")); });
  expect_error(Errc::malformed, {"line 3"}, [&] { read_text(dir.write("t", "a\n\n\xff\n")); });
}

}  // namespace lathe
