#pragma once
// Which texts a model is trained on, so that nothing is proved on them.

#include <cstdint>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "compress/source/source_model.h"
#include "runtime/session.h"

namespace lathe {

struct TrainedTexts {
  std::string path;  // of the file that they come from
  /// Every line of the file without the spaces around it, also those that are held out. For a model that generates,
  /// without lines of less than 40 bytes, which do not tell where they come from.
  std::unordered_set<std::string> lines;
  /// For models that do not generate: the tokens of each text that is trained on. Those held out are not among them.
  std::set<std::vector<int32_t>> sequences;
  size_t length = 0;  // at which `sequences` are cut
};

/// The texts that are not trained on, in the same order. Texts that are held out stay.
std::vector<std::string> without_trained(const SourceModel& model, const TrainedTexts& trained,
                                         std::vector<std::string> texts);
/// For a model that generates: the windows without any line that is trained on.
TokenBatch without_trained(const SourceModel& model, const TrainedTexts& trained, const TokenBatch& windows);

/// Throws Error{usage} when any of `texts`, which prove the result and come from `proof_file`, is also in the file that
/// is trained on: accuracy there proves nothing. Spaces around texts do not count.
void check_proof_is_unseen(const TrainedTexts& trained, const std::string& proof_file,
                           const std::vector<std::string>& texts);

}  // namespace lathe
