// Classifiers as the users of the command meet them.

#include <catch2/catch.hpp>

#include "formats/json.h"
#include "tests/cli/checks.h"
#include "tests/support/tiny_artifact.h"
#include "tests/support/tiny_classifier.h"
#include "tests/support/tiny_texts.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::CommandResult;
using test::expect_failure;
using test::json_of;
using test::quoted;
using test::run_compress;
using test::TempDir;

struct Fixture {
  TempDir dir;
  const std::string folder = test::tiny_classifier({"so so", "good"}).write(dir).string();
  const std::string file = (dir / "c.lathe").string();
  const std::string cls = dir.write("c.tsv", "the cat sat\tgood\na dog ran\tso so\nthe moon\t1\n").string();
  const std::string sts = dir.write("s.tsv", "the cat\ta cat\t4\nthe sun\tthe river\t1\n").string();

  Fixture() { REQUIRE(run_compress(quoted(folder) + " -q --no-bench -o " + quoted(file)).code == 0); }
};

}  // namespace

TEST_CASE("run of a classifier gives a label and its probability for each line", "[cli][classification]") {
  const Fixture f;
  const std::string texts = " -t 'the cat sat' -t 'a bright moon over the river'";
  const Json json = json_of(run_compress("run --json " + quoted(f.file) + texts));
  CHECK(json.at("texts").as_u64() == 2);
  CHECK(json.at("labels").items().at(0).as_string() == "so so");
  REQUIRE(json.at("predictions").items().size() == 2);
  std::string lines;
  for (const Json& prediction : json.at("predictions").items()) {
    const double bad = prediction.at("probabilities").items().at(0).as_f64();
    const double good = prediction.at("probabilities").items().at(1).as_f64();
    CHECK(bad + good == Approx(1));
    CHECK(prediction.at("probability").as_f64() == std::max(bad, good));
    CHECK(prediction.at("label").as_string() == (good > bad ? "good" : "so so"));
    lines += prediction.at("label").as_string() + "\t";
    const std::string probability = to_text(prediction.at("probability"));
    lines += probability + "\n";
  }
  CHECK(run_compress("run " + quoted(f.file) + texts).out == lines);
  CHECK(run_compress("run -f f32 " + quoted(f.file) + texts).out.size() == 4 * sizeof(float));
}

TEST_CASE("eval and compare judge classifiers by their labels", "[cli][classification]") {
  const Fixture f;
  const std::string small = (f.dir / "small.lathe").string();
  const Json report = json_of(run_compress(quoted(f.folder) +
                                           " --json --no-bench --quant int8 --max-drop 1 --eval cls:" + quoted(f.cls) +
                                           " -o " + quoted(small)));
  CHECK(report.at("gates").items().at(0).at("unit").as_string() == "Accuracy");
  CHECK(report.at("models").items().at(1).at("task").at("accuracy").is_number());

  const Json eval = json_of(
      run_compress("eval --json " + quoted(small) + " --eval cls:" + quoted(f.cls) + " --against " + quoted(f.file)));
  CHECK(eval.at("task").at("task").as_string() == "cls");
  CHECK(eval.at("task").at("texts").as_u64() == 3);
  CHECK(eval.at("task").at("accuracy").as_f64() ==
        report.at("models").items().at(1).at("task").at("accuracy").as_f64());
  CHECK(eval.at("fidelity").at("agreement").as_f64() <= 1);
  const CommandResult text =
      run_compress("eval " + quoted(f.file) + " -e cls:" + quoted(f.cls) + " --against " + quoted(f.file));
  CHECK_THAT(text.out, Contains("Accuracy") && Contains("F1 of good") && Contains("same label  1.00000"));
  const Json compared = json_of(run_compress("compare --no-speed --json --eval cls:" + quoted(f.cls) + " " +
                                             quoted(f.file) + " " + quoted(small)));
  CHECK(compared.at("models").items().at(1).at("task").at("accuracy_difference").is_number());
}

TEST_CASE("a task that does not fit the model is refused before any work", "[cli][classification]") {
  const Fixture f;
  const std::string encoder = test::write_tiny(f.dir / "encoder.lathe").string();
  const std::string out = (f.dir / "new.lathe").string();
  expect_failure("eval " + quoted(f.file) + " -e sts:" + quoted(f.sts), 64, {"sts", "c.lathe", "classification"});
  expect_failure("eval " + quoted(encoder) + " -e cls:" + quoted(f.cls), 64, {"cls", "encoder.lathe"});
  expect_failure(quoted(f.folder) + " --eval sts:" + quoted(f.sts) + " -o " + quoted(out), 64, {"classification"});
  CHECK(!std::filesystem::exists(out));
  expect_failure("compare --no-speed -e cls:" + quoted(f.cls) + " " + quoted(f.file) + " " + quoted(encoder), 64,
                 {"encoder.lathe", "sentence-embedding"});
  expect_failure("eval " + quoted(f.file) + " -e ner:x.tsv", 64, {"sts:FILE", "cls:FILE"});
  const std::string strange = f.dir.write("strange.tsv", "the cat\tgood\na dog\tfine\n").string();
  expect_failure("eval " + quoted(f.file) + " -e cls:" + quoted(strange), 65, {"strange.tsv", "line 2", "fine"});

  const std::string other = test::tiny_classifier({"yes", "no"}).write(f.dir, "other").string();
  REQUIRE(run_compress(quoted(other) + " -q --no-bench -o " + quoted(out)).code == 0);
  expect_failure("eval " + quoted(f.file) + " -e cls:" + quoted(f.cls) + " --against " + quoted(out), 64,
                 {"new.lathe", "other labels"});
  expect_failure("compare --no-speed -e cls:" + quoted(f.cls) + " " + quoted(f.file) + " " + quoted(out), 64,
                 {"new.lathe", "other labels"});
}

TEST_CASE("train says what it needs", "[cli][classification]") {
  const Fixture f;
  const std::string data = " --data cls:" + quoted(f.cls);
  const std::string out = " -o " + quoted(f.dir / "out");
  expect_failure("train " + quoted(f.folder) + out, 64, {"--data"});
  expect_failure("train " + quoted(f.folder) + data, 64, {"-o FOLDER"});
  expect_failure("train " + quoted(f.folder) + " --data sts:" + quoted(f.sts) + out, 64, {"--data", "cls:FILE"});
  expect_failure("train " + quoted(f.folder) + data + out + " --steps 3 --minutes 1", 64, {"--steps", "--minutes"});
  expect_failure("train " + quoted(f.dir / "absent") + data + out, 66, {"absent"});
  expect_failure("train " + quoted(f.folder) + data + " -o " + quoted(f.folder), 64, {"another folder"});
  const std::string trained = f.dir.write("trained.tsv", test::tiny_texts("\tgood")).string();
  expect_failure(
      "train " + quoted(f.folder) + " --data cls:" + quoted(trained) + out + " --eval cls:" + quoted(trained), 64,
      {"trained.tsv", "trained"});
  CHECK_THAT(run_compress("train --help").out, Contains("Usage: compress train MODEL"));
}

}  // namespace lathe
