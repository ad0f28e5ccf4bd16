#include "compress/training/training_data.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "compress/calibration/samples.h"
#include "runtime/text/tokenizer.h"
#include "tests/formats/expect_error.h"
#include "tests/support/compress_tiny.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::expect_error;
using test::TempDir;
using test::TinyModel;

using Sequence = std::vector<int32_t>;

std::vector<Sequence> sequences(const TokenBatch& batch) {
  std::vector<Sequence> out;
  for (size_t i = 0; i < batch.sequences(); ++i) {
    out.emplace_back(batch.ids.begin() + batch.starts[i], batch.ids.begin() + batch.starts[i + 1]);
  }
  return out;
}

// The texts of text_of() in a batch: sequences join them, each is four words, and the fixture's length cuts none.
std::vector<Sequence> texts_in(const TokenBatch& batch) {
  std::vector<Sequence> out;
  for (const Sequence& one : sequences(batch)) {
    REQUIRE(one.size() % 4 == 2);
    for (size_t at = 1; at + 4 < one.size(); at += 4) {
      out.push_back({one.front(), one[at], one[at + 1], one[at + 2], one[at + 3], one.back()});
    }
  }
  return out;
}

// Different for each number below 4096.
std::string text_of(size_t number) {
  const char* words[] = {"cat",   "dog",  "sun",  "moon",   "sat",  "ran", "mat",   "bright",
                         "house", "walk", "bird", "window", "rain", "old", "river", "green"};
  return std::string("the ") + words[number % 16] + " " + words[number / 16 % 16] + " " + words[number / 256 % 16];
}

std::string texts_of(size_t count, const std::string& ending = "") {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text_of(i) + ending + "\n";
  return out;
}

TrainingTexts training_texts(const SourceModel& model, const TrainingRecipe& recipe) {
  return read_training_texts(model, recipe, TextFile(recipe.data_file));
}

TrainingData training_data(const SourceModel& model, const TrainingRecipe& recipe) {
  return training_texts(model, recipe).data;
}

struct Fixture {
  TempDir dir;
  SourceModel source = open_source(TinyModel().write(dir), false);
  Tokenizer tokenizer{source.tokenizer};

  TrainingRecipe with_text(const std::string& text) const {
    TrainingRecipe recipe;
    recipe.data_file = dir.write("train.txt", text).string();
    recipe.length = 30;  // with the special tokens, so seven texts
    return recipe;
  }

  SourceModel classifier() const {
    SourceModel model = source;
    model.task.kind = kClassificationTask;
    model.task.labels = {"bad", "good", "7"};
    return model;
  }
};

}  // namespace

TEST_CASE("every text is on one side of the split, as the tokenizer reads it", "[compress][training_data]") {
  const Fixture f;
  const TrainingData data = training_data(f.source, f.with_text(texts_of(400)));
  CHECK(texts_in(data.held_out).size() == 20);
  CHECK(texts_in(data.train).size() == 380);
  CHECK(data.train_labels.empty());
  CHECK(data.held_out_labels.empty());
  std::set<Sequence> all;
  for (const auto* batch : {&data.train, &data.held_out}) {
    for (const Sequence& one : texts_in(*batch)) CHECK(all.insert(one).second);
  }
  for (size_t i = 0; i < 400; ++i) CHECK(all.contains(f.tokenizer.encode(text_of(i))));
  CHECK_THAT(data.description, Contains("380 texts of train.txt to train"));
  CHECK_THAT(data.description, Contains(std::to_string(data.train.sequences()) + " sequences"));
  CHECK_THAT(data.description, Contains("20 held out"));
  CHECK_THAT(data.description, !Contains("repeated"));
}

TEST_CASE("the part held out has at least 16 texts and at most a quarter of them", "[compress][training_data]") {
  const Fixture f;
  const std::vector<std::tuple<size_t, double, size_t>> cases = {{64, 0.0, 16},   {64, 0.25, 16},   {100, 0.05, 16},
                                                                 {400, 0.05, 20}, {400, 0.25, 100}, {401, 0.25, 100}};
  for (const auto& [texts, share, expected] : cases) {
    CAPTURE(texts, share);
    TrainingRecipe recipe = f.with_text(texts_of(texts));
    recipe.held_out = share;
    const TrainingData data = training_data(f.source, recipe);
    CHECK(texts_in(data.held_out).size() == expected);
    CHECK(texts_in(data.train).size() == texts - expected);
  }
}

