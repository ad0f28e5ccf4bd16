#pragma once
// How training went, for each of the writers of a report. All are empty where nothing was trained.

#include <string>
#include <vector>

#include "compress/facts/report_facts.h"
#include "compress/report/report_tables.h"

namespace lathe::reporting {

/// Stages "block reconstruction of ..." are many and short, one a block, and are shown together.
bool is_block(const TrainingCurve& curve);

/// One row for each stage that is not a block.
Table training_table(const Report& report);
/// One row a block: its error before and after.
Table block_table(const Report& report);
/// A sentence for each stage; one for all blocks together.
std::vector<std::string> training_sentences(const Report& report);
/// Sentences, curves and the table of blocks.
std::string training_html(const Report& report);

}  // namespace lathe::reporting
