#pragma once
// The tables of a report, built once and written by each of the text, Markdown and HTML writers.

#include <string>
#include <vector>

#include "compress/facts/report_facts.h"

namespace lathe::reporting {

enum class Mark { none, reference, good, bad, caution, total };

struct Cell {
  std::string text;
  Mark mark = Mark::none;
};

enum class Kind { text, name, number };

struct Column {
  std::string heading;  // with the unit
  Kind kind = Kind::number;
  std::string meaning = {};  // one sentence that a tooltip shows; may be empty
};

struct Row {
  std::vector<Cell> cells;         // one for each column
  std::vector<std::string> notes;  // sentences about this row
};

/// How HTML lays a table out.
enum class Layout { full, compact, facts };

struct Table {
  std::string caption;
  std::vector<Column> columns;
  std::vector<Row> rows;
  Layout layout = Layout::full;
  bool empty() const { return rows.empty(); }
};

// Columns in which no model has a figure are left out, and a table without rows is not shown.

/// The main figures, one row for each model.
Table overview_table(const Report& report);
Table accuracy_table(const Report& report);
/// One row for each case and model.
Table speed_table(const Report& report);
Table file_table(const Report& report);
/// One row for each part of the file, one column for each model.
Table size_table(const Report& report);
/// One row for each weight, numbered as in the chart. Fallbacks are the notes of the row.
Table layer_table(const ModelReport& model);
Table gate_table(const Report& report);
/// What measured and how it was compressed, as names and values.
Table machine_table(const Report& report);

}  // namespace lathe::reporting