TEST_CASE("a text that is there again, if only to the tokenizer, counts once", "[compress][training_data]") {
  const Fixture f;
  std::string text = texts_of(80);
  for (size_t i = 0; i < 80; ++i) {
    text += text_of(i) + "\n";
    text += "  THE" + text_of(i).substr(3) + " \r\n";
  }
  const TrainingData data = training_data(f.source, f.with_text(text));
  CHECK(texts_in(data.train).size() + texts_in(data.held_out).size() == 80);
  CHECK_THAT(data.description, Contains("160 repeated texts left out"));
}

TEST_CASE("the seed decides the order and the split", "[compress][training_data]") {
  const Fixture f;
  TrainingRecipe recipe = f.with_text(texts_of(200));
  const TrainingData first = training_data(f.source, recipe);
  const TrainingData again = training_data(f.source, recipe);
  CHECK(again.train.ids == first.train.ids);
  CHECK(again.held_out.ids == first.held_out.ids);
  recipe.seed = 1;
  const TrainingData other = training_data(f.source, recipe);
  CHECK(other.train.ids != first.train.ids);
  CHECK(other.held_out.ids != first.held_out.ids);
}

TEST_CASE("texts without labels become sequences of many lengths, and no word is lost", "[compress][training_data]") {
  const Fixture f;
  std::string longest = text_of(0);
  for (size_t i = 1; i < 10; ++i) longest += " " + text_of(i);  // 40 words
  TrainingRecipe recipe = f.with_text(texts_of(100) + longest + "\n");
  recipe.length = 16;
  const TrainingData data = training_data(f.source, recipe);
  size_t words = 0;
  std::map<size_t, size_t> lengths;
  for (const auto* batch : {&data.train, &data.held_out}) {
    for (const Sequence& one : sequences(*batch)) {
      CHECK(one.front() == 2);
      CHECK(one.back() == 3);
      words += one.size() - 2;
      ++lengths[one.size()];
    }
  }
  CHECK(words == 440);
  CHECK(lengths.rbegin()->first == 16);
  CHECK(lengths[6] > 5);  // single texts
  CHECK(lengths.size() > 3);
}

TEST_CASE("sequences are never longer than the model takes", "[compress][training_data]") {
  const Fixture f;
  std::string longest;
  for (size_t i = 0; i < 30; ++i) longest += " " + text_of(i);
  TrainingRecipe recipe = f.with_text(texts_of(100) + longest + "\n");
  recipe.length = 1000;
  const TrainingData data = training_data(f.source, recipe);
  size_t most = 0;
  for (const auto* batch : {&data.train, &data.held_out}) {
    for (size_t i = 0; i < batch->sequences(); ++i) most = std::max(most, batch->length(i));
  }
  CHECK(most == TinyModel::kPositions);
}

TEST_CASE("labels are names or indices and stay with their texts", "[compress][training_data]") {
  const Fixture f;
  std::string text;
  std::map<Sequence, int32_t> expected;
  const std::vector<std::pair<std::string, int32_t>> labels = {{"bad", 0}, {"good", 1}, {"7", 2}, {"1", 1}, {"2\r", 2}};
  for (size_t i = 0; i < 100; ++i) {
    const auto& [label, index] = labels[i % labels.size()];
    text += text_of(i) + "\t" + label + "\n";
    expected[f.tokenizer.encode(text_of(i))] = index;
  }
  const TrainingData data = training_data(f.classifier(), f.with_text(text));
  REQUIRE(data.train_labels.size() == data.train.sequences());
  REQUIRE(data.held_out_labels.size() == data.held_out.sequences());
  CHECK(data.train.sequences() == 84);
  const auto check = [&](const TokenBatch& batch, const std::vector<int32_t>& given) {
    const std::vector<Sequence> all = sequences(batch);
    for (size_t i = 0; i < all.size(); ++i) CHECK(expected.at(all[i]) == given[i]);
  };
  check(data.train, data.train_labels);
  check(data.held_out, data.held_out_labels);
}

TEST_CASE("a text with a label is cut, not split, and keeps its end", "[compress][training_data]") {
  const Fixture f;
  TrainingRecipe recipe = f.with_text(texts_of(100, "\tgood"));
  recipe.length = 5;
  const TrainingData data = training_data(f.classifier(), recipe);
  for (const Sequence& one : sequences(data.train)) {
    CHECK(one.size() == 5);
    CHECK(one.back() == 3);
  }
}

