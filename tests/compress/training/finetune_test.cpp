#include "compress/training/finetune.h"

#include <catch2/catch.hpp>
#include <sstream>

#include "runtime/text/embedder.h"
#include "tests/formats/expect_error.h"
#include "tests/support/tiny_classifier.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::expect_error;
using test::TempDir;
using test::tiny_classifier;
using test::TinyModel;

using Labels = std::vector<std::string>;

// Lines of text TAB label, where the labels take turns.
std::string labelled_lines(size_t lines, const Labels& labels) {
  std::istringstream texts(test::tiny_text(lines));
  std::string out;
  size_t number = 0;
  for (std::string line; std::getline(texts, line); ++number)
    out += line + "\t" + labels[number % labels.size()] + "\n";
  return out;
}

// Notes down what it is asked for and moves one weight, so that its effect can be told from the outside.
class FakeEngine : public TrainingEngine {
 public:
  std::string description() const override { return "fake"; }
  std::vector<std::vector<float>> forward(const Program&, const WeightLookup&, const TokenBatch&,
                                          const std::vector<uint32_t>&) override {
    return {};
  }
  std::vector<TrainingCurve> reconstruct_blocks(TrainingJob&, Progress&) override { return {}; }
  TrainingCurve distill(TrainingJob& job, Progress&) override {
    CHECK(job.teacher == nullptr);
    CHECK(job.task == OutputKind::classification);
    CHECK(job.target_sparsity.empty());
    REQUIRE(job.student != nullptr);
    CHECK(job.student->weights.size() == job.student->program.weights.size());
    for (const auto& [name, weight] : job.student->weights) CHECK(weight.encoding == Encoding{});
    recipe = job.recipe;
    labels = job.data->train_labels;
    fingerprint = job.fingerprint;
    threads = job.threads;
    const std::vector<float> bias = {4, -4};
    job.student->weights.at("classifier.bias") = f32_buffer({bias.size()}, bias);
    return {job.stage, "accuracy", {{0, 1, 1, 0.5}, {9, 0.5, 0.5, 0.75}}, 9, 100, 1, 9, "done"};
  }

  TrainingRecipe recipe;
  std::vector<int32_t> labels;
  std::string fingerprint;
  size_t threads = 0;
};

std::vector<float> logits(const SourceModel& model) {
  const Model runnable = Model::build(
      model.program, [&](const std::string& name) { return model.weight(name); }, model.name);
  return Embedder(runnable, model.tokenizer).embed({"the cat sat", "a bright moon", "rain over the river ."});
}

std::vector<float> weight_of(const SourceModel& model, const std::string& name) { return decode(model.weight(name)); }

TrainingRecipe recipe_for(const std::filesystem::path& data) {
  TrainingRecipe recipe;
  recipe.data_file = data.string();
  recipe.steps = 9;
  return recipe;
}

TrainingCurve train(SourceModel& model, const TrainingRecipe& recipe, TrainingEngine& engine, size_t threads) {
  SilentProgress silent;
  const TrainingTexts texts = read_training_texts(model, recipe, TextFile(recipe.data_file));
  CHECK_THAT(texts.data.description, Contains(texts.provenance.at("file").as_string()));
  return finetune(model, recipe, texts, engine, silent, threads);
}

std::string all_notes(const SourceModel& model) {
  std::string text;
  for (const std::string& note : model.notes) text += note + "\n";
  return text;
}

}  // namespace

TEST_CASE("an encoder becomes a classifier with the labels of the file", "[compress][finetune]") {
  const TempDir dir;
  const std::filesystem::path folder = TinyModel().write(dir);
  const std::filesystem::path data = dir.write("d.tsv", "the cat\tno\na dog\tyes\nthe sun\tmaybe\n");
  const SourceModel model = make_classifier(folder, TextFile(data), 1);
  CHECK(model.task.classifies());
  CHECK(model.task.labels == Labels{"maybe", "no", "yes"});
  CHECK(model.task.dimension == 3);
  CHECK_THAT(all_notes(model),
             Contains("pooler.dense.weight is new") && Contains("classifier.bias is new") && !Contains("modules.json"));
  const std::vector<float> first = logits(model);
  CHECK(first.size() == 9);
  CHECK(logits(make_classifier(folder, TextFile(data), 1)) == first);
  CHECK(logits(make_classifier(folder, TextFile(data), 2)) != first);
  const std::vector<float> head = weight_of(model, "classifier.weight");
  double squares = 0;
  for (const float value : head) squares += static_cast<double>(value) * value;
  CHECK(std::sqrt(squares / static_cast<double>(head.size())) == Approx(0.02).epsilon(0.25));
  CHECK(weight_of(model, "classifier.bias") == std::vector<float>(3, 0.0f));
}

