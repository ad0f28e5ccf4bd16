#include "compress/training/trained_texts.h"

#include <algorithm>

#include "formats/text.h"
#include "runtime/text/tokenizer.h"

namespace lathe {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

bool is_trained(const TrainedTexts& trained, const std::string& line) {
  return trained.lines.contains(std::string(trimmed(line)));
}

}  // namespace

std::vector<std::string> without_trained(const SourceModel& model, const TrainedTexts& trained,
                                         std::vector<std::string> texts) {
  if (model.task.generates()) {
    std::erase_if(texts, [&](const std::string& text) { return is_trained(trained, text); });
    return texts;
  }
  const Tokenizer tokenizer(model.tokenizer);
  std::erase_if(texts, [&](const std::string& text) {
    return trained.sequences.contains(tokenizer.encode(text, trained.length));
  });
  return texts;
}

TokenBatch without_trained(const SourceModel& model, const TrainedTexts& trained, const TokenBatch& windows) {
  const Tokenizer tokenizer(model.tokenizer);
  TokenBatch kept;
  for (size_t i = 0; i < windows.sequences(); ++i) {
    const auto ids = std::span(windows.ids).subspan(windows.starts[i], windows.length(i));
    const std::vector<std::string> lines = lines_of(tokenizer.decode(ids));
    const auto seen = [&](const std::string& line) { return is_trained(trained, line); };
    if (std::none_of(lines.begin(), lines.end(), seen)) kept.add(ids);
  }
  return kept;
}

void check_proof_is_unseen(const TrainedTexts& trained, const std::string& proof_file,
                           const std::vector<std::string>& texts) {
  size_t shared = 0;
  std::string example;
  for (const std::string& text : texts) {
    if (!is_trained(trained, text)) continue;
    if (shared++ == 0) example = printable(trimmed(text), 60);
  }
  if (shared == 0) return;
  fail(Errc::usage, message(proof_file, ": ", shared, " of ", texts.size(), " texts are also in ", trained.path,
                            ", such as \"", example,
                            "\": accuracy would be measured on what was trained on; leave them out of one of the two "
                            "files"));
}

}  // namespace lathe
