// Models that sort texts into classes, from the checkpoint to the report.

#include "compress/evaluation/classification.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "compress/evaluation/describe.h"
#include "compress/evaluation/eval_task.h"
#include "compress/evaluation/fidelity.h"
#include "compress/evaluation/verify.h"
#include "compress/report/report.h"
#include "runtime/text/embedder.h"
#include "tests/formats/expect_error.h"
#include "tests/support/compress_tiny.h"
#include "tests/support/paths.h"
#include "tests/support/reference_file.h"
#include "tests/support/tiny_classifier.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::expect_error;
using test::quick_recipe;
using test::TempDir;
using test::tiny_classifier;
using test::TinyModel;

using Labels = std::vector<std::string>;

Model build(const SourceModel& source) {
  return Model::build(
      source.program, [&](const std::string& name) { return source.weight(name); }, source.name);
}

SourceModel open(const TempDir& dir, const TinyModel& tiny) { return open_source(tiny.write(dir), false); }

const EvalMetric& metric(const EvalResult& result, const std::string& key) {
  for (const EvalMetric& each : result.metrics) {
    if (each.key == key) return each;
  }
  FAIL("no metric " << key);
  throw;
}

TEST_CASE("logits of a classifier equal PyTorch's for every length", "[compress][classification]") {
  const std::filesystem::path folder = test::data_path("bert_classifier");
  const SourceModel source = open_source(folder, false);
  CHECK(source.task.classifies());
  CHECK(source.task.dimension == 3);
  CHECK(source.task.labels == Labels{"bad", "so so", "good"});
  CHECK(source.notes.empty());
  const auto sequences = test::read_token_lines(folder / "inputs.txt");
  const auto expected = test::read_reference(folder / "expected.txt");
  REQUIRE(sequences.size() == expected.size());
  TokenBatch batch;
  for (const auto& ids : sequences) batch.add(ids);
  const Model model = build(source);
  const size_t threads = GENERATE(1, 3);
  const std::vector<float> logits = Session(model, threads).embed(batch);
  REQUIRE(logits.size() == 3 * sequences.size());
  for (size_t s = 0; s < sequences.size(); ++s) {
    CAPTURE(s, threads);
    const std::vector<float>& wanted = expected[s].numbers.at("logits");
    for (size_t i = 0; i < 3; ++i) CHECK(std::abs(logits[3 * s + i] - wanted.at(i)) < 5e-6);
  }
}

TEST_CASE("many short sequences give the same logits as each alone", "[compress][classification]") {
  // More sequences in one chunk than a block has rows.
  const SourceModel source = open_source(test::data_path("bert_classifier"), false);
  const Model model = build(source);
  const size_t threads = GENERATE(1, 2);
  Session session(model, threads);
  TokenBatch batch;
  std::vector<std::vector<int32_t>> sequences;
  for (int32_t i = 0; i < 300; ++i) sequences.push_back({i % 31, (i / 31) % 31});
  for (size_t i = 0; i < sequences.size(); i += 3) sequences[i].pop_back();
  for (const auto& ids : sequences) batch.add(ids);
  const std::vector<float> together = session.embed(batch);
  for (size_t i = 0; i < sequences.size(); ++i) {
    TokenBatch single;
    single.add(sequences[i]);
    REQUIRE(session.embed(single) == std::vector<float>(together.begin() + static_cast<std::ptrdiff_t>(3 * i),
                                                        together.begin() + static_cast<std::ptrdiff_t>(3 * i + 3)));
  }
}

TEST_CASE("without names the labels are numbered, two unless the config says how many", "[compress][classification]") {
  const TempDir dir;
  TinyModel tiny = tiny_classifier({"a", "b", "c"});
  tiny.config.erase("id2label");
  tiny.config["num_labels"] = "3";
  CHECK(open(dir, tiny).task.labels == Labels{"LABEL_0", "LABEL_1", "LABEL_2"});
  tiny = tiny_classifier();
  tiny.config.erase("id2label");
  CHECK(open(dir, tiny).task.labels == Labels{"LABEL_0", "LABEL_1"});
}

