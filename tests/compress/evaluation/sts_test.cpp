#include "compress/evaluation/sts.h"

#include <catch2/catch.hpp>
#include <limits>

#include "tests/formats/expect_error.h"
#include "tests/support/temp_dir.h"

namespace lathe {

using test::expect_error;
using test::TempDir;

TEST_CASE("Pearson of known numbers", "[compress][sts]") {
  CHECK(pearson({1, 2, 3}, {10, 20, 30}) == Approx(1));
  CHECK(pearson({1, 2, 3}, {3, 2, 1}) == Approx(-1));
  // By hand: sums of squares 10 and 8.8, of products 7.
  CHECK(pearson({1, 2, 3, 4, 5}, {2, 1, 4, 3, 5}) == Approx(0.8));
  CHECK(pearson({43, 21, 25, 42, 57, 59}, {99, 65, 79, 75, 87, 81}) == Approx(0.5298).margin(5e-5));
  CHECK(pearson({1, 1, 1}, {1, 2, 3}) == 0);
  expect_error(Errc::usage, {"3", "2"}, [] { pearson({1, 2, 3}, {1, 2}); });
}

TEST_CASE("Spearman looks at ranks alone and shares the ranks of ties", "[compress][sts]") {
  CHECK(spearman({1, 10, 100, 1000}, {1, 2, 3, 4}) == Approx(1));
  CHECK(spearman({5, 6, 7, 8, 7}, {1, 2, 3, 4, 5}) == Approx(0.8207826817));
  CHECK(spearman({1, 2, 2, 3}, {1, 2, 2, 3}) == Approx(1));
  CHECK(spearman({1, 2, 3}, {9, 4, 1}) == Approx(-1));
}

TEST_CASE("pairs are read with each text once", "[compress][sts]") {
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

TEST_CASE("pairs that break the format are refused with file and line", "[compress][sts]") {
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

TEST_CASE("a task is scored by the cosine of its pairs", "[compress][sts]") {
  StsData data{"x.tsv", {"a", "b", "c"}, {{0, 1, 5}, {0, 2, 0}, {1, 2, 1}}};
  // Cosines: 0.8, 0, 0.6 (lengths do not count).
  const std::vector<float> embeddings = {2, 0, 0.8f, 0.6f, 0, 3};
  const EvalResult result = evaluate_sts(data, embeddings, 2);
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

}  // namespace lathe
