#pragma once
// Accuracy: a task with labels, and fidelity to the original.

#include <filesystem>
#include <string>
#include <vector>

#include "compress/report.h"
#include "runtime/text/embedder.h"

namespace lathe {

/// Pairs of texts with a human score; each text is kept once.
struct StsData {
  std::string path;
  std::vector<std::string> texts;
  struct Pair {
    uint32_t a;
    uint32_t b;
    double score;
  };
  std::vector<Pair> pairs;
};

/// Lines of text_a TAB text_b TAB score. Throws Error{no_input}, Error{malformed} naming file, line and field; at
/// least 2 pairs with different scores.
StsData read_sts(const std::filesystem::path& path);
/// One text a line, UTF-8, empty lines skipped. Throws Error{no_input, malformed} (empty, not UTF-8: names the line).
std::vector<std::string> read_lines(const std::filesystem::path& path);

/// Pearson and Spearman of the cosine of the embeddings with the human score. `embeddings` is [texts, dimension].
TaskResult evaluate_sts(const StsData& data, const std::vector<float>& embeddings, size_t dimension);
/// Cosine per text between two sets of embeddings of the same texts.
FidelityResult fidelity(const std::vector<float>& original, const std::vector<float>& compressed, size_t dimension);

double pearson(const std::vector<double>& x, const std::vector<double>& y);
double spearman(const std::vector<double>& x, const std::vector<double>& y);  // ties share their mean rank

}  // namespace lathe