TEST_CASE("a label that is not the model's is an error with file, line, label and those it has",
          "[compress][training_data]") {
  const Fixture f;
  for (const char* label : {"worse", "3", "-1", "Good", " ", "1.0"}) {
    INFO(label);
    const TrainingRecipe recipe = f.with_text(texts_of(70, "\tgood") + "the cat\t" + label + "\n");
    expect_error(Errc::malformed,
                 {"train.txt", "line 71", message("\"", label, "\""), "bad, good, 7", "index in [0, 2]"},
                 [&] { training_data(f.classifier(), recipe); });
  }
}

TEST_CASE("texts and labels go with the kind of the model", "[compress][training_data]") {
  const Fixture f;
  expect_error(Errc::malformed, {"train.txt", "line 71", "no tab", "text TAB label"},
               [&] { training_data(f.classifier(), f.with_text(texts_of(70, "\tgood") + "the cat\n")); });
  expect_error(Errc::malformed, {"train.txt", "line 71", "text before the label is empty"},
               [&] { training_data(f.classifier(), f.with_text(texts_of(70, "\tgood") + "\tgood\n")); });
  expect_error(Errc::malformed, {"train.txt", "every line has a tab", "embeddings"},
               [&] { training_data(f.source, f.with_text(texts_of(70, "\tgood"))); });
  CHECK_NOTHROW(training_data(f.source, f.with_text(texts_of(70, "\tgood") + "no tab here\n")));
}

TEST_CASE("a bad file of texts is an error that says where and what is missing", "[compress][training_data]") {
  const Fixture f;
  expect_error(Errc::malformed, {"train.txt", "63 different texts", "at least 64"},
               [&] { training_data(f.source, f.with_text(texts_of(63) + texts_of(63) + "\n \n")); });
  expect_error(Errc::malformed, {"train.txt", "no text"}, [&] { training_data(f.source, f.with_text("")); });
  expect_error(Errc::malformed, {"train.txt", "line 51", "UTF-8"},
               [&] { training_data(f.source, f.with_text(texts_of(50) + "caf\xe9\n" + texts_of(90))); });
  TrainingRecipe absent;
  absent.data_file = (f.dir / "absent.txt").string();
  expect_error(Errc::no_input, {"absent.txt"}, [&] { training_data(f.source, absent); });
  CHECK_NOTHROW(training_data(f.source, f.with_text("\xef\xbb\xbf" + texts_of(64))));
}

TEST_CASE("proof with a text that is trained on is refused with an example", "[compress][training_data]") {
  const Fixture f;
  const TrainedTexts trained = training_texts(f.source, f.with_text(texts_of(100))).trained;
  expect_error(Errc::usage, {"proof.txt", "2 of 3 texts", "train.txt", text_of(7)}, [&] {
    check_proof_is_unseen(trained, "proof.txt", {text_of(200), " " + text_of(7) + " ", text_of(8)});
  });
  CHECK_NOTHROW(check_proof_is_unseen(trained, "proof.txt", {text_of(200), text_of(201)}));
  const TrainedTexts labelled = training_texts(f.classifier(), f.with_text(texts_of(100, "\tgood"))).trained;
  expect_error(Errc::usage, {"1 of 1 texts"}, [&] { check_proof_is_unseen(labelled, "proof.txt", {text_of(7)}); });
}

TEST_CASE("of texts that are trained on only those held out are left", "[compress][training_data]") {
  const Fixture f;
  const TrainingTexts training = training_texts(f.source, f.with_text(texts_of(100)));
  std::vector<std::string> texts;
  for (size_t i = 0; i < 110; ++i) texts.push_back(text_of(i));
  const std::vector<std::string> left = without_trained(f.source, training.trained, texts);
  CHECK(left.size() == 16 + 10);
  CHECK(std::is_sorted(left.begin(), left.end(), [&](const std::string& a, const std::string& b) {
    return std::find(texts.begin(), texts.end(), a) < std::find(texts.begin(), texts.end(), b);
  }));
  const std::vector<Sequence> held_out = texts_in(training.data.held_out);
  for (size_t i = 0; i < 16; ++i) {
    CHECK(std::count(held_out.begin(), held_out.end(), f.tokenizer.encode(left[i])) == 1);
  }
}

TEST_CASE("with the same file, calibration and the part held out take different texts", "[compress][training_data]") {
  const Fixture f;
  const TrainingRecipe recipe = f.with_text(texts_of(400));
  const TrainedTexts trained = training_texts(f.source, recipe).trained;
  const Samples samples = make_samples(f.source, {TextFile(recipe.data_file), 1200});
  CHECK(samples.text.unused_lines.size() == 200);
  CHECK(without_trained(f.source, trained, samples.text.unused_lines).size() == 20);
}

}  // namespace lathe
