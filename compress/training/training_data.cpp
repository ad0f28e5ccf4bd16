#include "compress/training/training_data.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <span>

#include "compress/calibration/samples.h"
#include "compress/facts/number_text.h"
#include "compress/source/labelled_texts.h"
#include "compress/source/provenance.h"
#include "formats/text.h"
#include "runtime/text/tokenizer.h"

namespace lathe {
namespace {

constexpr size_t kSpecialTokens = 2;  // [CLS] and [SEP]
// Shorter lines of the running text that decoders learn from (headings, "Yes.") stand in many texts, and so do not tell
// which text they come from.
constexpr size_t kTellingLine = 40;  // bytes

struct Line {
  std::string text;
  int32_t label = -1;
};

struct Text {
  std::string text;
  std::vector<int32_t> ids;  // with [CLS] and [SEP]
  int32_t label = -1;
  size_t place = 0;  // its number in the file
};

struct Split {
  std::vector<Text> train;
  std::vector<Text> held_out;
  size_t duplicates = 0;
};

std::vector<Line> read_training_lines(const SourceModel& model, const TextFile& file) {
  std::vector<Line> lines;
  if (model.task.classifies()) {
    ClassificationData data = read_classification(file, model.task.labels);
    for (size_t i = 0; i < data.texts.size(); ++i) {
      lines.push_back({std::move(data.texts[i]), static_cast<int32_t>(data.truth[i])});
    }
  } else {
    for (std::string& text : read_lines(file)) lines.push_back({std::move(text)});
  }
  for (Line& line : lines) line.text = trimmed(line.text);
  return lines;
}

// Labels or scores would be learned as a part of the texts.
void check_has_no_columns(const SourceModel& model, const std::vector<Line>& lines, const TextFile& file) {
  if (model.task.classifies() || model.task.generates()) return;
  const auto tabbed = [](const Line& line) { return line.text.find('\t') != std::string::npos; };
  if (!std::all_of(lines.begin(), lines.end(), tabbed)) return;
  fail(Errc::malformed, message(file.path(), ": every line has a tab, as if with labels or scores: ", model.name,
                                " makes embeddings, which it learns from plain texts, one a line"));
}

size_t text_length(const SourceModel& model, const TrainingRecipe& recipe) {
  const size_t length = std::min<size_t>(recipe.length, model.tokenizer.max_length);
  if (length > kSpecialTokens) return length;
  fail(Errc::bad_recipe, message("train-length: sequences of ", length, " tokens leave no room for text"));
}

// Different texts whose tokens are the same are one text to the model, so they are compared by their tokens.
std::vector<Text> different_texts(const SourceModel& model, size_t length, std::vector<Line> lines,
                                  size_t& duplicates) {
  const Tokenizer tokenizer(model.tokenizer);
  std::set<std::vector<int32_t>> seen;
  std::vector<Text> texts;
  for (Line& line : lines) {
    std::vector<int32_t> ids = tokenizer.encode(line.text, length);
    if (ids.size() <= kSpecialTokens) continue;
    if (!seen.insert(ids).second) {
      ++duplicates;
      continue;
    }
    texts.push_back({std::move(line.text), std::move(ids), line.label, texts.size()});
  }
  return texts;
}

size_t held_out_count(size_t texts, double share) {
  const auto wanted = static_cast<size_t>(std::llround(share * static_cast<double>(texts)));
  const auto most = static_cast<size_t>(kMaxHeldOutShare * static_cast<double>(texts));
  return std::min(std::max<size_t>(wanted, kMinHeldOutTexts), most);
}

// Calibration with the same file and seed takes texts from the front of the same order, so the back is kept apart.
Split split_texts(const SourceModel& model, const TrainingRecipe& recipe, size_t length, std::vector<Line> lines,
                  const TextFile& file) {
  Split split;
  std::vector<Text> texts = different_texts(model, length, std::move(lines), split.duplicates);
  if (texts.size() < kMinTrainingTexts) {
    fail(Errc::malformed, message(file.path(), ": ", texts.size(), " different texts, training needs at least ",
                                  kMinTrainingTexts, ", one a line"));
  }
  Random random(recipe.seed);
  const std::vector<uint32_t> order = shuffled(texts.size(), random);
  const size_t trained = texts.size() - held_out_count(texts.size(), recipe.held_out);
  for (size_t i = 0; i < order.size(); ++i) {
    (i < trained ? split.train : split.held_out).push_back(std::move(texts[order[i]]));
  }
  return split;
}

void add_sequence(std::span<const int32_t> ids, TokenBatch& batch) {
  if (ids.size() > std::numeric_limits<uint32_t>::max() - batch.tokens()) {
    fail(Errc::limit, message("training text: more than ", std::numeric_limits<uint32_t>::max(), " tokens"));
  }
  batch.add(ids);
}

// Sequences of every length up to the most: neighbouring texts are joined until they reach a length that is drawn anew
// for each sequence, and what is longer goes on in the next. A third of the sequences are single texts. So the model is
// also trained on the lengths that a file of short lines lacks.
void add_joined(const std::vector<Text>& texts, size_t length, Random& random, TokenBatch& batch) {
  const size_t room = length - kSpecialTokens;
  std::vector<int32_t> words;
  std::vector<int32_t> sequence;
  const auto emit = [&](size_t count, const Text& text) {
    sequence.assign(1, text.ids.front());
    sequence.insert(sequence.end(), words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count));
    sequence.push_back(text.ids.back());
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count));
    add_sequence(sequence, batch);
  };
  const auto draw = [&] { return random.below(3) == 0 ? 1 : 1 + random.below(room); };
  size_t goal = draw();
  for (const Text& text : texts) {
    words.insert(words.end(), text.ids.begin() + 1, text.ids.end() - 1);
    while (words.size() > room) emit(room, text);
    if (words.size() < goal) continue;
    emit(words.size(), text);
    goal = draw();
  }
  if (!words.empty()) emit(words.size(), texts.back());
}

