#include "compress/evaluation/eval_task.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/formats/expect_error.h"
#include "tests/support/temp_dir.h"

namespace lathe {

using test::expect_error;
using test::TempDir;

TEST_CASE("perplexity is a task of its own kind, for models that generate", "[compress][eval_task]") {
  const EvalSpec spec = parse_eval_spec("lm:a:b.txt", "--eval");
  CHECK(spec.task == "lm");
  CHECK(spec.file == "a:b.txt");
  CHECK(spec.predicts());
  CHECK_FALSE(parse_eval_spec("sts:x", "--eval").predicts());
  CHECK(eval_spec_help().find("lm:FILE with text") != std::string::npos);
  Task generator, encoder;
  generator.kind = kGenerationTask;
  encoder.kind = kEmbeddingTask;
  CHECK_NOTHROW(check_eval_fits(spec, generator, "m"));
  expect_error(Errc::usage, {"lm:a:b.txt", "m.lathe", "sentence-embedding"},
               [&] { check_eval_fits(spec, encoder, "m.lathe"); });
  expect_error(Errc::usage, {"sts", "generation"}, [&] { read_labelled_texts({"sts", "x"}, generator, "m"); });
}

TEST_CASE("a task fits the models that it judges and no others", "[compress][eval_task]") {
  const TempDir dir;
  const std::string sts = dir.write("s.tsv", "a\tb\t1\nb\tc\t2\n").string();
  const std::string cls = dir.write("c.tsv", "a\tbad\nb\tgood\n").string();
  const Task classifier{kClassificationTask, 2, Pooling::first, false, {"bad", "good"}};
  const Task encoder{kEmbeddingTask, 8, Pooling::mean, true};
  CHECK(read_labelled_texts({"cls", cls}, classifier, "m").texts == std::vector<std::string>{"a", "b"});
  CHECK(read_labelled_texts({"cls", cls}, classifier, "m").evaluate({1, 0, 0, 1}, 2).main().value == 1);
  CHECK(read_labelled_texts({"sts", sts}, encoder, "m").texts == std::vector<std::string>{"a", "b", "c"});
  expect_error(Errc::usage, {"sts", "model.lathe", "classification"}, [&] {
    read_labelled_texts({"sts", sts}, classifier, "model.lathe");
  });
  expect_error(Errc::usage, {"cls", "model.lathe", "sentence-embedding"}, [&] {
    read_labelled_texts({"cls", cls}, encoder, "model.lathe");
  });

  CHECK(parse_eval_spec("cls:a:b.tsv", "--eval").file == "a:b.tsv");
  for (const char* bad : {"cls", "cls:", "ner:x.tsv", ":x", ""}) {
    expect_error(Errc::usage, {"--eval", "sts:FILE", "cls:FILE"}, [&] { parse_eval_spec(bad, "--eval"); });
  }
}

}  // namespace lathe