TEST_CASE("labels that contradict the weights or each other are refused", "[compress][classification]") {
  const TempDir dir;
  const auto refuse = [&](const std::string& field, const std::string& value, Errc code,
                          const std::vector<std::string>& parts) {
    TinyModel tiny = tiny_classifier();
    tiny.config[field] = value;
    expect_error(code, parts, [&] { open(dir, tiny); });
  };
  refuse("id2label", R"({"0":"a","1":"b","2":"c"})", Errc::malformed, {"classifier.weight", "[2, 32]", "[3, 32]"});
  refuse("id2label", R"({"0":"a","2":"b"})", Errc::malformed, {"config.json", "id2label", "1"});
  refuse("id2label", R"({"0":"a","1":7})", Errc::malformed, {"id2label: 1", "7"});
  refuse("id2label", R"({"0":"a","1":"a"})", Errc::malformed, {"label \"a\"", "twice"});
  refuse("id2label", R"({"0":"a","1":"b\nc"})", Errc::malformed, {"control characters"});
  refuse("id2label", R"({"0":"a","1":""})", Errc::malformed, {"empty"});
  refuse("id2label", "{}", Errc::malformed, {"id2label", "0 labels"});
  refuse("id2label", R"(["a","b"])", Errc::malformed, {"id2label", "an array"});
  refuse("num_labels", "3", Errc::malformed, {"num_labels", "3", "2 labels"});
  refuse("problem_type", R"("multi_label_classification")", Errc::unsupported, {"problem_type", "multi_label"});
  refuse("problem_type", R"("regression")", Errc::unsupported, {"problem_type", "regression"});
  TinyModel regression = tiny_classifier({"score"});
  expect_error(Errc::unsupported, {"one label", "regression"}, [&] { open(dir, regression); });
}

TEST_CASE("a classifier uses its pooler and has nothing left over", "[compress][classification]") {
  const TempDir dir;
  TinyModel tiny = tiny_classifier();
  tiny.tensors.erase("bert.pooler.dense.bias");
  expect_error(Errc::malformed, {"bert.pooler.dense.bias"}, [&] { open(dir, tiny); });
  tiny = tiny_classifier();
  tiny.tensors.erase("classifier.weight");
  expect_error(Errc::malformed, {"classifier.weight"}, [&] { open(dir, tiny); });
  tiny = tiny_classifier();
  tiny.add_random("bert.pooler.extra.weight", {2, 2}, 1);
  expect_error(Errc::malformed, {"bert.pooler.extra.weight", "[2, 2]"}, [&] { open(dir, tiny); });
  tiny = tiny_classifier();
  tiny.add_random("cls.seq_relationship.bias", {2}, 1);
  const SourceModel source = open(dir, tiny);
  REQUIRE(source.notes.size() == 1);
  CHECK_THAT(source.notes[0], Contains("logits") && Contains("cls.seq_relationship.bias"));
  // Without the head's architecture the same weights are an encoder with one tensor too many.
  tiny = tiny_classifier();
  tiny.config.erase("architectures");
  expect_error(Errc::malformed, {"classifier.", "not part of"}, [&] { open(dir, tiny); });
}

TEST_CASE("the artifact of a classifier keeps its labels and predictions", "[compress][classification]") {
  const TempDir dir;
  const SourceModel source = open(dir, tiny_classifier({"bad", "so so", "good=fine"}));
  Recipe recipe = quick_recipe(GENERATE("f32", "int8", "int4"), GENERATE(0.0, 0.5));
  CAPTURE(recipe.quant, recipe.prune);
  test::compress_to(source, recipe, dir / "c.lathe");
  const Model artifact = Model::open(dir / "c.lathe");
  const Task task = stored_task(*artifact.artifact());
  CHECK(task.classifies());
  CHECK(task.labels == source.task.labels);
  CHECK(task.dimension == 3);
  CHECK(task.pooling == Pooling::first);
  const std::vector<std::string> texts = {"the cat sat", "a bright moon over the river", "is the old house small ?"};
  const Model original = build(source);
  const FidelityResult close =
      fidelity(Embedder(original, source.tokenizer).embed(texts), Embedder(artifact).embed(texts), 3, true);
  CHECK(close.mean > (recipe.prune > 0 || recipe.quant == "int4" ? 0.5 : 0.99));
  if (recipe.quant == "f32" && recipe.prune == 0) CHECK(close.agreement == 1.0);
}

