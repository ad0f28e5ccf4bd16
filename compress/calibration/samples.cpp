#include "compress/calibration/samples.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <span>

#include "compress/evaluation/evaluate.h"
#include "runtime/text/tokenizer.h"

namespace lathe {
namespace {

uint32_t wanted_tokens(const SourceModel& model, const Recipe& recipe) {
  if (recipe.calibration_tokens != 0) return recipe.calibration_tokens;
  return model.task.generates() ? kDefaultDecoderCalibrationTokens : kDefaultCalibrationTokens;
}

// What one sample may have.
size_t longest_sample(const SourceModel& model, const Recipe& recipe) {
  const size_t longest = std::min<size_t>(recipe.calibration_length, model.tokenizer.max_length);
  return model.task.context == 0 ? longest : std::min<size_t>(longest, model.task.context);
}

void check_enough(const Recipe& recipe, size_t tokens) {
  if (tokens >= kMinCalibrationTokens) return;
  fail(Errc::malformed, message(recipe.calibration_file, ": ", tokens, " tokens of calibration text, needs at least ",
                                kMinCalibrationTokens));
}

std::string file_name(const Recipe& recipe) {
  return std::filesystem::path(recipe.calibration_file).filename().string();
}

struct ChosenLines {
  TokenBatch batch;
  std::vector<bool> used;  // by line
};

ChosenLines choose_lines(const SourceModel& model, const Recipe& recipe, const std::vector<std::string>& lines) {
  const Tokenizer tokenizer(model.tokenizer);
  const size_t length = longest_sample(model, recipe);
  Random random(recipe.seed);
  ChosenLines chosen;
  chosen.used.assign(lines.size(), false);
  for (const uint32_t line : shuffled(lines.size(), random)) {
    if (chosen.batch.tokens() >= wanted_tokens(model, recipe)) break;
    chosen.batch.add(tokenizer.encode(lines[line], length));
    chosen.used[line] = true;
  }
  return chosen;
}

Samples text_samples(const SourceModel& model, const Recipe& recipe) {
  const std::vector<std::string> lines = read_lines(recipe.calibration_file);
  Samples samples;
  samples.batch = choose_lines(model, recipe, lines).batch;
  check_enough(recipe, samples.batch.tokens());
  samples.description = message(samples.batch.sequences(), " of ", lines.size(), " lines of ", file_name(recipe), " (",
                                samples.batch.tokens(), " tokens)");
  return samples;
}

// One text cut into windows, some of which are chosen.
struct ChosenWindows {
  std::vector<int32_t> ids;
  size_t length = 0;
  std::vector<bool> used;  // by window

