#pragma once
// The task "sts": how well cosines of embeddings follow the scores that people gave to pairs of texts.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "compress/facts/measurements.h"
#include "formats/text_file.h"

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

/// Lines of text_a TAB text_b TAB score. Throws Error{malformed} naming file, line and field; at least 2 pairs with
/// different scores.
StsData read_sts(const TextFile& file);
/// Opens the path and reads it; throws the errors of TextFile, too.
StsData read_sts(const std::filesystem::path& path);

/// Pearson and Spearman of the cosine of the embeddings with the human score. `embeddings` is [texts, dimension].
EvalResult evaluate_sts(const StsData& data, const std::vector<float>& embeddings, size_t dimension);

double pearson(const std::vector<double>& x, const std::vector<double>& y);
double spearman(const std::vector<double>& x, const std::vector<double>& y);  // ties share their mean rank

}  // namespace lathe