TEST_CASE("a task section that breaks its format is an error", "[compress][classification]") {
  const TempDir dir;
  const SourceModel source = open(dir, tiny_classifier());
  const auto refuse = [&](const std::string& task, const std::vector<std::string>& parts) {
    ArtifactWriter writer(dir / "t.lathe");
    for (const std::string& name : source.program.weights) writer.add_tensor(name, source.weight(name));
    writer.set_section(layout::Section::task, task);
    writer.finish(source.program);
    expect_error(Errc::malformed, parts, [&] { stored_task(Artifact::open(dir / "t.lathe")); });
  };
  refuse("kind=classification\nlabel.0=a\n", {"t.lathe", "1 labels", "2 numbers"});
  refuse("kind=classification\nlabel.1=a\nlabel.0=b\n", {"1 labels", "2 numbers"});
  refuse("kind=classification\nlabel.0=a\nlabel.1=a\n", {"label \"a\"", "twice"});
  refuse("kind=classification\npooling=median\n", {"pooling", "median"});
}

TEST_CASE("an artifact without a task section is for sentence embeddings", "[compress][classification]") {
  const TempDir dir;
  const SourceModel source = open(dir, TinyModel());
  ArtifactWriter writer(dir / "t.lathe");
  for (const std::string& name : source.program.weights) writer.add_tensor(name, source.weight(name));
  writer.finish(source.program);
  const Task task = stored_task(Artifact::open(dir / "t.lathe"));
  CHECK(task.kind == kEmbeddingTask);
  CHECK(task.dimension == TinyModel::kHidden);
}

TEST_CASE("labels of a file are names of the model's, or indices", "[compress][classification]") {
  const TempDir dir;
  const Labels labels = {"bad", "1", "good"};
  const ClassificationData data =
      read_classification(dir.write("c.tsv", "one\tgood\r\n\ntwo\twords\tbad\nthree\t1\nfour\t2\n"), labels);
  CHECK(data.texts == Labels{"one", "two\twords", "three", "four"});
  CHECK(data.truth == std::vector<uint32_t>{2, 0, 1, 2});  // a name goes before an index
  CHECK(read_label_names(TextFile(dir.write("n.tsv", "a\tno\nb\tyes\nc\tno\nd\t10\n"))) == Labels{"10", "no", "yes"});

  const auto refuse = [&](const std::string& text, const std::vector<std::string>& parts) {
    const std::filesystem::path path = dir.write("bad.tsv", text);
    expect_error(Errc::malformed, parts, [&] { read_classification(path, labels); });
  };
  refuse("a\tbad\nb\tfine\n", {"bad.tsv", "line 2", "fine", "bad, 1, good", "[0, 2]"});
  refuse("a\t3\n", {"line 1", "3"});
  refuse("a\t-1\n", {"line 1", "-1"});
  refuse("a bad\n", {"line 1", "no tab"});
  refuse("a\t\n", {"line 1", "label", "empty"});
  refuse("\tbad\n", {"line 1", "text", "empty"});
  refuse("a\tbad\n\xff\tbad\n", {"line 2", "UTF-8"});
  refuse("\n", {"bad.tsv", "no text"});
  expect_error(Errc::malformed, {"1 different labels"},
               [&] { read_label_names(TextFile(dir.write("o.tsv", "a\tx\nb\tx\n"))); });
  expect_error(Errc::no_input, {"absent.tsv"}, [&] { read_classification(dir / "absent.tsv", labels); });
}

