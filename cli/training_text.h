#pragma once
// Where training is, as one line of text.

#include <cstddef>
#include <string>

#include "compress/job/progress.h"

namespace lathe::cli {

/// "distillation: step 120/300, loss 0.0412, held-out loss 0.0431, cosine 0.9512, 2,310 tokens/s, 6 min 05 s left";
/// what is not known is left out.
std::string training_sentence(const TrainingEvent& event);

/// That sentence in short with a bar that is filled to `share` (0 to 1), in at most `width` columns: where it does not
/// fit, what matters least is left out. Escape sequences of `color` do not count as columns.
std::string training_bar(const TrainingEvent& event, double share, size_t width, bool color);

/// A bar of `width` columns without its frame where there is colour, with it otherwise.
std::string bar_text(double share, size_t width, bool color);

}  // namespace lathe::cli