void add_texts(std::vector<Text> texts, bool labelled, size_t length, uint64_t seed, TokenBatch& batch,
               std::vector<int32_t>& labels) {
  if (!labelled) {
    std::sort(texts.begin(), texts.end(), [](const Text& a, const Text& b) { return a.place < b.place; });
    Random random(seed);
    add_joined(texts, length, random, batch);
    return;
  }
  for (const Text& text : texts) {
    add_sequence(text.ids, batch);
    labels.push_back(text.label);
  }
}

// Neighbours came one after the other: an order of their own keeps every stretch mixed.
TokenBatch mixed(const TokenBatch& batch, uint64_t seed) {
  Random random(seed);
  TokenBatch out;
  for (const uint32_t i : shuffled(batch.sequences(), random)) {
    out.add(std::span(batch.ids).subspan(batch.starts[i], batch.length(i)));
  }
  return out;
}

std::string describe(const TextFile& file, const Split& split, const TrainingData& data) {
  std::string text = message(count_text(split.train.size()), " texts of ", file.file_name(), " to train (",
                             count_text(data.train.sequences()), " sequences, ", count_text(data.train.tokens()),
                             " tokens), ", count_text(split.held_out.size()), " held out");
  if (split.duplicates > 0) text += message("; ", count_text(split.duplicates), " repeated texts left out");
  return text;
}

// The file is one text: windows of it, one after the other. What is left over at the end is not used.
TrainingData make_windows(const SourceModel& model, const TrainingRecipe& recipe, const TextFile& file) {
  const size_t length = text_length(model, recipe);
  const std::vector<int32_t> ids = Tokenizer(model.tokenizer).encode_special(read_text(file));
  const size_t windows = ids.size() / length;
  if (windows < kMinTrainingTexts) {
    fail(Errc::malformed, message(file.path(), ": ", ids.size(), " tokens, training needs at least ", kMinTrainingTexts,
                                  " windows of ", length));
  }
  Random random(recipe.seed);
  const size_t trained = windows - held_out_count(windows, recipe.held_out);
  TrainingData data;
  for (const uint32_t window : shuffled(windows, random)) {
    TokenBatch& batch = data.train.sequences() < trained ? data.train : data.held_out;
    add_sequence(std::span(ids).subspan(window * length, length), batch);
  }
  data.description =
      message(count_text(trained), " windows of ", length, " tokens of ", file.file_name(), " to train (",
              count_text(data.train.tokens()), " tokens), ", count_text(windows - trained), " held out");
  return data;
}

TrainingData make_sequences(const SourceModel& model, const TrainingRecipe& recipe, const Split& split,
                            const TextFile& file) {
  const bool labelled = model.task.classifies();
  const size_t length = text_length(model, recipe);
  TrainingData data;
  add_texts(split.train, labelled, length, recipe.seed, data.train, data.train_labels);
  add_texts(split.held_out, labelled, length, recipe.seed, data.held_out, data.held_out_labels);
  if (!labelled) {
    data.train = mixed(data.train, recipe.seed);
    data.held_out = mixed(data.held_out, recipe.seed);
  }
  data.description = describe(file, split, data);
  return data;
}

}  // namespace

TrainingTexts read_training_texts(const SourceModel& model, const TrainingRecipe& recipe, const TextFile& file) {
  std::vector<Line> lines = read_training_lines(model, file);
  check_has_no_columns(model, lines, file);
  TrainingTexts texts;
  texts.provenance = provenance_of_text(file);
  texts.trained.path = file.path();
  for (const Line& line : lines) {
    if (!model.task.generates() || line.text.size() >= kTellingLine) texts.trained.lines.insert(line.text);
  }
  if (model.task.generates()) {
    texts.data = make_windows(model, recipe, file);
    return texts;
  }
  texts.trained.length = model.task.classifies() ? text_length(model, recipe) : Tokenizer::kNoLimit;
  const Split split = split_texts(model, recipe, texts.trained.length, std::move(lines), file);
  texts.data = make_sequences(model, recipe, split, file);
  for (const Text& text : split.train) texts.trained.sequences.insert(text.ids);
  return texts;
}

}  // namespace lathe
