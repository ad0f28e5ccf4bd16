#pragma once
// How the training went, for each of the writers of a report. The results are empty where nothing was trained.

#include <string>
#include <vector>

#include "compress/facts/report_facts.h"
#include "compress/report/report_tables.h"

namespace lathe::reporting {

/// Whether a curve is that of one block. Such stages ("block reconstruction of ...") are many and short, so they are
/// shown together.
bool is_block(const TrainingCurve& curve);

/// One row for each stage that is not a block.
Table training_table(const Report& report);
/// One row for each block: its error before and after.
Table block_table(const Report& report);
/// A sentence for each stage; one for all blocks together.
std::vector<std::string> training_sentences(const Report& report);
/// "distillation: 300 steps in 41.0 s; held-out loss 0.08120 to 0.04310; ...", with `arrow` instead of " to ".
std::string stage_sentence(const TrainingCurve& curve, const char* arrow);
/// "block reconstruction: 6 blocks, ...": one sentence on all blocks together.
std::string blocks_sentence(const Report& report);
/// The sentence with a full stop at its end, unless it has one or is empty.
std::string with_stop(std::string sentence);

/// Sentences, curves and the table of blocks, as HTML.
std::string training_html(const Report& report);

}  // namespace lathe::reporting
