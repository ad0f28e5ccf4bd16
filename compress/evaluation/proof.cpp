#include "compress/evaluation/proof.h"

#include <algorithm>
#include <unordered_set>

namespace lathe {
namespace {

struct FidelityTexts {
  std::vector<std::string> texts;
  std::string from;       // empty: there is no text
  bool is_given = false;  // and not what calibration left
};

FidelityTexts find_texts(const ProofRequest& request, const std::optional<LabelledTexts>& task,
                         CalibrationText& calibration, TextFiles& files) {
  if (!request.texts_file.empty()) {
    const TextFile file = files.open(request.texts_file);
    return {read_lines(file), file.file_name(), true};
  }
  if (task) return {task->texts, files.open(request.task->file).file_name(), true};
  if (calibration.file_name.empty()) return {};
  return {std::move(calibration.unused_lines), message(calibration.file_name, " (", calibration.unused, ")"), false};
}

// One text that stands in a file a hundred times is one text.
void leave_out_repeated(std::vector<std::string>& texts) {
  std::unordered_set<std::string> seen;
  std::erase_if(texts, [&](const std::string& text) { return !seen.insert(text).second; });
}

size_t count_used(const std::vector<std::string>& texts, const CalibrationText& calibration) {
  const std::unordered_set<std::string> used(calibration.used_lines.begin(), calibration.used_lines.end());
  return static_cast<size_t>(
      std::count_if(texts.begin(), texts.end(), [&](const std::string& text) { return used.contains(text); }));
}

void add_fidelity_texts(const SourceModel& source, const ProofRequest& request, CalibrationText calibration,
                        const SampleRequest& made_up, TextFiles& files, Proof& proof) {
  FidelityTexts found = find_texts(request, proof.task, calibration, files);
  leave_out_repeated(found.texts);
  const size_t most = request.first_texts == 0 ? kMaxFidelityTexts : std::min(request.first_texts, kMaxFidelityTexts);
  if (found.texts.size() > most) found.texts.resize(most);
  proof.texts = std::move(found.texts);
  if (!proof.texts.empty()) {
    proof.notes.push_back(message("fidelity is measured on ", proof.texts.size(), " texts of ", found.from));
    if (const size_t used = found.is_given ? count_used(proof.texts, calibration) : 0; used > 0) {
      proof.notes.push_back(message("calibration used the same text for ", used, " of these ", proof.texts.size(),
                                    " texts, which proves less: give others with --texts"));
    }
    return;
  }
  proof.made_up = make_samples(source, made_up).batch;
  if (!found.from.empty()) proof.notes.push_back(message("fidelity: no text is left in ", found.from));
  proof.notes.emplace_back(
      "fidelity is measured on made-up token sequences: give --texts FILE or --eval to use real text");
}

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

void add_language(const SourceModel& source, const ProofRequest& request, const CalibrationText& calibration,
                  const SampleRequest& made_up, TextFiles& files, Proof& proof) {
  const auto measured_on = [&](const std::string& text) {
    proof.notes.push_back(message("perplexity is measured on ", proof.language->windows.sequences(), " windows of ",
                                  proof.language->length, " tokens of ", text));
  };
  const std::string given = request.task ? request.task->file : request.texts_file;
  if (!given.empty()) {
    const TextFile file = files.open(given);
    const WindowOptions windows = window_options(request.context, request.windows, source.task);
    proof.language = read_language_data(file, Tokenizer(source.tokenizer), windows);
    measured_on(file.file_name());
    if (file.content_hash() == calibration.content_hash) {
      proof.notes.emplace_back("calibration used the same text, which proves less: give another one");
    }
    return;
  }
  if (!calibration.file_name.empty()) {
    TokenBatch windows = some_of(calibration.unused_windows, request.windows);
    if (windows.sequences() > 0) {
      const auto length = static_cast<uint32_t>(windows.length(0));
      proof.language = LanguageData{calibration.file_name, length, std::move(windows)};
      measured_on(calibration.file_name + " that calibration did not use");
      return;
    }
    proof.notes.push_back(message("predictions: no text is left in ", calibration.file_name));
  }
  TokenBatch windows = make_samples(source, made_up).batch;
  const auto length = static_cast<uint32_t>(windows.length(0));
  proof.language = LanguageData{"", length, std::move(windows)};
  proof.language_is_made_up = true;
  proof.notes.emplace_back("predictions are compared on made-up token sequences: give --eval lm:FILE to use real text");
}

}  // namespace

Proof make_proof(const SourceModel& source, const ProofRequest& request, CalibrationText calibration,
                 const SampleRequest& made_up, TextFiles& files) {
  Proof proof;
  if (request.task) check_eval_fits(*request.task, source.task, source.name);
  if (source.task.generates()) {
    add_language(source, request, calibration, made_up, files, proof);
    return proof;
  }
  if (request.task)
    proof.task = read_labelled_texts(*request.task, files.open(request.task->file), source.task, source.name);
  add_fidelity_texts(source, request, std::move(calibration), made_up, files, proof);
  return proof;
}

}  // namespace lathe
