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
  std::string heading;  // with its unit
  Kind kind = Kind::number;
  std::string meaning = {};  // one sentence for the reader who asks, may be empty
};

struct Row {
  std::vector<Cell> cells;         // one for each column
  std::vector<std::string> notes;  // sentences about this row
};

/// How a table wants to be laid out where there is a choice.
enum class Layout { full, compact, facts };

struct Table {
  std::string caption;
  std::vector<Column> columns;
  std::vector<Row> rows;
  Layout layout = Layout::full;
  bool empty() const { return rows.empty(); }
};

// Columns that hold no figure at all are left out, and a table without rows has nothing to say and is not shown.

/// One row a model: what a reader wants first.
Table overview_table(const Report& report);
Table accuracy_table(const Report& report);
/// One row for each case and model.
Table speed_table(const Report& report);
Table file_table(const Report& report);
/// One row for each part of the file, one column for each model.
Table size_table(const Report& report);
/// One row a weight, numbered as in the chart; fallbacks are the notes of their row.
Table layer_table(const ModelReport& model);
Table gate_table(const Report& report);
/// Names and values.
Table machine_table(const Report& report);

}  // namespace lathe::reporting