TEST_CASE("accuracy and F1 are those of the definition", "[compress][classification]") {
  // Truth 0 0 0 1 1, predicted 0 0 1 1 0: label 0 has precision 2/3 and recall 2/3, label 1 has 1/2 and 1/2.
  const ClassificationData two{"dir/x.tsv", {"a", "b", "c", "d", "e"}, {0, 0, 0, 1, 1}, {"bad", "good"}};
  const std::vector<float> logits = {1, 0, 5, -5, 0, 1, -2, -1, 3, 2};
  const EvalResult result = evaluate_classification(two, logits, 2);
  CHECK(result.task == "cls");
  CHECK(result.file == "x.tsv");
  CHECK(result.items == 5);
  CHECK(result.unit == "texts");
  CHECK(result.main().key == "accuracy");
  CHECK(result.main().value == Approx(3.0 / 5));
  CHECK(metric(result, "f1").value == Approx(0.5));
  CHECK(metric(result, "f1").name == "F1 of good");
  CHECK(metric(result, "macro_f1").value == Approx((2.0 / 3 + 0.5) / 2));

  // A label that neither occurs nor is predicted does not count; one that is only predicted counts as 0. Of equal
  // logits the first one wins.
  const ClassificationData four{"y.tsv", {"a", "b", "c"}, {0, 0, 1}, {"p", "q", "r", "s"}};
  const EvalResult many = evaluate_classification(four, {1, 1, 1, 1, 0, 0, 9, 0, 0, 4, 0, 4}, 4);
  CHECK(many.main().value == Approx(2.0 / 3));
  CHECK(many.metrics.size() == 2);
  CHECK(metric(many, "macro_f1").value == Approx((2.0 / 3 + 1 + 0) / 3));

  expect_error(Errc::usage, {"4 numbers", "5 texts", "2 labels"}, [&] {
    evaluate_classification(two, {1, 2, 3, 4}, 2);
  });
  std::vector<float> broken = logits;
  broken[3] = std::nanf("");
  expect_error(Errc::malformed, {"text 1", "finite"}, [&] { evaluate_classification(two, broken, 2); });
}

TEST_CASE("agreement of classifiers is the share of texts with the same label", "[compress][classification]") {
  const std::vector<float> before = {1, 0, 0, 1, 2, 1, 3, 4};
  const std::vector<float> after = {2, 1, 1, 0, 5, 0, 0, 1};
  CHECK(fidelity(before, after, 2, true).agreement == Approx(0.75));
  CHECK(!fidelity(before, after, 2).agreement.has_value());
}

TEST_CASE("the report of a classifier has accuracy, its difference and agreement", "[compress][classification]") {
  const TempDir dir;
  const SourceModel source = open(dir, tiny_classifier());
  const Recipe recipe = quick_recipe("int8");
  const CompressedModel compressed = test::compress_to(source, recipe, dir / "c.lathe");
  ProofRequest request;
  request.task = {"cls", dir.write("c.tsv", "the cat sat\tgood\na dog ran\tbad\nthe moon\t1\n").string()};
  SilentProgress silent;
  TextFiles files;
  const Proof proof = make_proof(source, request, {}, made_up_proof(recipe), files);
  Report report = verify(source, compressed, dir / "c.lathe", proof, {false, 1}, silent);
  REQUIRE(report.models[1].task.has_value());
  REQUIRE(report.models[1].fidelity.has_value());
  CHECK(report.models[1].fidelity->agreement.has_value());
  apply_gates({-1.5, {}, {}}, report);
  CHECK(report.gates[0].unit == "Accuracy");
  CHECK(report.gates[0].actual == report.models[0].task->main().value - report.models[1].task->main().value);
  const Json json = parse_json(report_json(report), "report");
  const Json& task = json.at("models").items().at(1).at("task");
  CHECK(task.at("texts").as_u64() == 3);
  CHECK(task.at("accuracy").as_f64() == report.models[1].task->main().value);
  CHECK(task.at("accuracy_difference").is_number());
  CHECK(task.at("f1").is_number());
  CHECK(json.at("models").items().at(1).at("fidelity").at("agreement").as_f64() <= 1);
  for (const std::string& text : {report_text(report), report_markdown(report), report_html(report)}) {
    CHECK_THAT(text, Contains("Accuracy") && Contains("Same label"));
    CHECK_THAT(text, !Contains("Pearson"));
  }
}

}  // namespace
}  // namespace lathe