  TokenBatch batch(bool of_used) const {
    TokenBatch batch;
    for (size_t i = 0; i < used.size(); ++i) {
      if (used[i] == of_used) batch.add(std::span(ids).subspan(i * length, length));
    }
    return batch;
  }
};

// One window from each of as many equal parts of the text as windows are wanted.
ChosenWindows choose_windows(const SourceModel& model, const Recipe& recipe) {
  ChosenWindows chosen;
  chosen.ids = Tokenizer(model.tokenizer).encode_plain(read_text(recipe.calibration_file));
  check_enough(recipe, chosen.ids.size());
  chosen.length = std::min(longest_sample(model, recipe), chosen.ids.size());
  const size_t windows = chosen.ids.size() / chosen.length;
  const size_t wanted = std::min<size_t>(windows, ceil_div(wanted_tokens(model, recipe), chosen.length));
  chosen.used.assign(windows, false);
  Random random(recipe.seed);
  for (size_t i = 0; i < wanted; ++i) {
    const size_t begin = i * windows / wanted, end = (i + 1) * windows / wanted;
    chosen.used[begin + random.below(end - begin)] = true;
  }
  return chosen;
}

Samples window_samples(const SourceModel& model, const Recipe& recipe) {
  const ChosenWindows chosen = choose_windows(model, recipe);
  Samples samples;
  samples.batch = chosen.batch(true);
  samples.description = message(samples.batch.sequences(), " of ", chosen.used.size(), " windows of ", chosen.length,
                                " tokens of ", file_name(recipe), " (", samples.batch.tokens(), " tokens)");
  return samples;
}

// The ids a text could contain, most frequent first: vocabularies are sorted by frequency within their blocks.
// Placeholders in brackets ("[unused7]") never come out of a text, nor do the control tokens of byte-level BPE.
std::vector<int32_t> usable_ids(const TokenizerSpec& tokenizer) {
  std::set<size_t> control;
  if (tokenizer.kind == TokenizerKind::byte_bpe) {
    for (const AddedToken& token : tokenizer.added_tokens) control.insert(token.id);
  }
  std::vector<int32_t> ids;
  for (size_t id = 0; id < tokenizer.vocabulary.size(); ++id) {
    const std::string& token = tokenizer.vocabulary[id];
    const bool bracketed = token.size() > 2 && token.front() == '[' && token.back() == ']';
    if (!(tokenizer.kind == TokenizerKind::byte_bpe ? control.contains(id) : bracketed))
      ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

// Ranks by Zipf's law, p(rank) ~ 1 / (rank + shift), drawn by inverting its continuous form.
size_t zipf(Random& random, size_t count, double shift) {
  const double span = std::log((static_cast<double>(count) + shift) / shift);
  return std::min(count - 1, static_cast<size_t>(shift * std::expm1(random.uniform() * span)));
}

Samples synthetic_samples(const SourceModel& model, const Recipe& recipe) {
  constexpr double kZipfShift = 20;
  const std::vector<int32_t> ids = usable_ids(model.tokenizer);
  if (ids.empty()) fail(Errc::malformed, message(model.path.string(), ": the vocabulary has no usable token"));
  const size_t longest = longest_sample(model, recipe);
  const bool framed = !model.task.generates();  // by [CLS] and [SEP]
  Random random(recipe.seed);
  Samples samples;
  std::vector<int32_t> sequence;
  while (samples.batch.tokens() < wanted_tokens(model, recipe)) {
    const size_t length = std::min(longest, std::max<size_t>(3, 16 + random.below(longest)));
    sequence.clear();
    if (framed) sequence.push_back(static_cast<int32_t>(model.tokenizer.begin_id));
    while (sequence.size() + (framed ? 1 : 0) < length) sequence.push_back(ids[zipf(random, ids.size(), kZipfShift)]);
    if (framed) sequence.push_back(static_cast<int32_t>(model.tokenizer.end_id));
    samples.batch.add(sequence);
  }
  samples.description =
      message("synthetic: ", samples.batch.sequences(), " sequences of token ids drawn by Zipf's law (",
              samples.batch.tokens(), " tokens); give --calibrate FILE for a better result");
  return samples;
}

}  // namespace

std::vector<uint32_t> shuffled(size_t count, Random& random) {
  std::vector<uint32_t> order(count);
  for (size_t i = 0; i < count; ++i) order[i] = static_cast<uint32_t>(i);
  for (size_t i = count; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

Samples make_samples(const SourceModel& model, const Recipe& recipe) {
  Samples samples = recipe.calibration_file.empty() ? synthetic_samples(model, recipe)
                    : model.task.generates()        ? window_samples(model, recipe)
                                                    : text_samples(model, recipe);
  if (recipe.recovery == Recovery::blocks && samples.batch.sequences() < kMinReconstructionSequences) {
    fail(Errc::malformed, message(samples.description, ": ", samples.batch.sequences(),
                                  " sequences, block reconstruction needs at least ", kMinReconstructionSequences,
                                  ": give more text, or more tokens of it for calibration"));
  }
  return samples;
}

std::vector<std::string> unused_calibration_lines(const SourceModel& model, const Recipe& recipe) {
  const std::vector<std::string> lines = read_lines(recipe.calibration_file);
  const std::vector<bool> used = choose_lines(model, recipe, lines).used;
  std::vector<std::string> left;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!used[i]) left.push_back(lines[i]);
  }
  return left;
}

TokenBatch unused_calibration_windows(const SourceModel& model, const Recipe& recipe) {
  return choose_windows(model, recipe).batch(false);
}

}  // namespace lathe
