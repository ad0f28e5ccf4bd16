#pragma once
// What the rest of a compression needs to know of a layer that is done, and its form in the state folder.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compress/pipeline/linear_job.h"
#include "formats/json.h"

namespace lathe {

/// One linear layer, embedding or head; its tensors are in the store.
struct FinishedLayer {
  std::vector<WeightFacts> weights;  // the weight, or up and down of a low-rank layer
  std::optional<double> rounding_share;
};

/// Layers that were compressed together, with their tensors.
struct FinishedGroup {
  std::vector<FinishedLayer> layers;
  std::map<std::string, EncodedBuffer> tensors;
};

/// Every bit of a loss is kept, also of one that is not a number.
std::string finished_text(const std::vector<FinishedLayer>& layers);
/// Reads what finished_text() wrote. Throws Error{malformed} naming `where`.
std::vector<FinishedLayer> parse_finished(const std::string& text, const std::string& where);

}  // namespace lathe
