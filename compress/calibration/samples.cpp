#include "compress/calibration/samples.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>
#include <unordered_set>

#include "runtime/text/tokenizer.h"

namespace lathe {
namespace {

uint32_t wanted_tokens(const SourceModel& model, const SampleRequest& request) {
  if (request.tokens != 0) return request.tokens;
  return model.task.generates() ? kDefaultDecoderCalibrationTokens : kDefaultCalibrationTokens;
}

// The most tokens that one sample may have.
size_t longest_sample(const SourceModel& model, const SampleRequest& request) {
  const size_t longest = std::min<size_t>(request.length, model.tokenizer.max_length);
  return model.task.context == 0 ? longest : std::min<size_t>(longest, model.task.context);
}

void check_enough(const TextFile& text, size_t tokens) {
  if (tokens >= kMinCalibrationTokens) return;
  fail(Errc::malformed,
       message(text.path(), ": ", tokens, " tokens of calibration text, needs at least ", kMinCalibrationTokens));
}

CalibrationText text_of(const TextFile& file) {
  CalibrationText text;
  text.file_name = file.file_name();
  text.content_hash = file.content_hash();
  return text;
}

// A line that calibration has seen proves nothing, wherever it stands.
void divide_lines(std::vector<std::string> lines, const std::vector<bool>& chosen, CalibrationText& text) {
  for (size_t i = 0; i < lines.size(); ++i) {
    if (chosen[i]) text.used_lines.push_back(lines[i]);
  }
  const std::unordered_set<std::string> seen(text.used_lines.begin(), text.used_lines.end());
  for (std::string& line : lines) {
    if (!seen.contains(line)) text.unused_lines.push_back(std::move(line));
  }
}

size_t repeated(const std::vector<std::string>& lines) {
  return lines.size() - std::unordered_set<std::string_view>(lines.begin(), lines.end()).size();
}

Samples line_samples(const SourceModel& model, const SampleRequest& request) {
  std::vector<std::string> lines = read_lines(*request.text);
  const Tokenizer tokenizer(model.tokenizer);
  const size_t length = longest_sample(model, request);
  Random random(request.seed);
  Samples samples;
  std::vector<bool> chosen(lines.size(), false);
  for (const uint32_t line : shuffled(lines.size(), random)) {
    if (samples.batch.tokens() >= wanted_tokens(model, request)) break;
    samples.batch.add(tokenizer.encode(lines[line], length));
    chosen[line] = true;
  }
  check_enough(*request.text, samples.batch.tokens());
  samples.description = message(samples.batch.sequences(), " of ", lines.size(), " lines of ",
                                request.text->file_name(), " (", samples.batch.tokens(), " tokens)");
  samples.text = text_of(*request.text);
  divide_lines(std::move(lines), chosen, samples.text);
  if (const size_t same = repeated(samples.text.used_lines); same > 0) {
    samples.description += message("; ", same, " of them have the same text as another");
  }
  return samples;
}

// One window from each of as many equal parts of the text as windows are wanted.
Samples window_samples(const SourceModel& model, const SampleRequest& request) {
  const std::vector<int32_t> ids = Tokenizer(model.tokenizer).encode_special(read_text(*request.text));
  check_enough(*request.text, ids.size());
  const size_t length = std::min(longest_sample(model, request), ids.size());
  const size_t windows = ids.size() / length;
  const size_t wanted = std::min<size_t>(windows, ceil_div(wanted_tokens(model, request), length));
  std::vector<bool> chosen(windows, false);
  Random random(request.seed);
  for (size_t i = 0; i < wanted; ++i) {
    const size_t begin = i * windows / wanted, end = (i + 1) * windows / wanted;
    chosen[begin + random.below(end - begin)] = true;
  }
  Samples samples;
  samples.text = text_of(*request.text);
  for (size_t i = 0; i < windows; ++i) {
    (chosen[i] ? samples.batch : samples.text.unused_windows).add(std::span(ids).subspan(i * length, length));
  }
  samples.description = message(samples.batch.sequences(), " of ", windows, " windows of ", length, " tokens of ",
                                request.text->file_name(), " (", samples.batch.tokens(), " tokens)");
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

Samples synthetic_samples(const SourceModel& model, const SampleRequest& request) {
  constexpr double kZipfShift = 20;
  const std::vector<int32_t> ids = usable_ids(model.tokenizer);
  if (ids.empty()) fail(Errc::malformed, message(model.path.string(), ": the vocabulary has no usable token"));
  const size_t longest = longest_sample(model, request);
  const bool framed = !model.task.generates();  // by [CLS] and [SEP]
  Random random(request.seed);
  Samples samples;
  std::vector<int32_t> sequence;
  while (samples.batch.tokens() < wanted_tokens(model, request)) {
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

Samples make_samples(const SourceModel& model, const SampleRequest& request) {
  if (reads_samples(model.program)) {
    fail(Errc::usage, model.path.string() + ": the model reads dense tensors, which cannot be made from text");
  }
  if (!request.text) return synthetic_samples(model, request);
  return model.task.generates() ? window_samples(model, request) : line_samples(model, request);
}

void check_enough_to_reconstruct(const Samples& samples) {
  if (samples.batch.sequences() >= kMinReconstructionSequences) return;
  fail(Errc::malformed,
       message(samples.description, ": ", samples.batch.sequences(), " sequences, block reconstruction needs at least ",
               kMinReconstructionSequences, ": give more text, or more tokens of it for calibration"));
}

}  // namespace lathe