TEST_CASE("a pooler that the checkpoint has is taken", "[compress][finetune]") {
  const TempDir dir;
  TinyModel tiny = tiny_classifier();
  tiny.config.erase("architectures");
  tiny.tensors.erase("classifier.weight");
  tiny.tensors.erase("classifier.bias");
  const std::filesystem::path data = dir.write("d.tsv", "the cat\tno\na dog\tyes\n");
  const SourceModel model = make_classifier(tiny.write(dir), TextFile(data), 0);
  CHECK(weight_of(model, "bert.pooler.dense.weight") == tiny.tensors.at("bert.pooler.dense.weight").values);
  CHECK(model.derived.size() == 2);
  CHECK_THAT(all_notes(model), !Contains("pooler"));

  tiny.tensors.at("bert.pooler.dense.bias").values.resize(31);
  tiny.tensors.at("bert.pooler.dense.bias").shape = {31};
  expect_error(Errc::malformed, {"bert.pooler.dense.bias", "[31]", "[32]"},
               [&] { make_classifier(tiny.write(dir, "short"), TextFile(data), 0); });
}

TEST_CASE("a classifier is trained on its own labels", "[compress][finetune]") {
  const TempDir dir;
  const std::filesystem::path folder = tiny_classifier({"yes", "no"}).write(dir);
  const std::filesystem::path data = dir.write("d.tsv", labelled_lines(100, {"no", "yes", "0"}));
  SourceModel model = make_classifier(folder, TextFile(data), 0);
  CHECK(model.task.labels == Labels{"yes", "no"});
  CHECK(model.derived.empty());
  CHECK(model.notes.empty());

  FakeEngine engine;
  CHECK(train(model, recipe_for(data), engine, 3).stage == "fine-tuning");
  CHECK(engine.recipe.steps == 9);
  CHECK(engine.recipe.learning_rate == kFinetuneRate);
  CHECK(engine.threads == 3);
  // Two of three lines say label 0, by its name or its index.
  const auto zeros = static_cast<double>(std::count(engine.labels.begin(), engine.labels.end(), 0));
  CHECK(zeros / static_cast<double>(engine.labels.size()) == Approx(2.0 / 3).margin(0.1));
  CHECK(weight_of(model, "classifier.bias") == std::vector<float>{4, -4});

  const std::string fingerprint = engine.fingerprint;
  TrainingRecipe other = recipe_for(data);
  other.seed = 5;
  train(model, other, engine, 3);
  CHECK(engine.fingerprint != fingerprint);

  const std::filesystem::path strange = dir.write("s.tsv", labelled_lines(100, {"no", "perhaps"}));
  expect_error(Errc::malformed, {"s.tsv", "line 2", "perhaps"}, [&] { train(model, recipe_for(strange), engine, 1); });
}

TEST_CASE("a trained classifier is written as a model folder and opened again the same", "[compress][finetune]") {
  const TempDir dir;
  TinyModel tiny;
  tiny.dtype = GENERATE("F32", "F16");
  tiny.config["torch_dtype"] = "\"float16\"";
  tiny.rename("embeddings.LayerNorm.weight", "embeddings.LayerNorm.gamma");
  tiny.rename("embeddings.LayerNorm.bias", "embeddings.LayerNorm.beta");
  const std::filesystem::path folder = tiny.write(dir);
  const std::filesystem::path data = dir.write("d.tsv", labelled_lines(80, {"no", "yes"}));
  SourceModel model = make_classifier(folder, TextFile(data), 0);
  FakeEngine engine;
  train(model, recipe_for(data), engine, 1);
  check_classifier_folder(model, dir / "out/new");
  write_classifier(model, dir / "out/new");

  const SourceModel again = open_source(dir / "out/new", false);
  CHECK(again.task.labels == Labels{"no", "yes"});
  CHECK(again.notes.empty());
  CHECK(logits(again) == logits(model));
  CHECK(again.checkpoint->has("bert.embeddings.LayerNorm.weight"));
  CHECK(again.checkpoint->tensor("classifier.weight").dtype == DType::f32);
  const Json config = read_json_file(dir / "out/new/config.json");
  CHECK(config.at("architectures").items().at(0).as_string() == "BertForSequenceClassification");
  CHECK(config.at("num_labels").as_u64() == 2);
  CHECK(config.at("id2label").at("1").as_string() == "yes");
  CHECK(config.at("label2id").at("yes").as_u64() == 1);
  CHECK(config.at("torch_dtype").as_string() == "float32");
  CHECK(config.at("hidden_size").as_u64() == TinyModel::kHidden);
  check_classifier_folder(model, dir / "out/new");  // may be replaced
}

TEST_CASE("a folder with other files is not written into", "[compress][finetune]") {
  const TempDir dir;
  const SourceModel model =
      make_classifier(TinyModel().write(dir), TextFile(dir.write("d.tsv", "the cat\tno\na dog\tyes\n")), 0);
  expect_error(Errc::usage, {"model", "another folder"}, [&] { check_classifier_folder(model, dir / "model"); });
  dir.write("full/modules.json", "[]");
  expect_error(Errc::usage, {"full", "modules.json"}, [&] { check_classifier_folder(model, dir / "full"); });
  dir.write("file", "");
  expect_error(Errc::cannot_create, {"file"}, [&] { check_classifier_folder(model, dir / "file/new"); });
}

}  // namespace lathe
