#include "compress/evaluation/verify_language.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>

#include "compress/calibration/samples.h"
#include "compress/evaluation/benchmark.h"
#include "compress/training/training_data.h"

namespace lathe {
namespace {

// Where the proof's tokens come from. Made-up ones have no perplexity worth a word.
struct ProofText {
  LanguageData data;
  std::string from;
  bool made_up = false;
};

bool same_file(const std::string& a, const std::string& b) {
  std::error_code ignored;
  return !a.empty() && !b.empty() && std::filesystem::equivalent(a, b, ignored);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// Windows that neither calibration nor training has seen. A window may hold parts of lines at its ends, so the file
// that is trained on proves nothing at all; of another one, windows with a line that is trained on are left out.
TokenBatch unseen_windows(const SourceModel& source, const Recipe& recipe) {
  const TrainingRecipe& training = recipe.training;
  const TokenBatch all = unused_calibration_windows(source, recipe);
  if (!training.distills()) return all;
  if (same_file(training.data_file, recipe.calibration_file)) return {};
  const Tokenizer tokenizer(source.tokenizer);
  std::vector<std::vector<std::string>> windows;
  std::vector<std::string> lines;
  for (size_t i = 0; i < all.sequences(); ++i) {
    windows.push_back(lines_of(tokenizer.decode(std::span(all.ids).subspan(all.starts[i], all.length(i)))));
    lines.insert(lines.end(), windows.back().begin(), windows.back().end());
  }
  const std::vector<std::string> left = without_training_texts(source, training, std::move(lines));
  const std::set<std::string_view> unseen(left.begin(), left.end());
  TokenBatch kept;
  for (size_t i = 0; i < all.sequences(); ++i) {
    const auto is_unseen = [&](const std::string& line) { return unseen.contains(line); };
    if (!std::all_of(windows[i].begin(), windows[i].end(), is_unseen)) continue;
    kept.add(std::span(all.ids).subspan(all.starts[i], all.length(i)));
  }
  return kept;
}

std::string file_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }

// Evenly spread over what is left, so that the end of the text counts as much as its beginning.
TokenBatch some_of(const TokenBatch& all, uint64_t windows) {
  const size_t wanted = windows == 0 ? all.sequences() : std::min<size_t>(all.sequences(), windows);
  TokenBatch batch;
  for (size_t i = 0; i < wanted; ++i) {
    const size_t at = i * all.sequences() / wanted;
    batch.add(std::span(all.ids).subspan(all.starts[at], all.length(at)));
  }
  return batch;
}

TokenBatch made_up_windows(const SourceModel& source, const Recipe& recipe) {
  constexpr uint32_t kTokens = 8192;
  Recipe other = recipe;
  other.calibration_file.clear();
  other.recovery = Recovery::none;  // it asks for more samples
  other.seed = recipe.seed + 1;
  other.calibration_tokens = kTokens;
  return make_samples(source, other).batch;
}

ProofText find_text(const SourceModel& source, const Recipe& recipe, const VerifyOptions& options, Report& report) {
  const std::string given = options.task ? options.task->file : options.texts_file;
  if (options.task) check_task_fits(*options.task, source.task, source.name);
  if (!given.empty()) {
    const WindowOptions windows = window_options(options.context, options.windows, source.task);
    return {read_language_data(given, Tokenizer(source.tokenizer), windows), file_name(given)};
  }
  if (!recipe.calibration_file.empty()) {
    const std::string name = file_name(recipe.calibration_file);
    TokenBatch windows = some_of(unseen_windows(source, recipe), options.windows);
    if (windows.sequences() > 0) {
      const auto length = static_cast<uint32_t>(windows.length(0));
      return {{recipe.calibration_file, length, std::move(windows)}, name + " that calibration did not use"};
    }
    report.notes.push_back(message("predictions: no text is left in ", name));
  }
  TokenBatch windows = made_up_windows(source, recipe);
  return {{"", static_cast<uint32_t>(windows.length(0)), std::move(windows)}, "", true};
}

}  // namespace

void verify_language(const SourceModel& source, const Recipe& recipe, const VerifyOptions& options,
                     const Model& original, const Model& artifact, Report& report, Progress& progress) {
  const ProofText text = find_text(source, recipe, options, report);
  Session before(original, options.threads);
  Session after(artifact, options.threads);
  const LanguageFidelity measured = compare_language(before, after, text.data, progress);
  report.models[1].predictions = measured.result();
  if (text.made_up) {
    report.notes.push_back("predictions are compared on made-up token sequences: give --eval lm:FILE to use real text");
    return;
  }
  report.models[0].task = language_result(text.data, measured.original);
  report.models[1].task = language_result(text.data, measured.compressed);
  report.notes.push_back(message("perplexity is measured on ", text.data.windows.sequences(), " windows of ",
                                 text.data.length, " tokens of ", text.from));
}

void measure_decoder_speeds(const SourceModel& source, const Model& original, const Model& artifact, uint32_t threads,
                            Report& report, Progress& progress) {
  constexpr BenchmarkOptions kOptions = {1, 3, 0.5, 100, 1, false};
  constexpr std::array kCases = {DecoderCase{SpeedKind::prefill, 128}, DecoderCase{SpeedKind::prefill, 512},
                                 DecoderCase{SpeedKind::decode, 64}};
  progress.stage("measure speed", kCases.size());
  uint64_t done = 0;
  const uint32_t longest = source.task.context == 0 ? UINT32_MAX : source.task.context;
  for (DecoderCase what : kCases) {
    if (progress.cancelled()) fail(Errc::interrupted, "stopped while measuring speed");
    what.tokens = std::min(what.tokens, longest);
    const auto cases = measure_decoders({&original, &artifact}, what, threads, kOptions);
    report.models[0].speed.push_back(cases[0]);
    report.models[1].speed.push_back(cases[1]);
    progress.advance(++done);
  }
}

double perplexity_increase(const Report& report) {
  const ModelReport& before = report.models.at(0);
  const ModelReport& after = report.models.at(1);
  if (before.task && after.task) return after.task->main().value / before.task->main().value - 1;
  return std::expm1(after.predictions.value().log_ratio);
}

}  // namespace lathe
