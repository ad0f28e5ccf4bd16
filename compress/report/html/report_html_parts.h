#pragma once
// Parts of the HTML page: its style, its tables, and the section on the weights of one model.

#include <string>
#include <string_view>

#include "compress/facts/report_facts.h"
#include "compress/report/report_tables.h"

namespace lathe::reporting {

/// CSS for light and dark, narrow and wide, screen and paper.
extern const std::string_view kPageStyle;

/// A table in a box that scrolls sideways. The notes of a row become rows below it. Empty when the table has no rows.
std::string html_table(const Table& table);

/// The chart and the table of the weights of one model; with `open` the table is unfolded. Empty without weights.
std::string html_weights(const ModelReport& model, bool open);

}  // namespace lathe::reporting
