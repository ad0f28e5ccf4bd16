#pragma once
// The state of a training as one line of text.

#include <cstddef>
#include <string>

#include "compress/job/progress.h"

namespace lathe::cli {

/// "distillation: step 120/300, loss 0.0412, held-out loss 0.0431, cosine 0.9512, 2,310 tokens/s, 6 min 05 s left";
/// values that are not known are left out.
std::string training_sentence(const TrainingEvent& event);

/// A bar that is filled to `share` (0 to 1), followed by the parts of training_sentence(), in at most `width` columns.
/// Parts that matter less are left out where there is no room. Escape sequences of `color` do not count as columns.
std::string training_bar(const TrainingEvent& event, double share, size_t width, bool color);

/// A bar of `width` columns, coloured or in a frame.
std::string bar_text(double share, size_t width, bool color);

}  // namespace lathe::cli
