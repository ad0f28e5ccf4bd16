#pragma once
// The parts of the page that are more than a line: its style, its tables, and the section of one model's weights.

#include <string>
#include <string_view>

#include "compress/facts/report_facts.h"
#include "compress/report/report_tables.h"

namespace lathe::reporting {

/// CSS for light and dark, narrow and wide, screen and paper.
extern const std::string_view kPageStyle;

/// A table in a box that scrolls sideways by itself. Notes become rows below theirs. Empty when the table is.
std::string html_table(const Table& table);

/// Chart and table of the weights of one model; `open` shows the table at once. Empty without weights.
std::string html_weights(const ModelReport& model, bool open);

}  // namespace lathe::reporting
