#include <algorithm>
#include <array>
#include <string_view>

#include "compress/report/comparisons.h"
#include "compress/report/report.h"
#include "compress/report/report_tables.h"
#include "compress/report/report_training.h"
#include "compress/report/visible_text.h"
#include "formats/artifact/error.h"
#include "formats/text.h"

namespace lathe {
namespace {

using namespace reporting;

constexpr size_t kTerminalWidth = 100;
constexpr size_t kLongestName = 26;
constexpr size_t kLongestCell = 40;
constexpr size_t kSpaces = 2;  // between columns

/// Plain and harmless on a terminal: no control characters, at most `width` columns.
std::string plain(const std::string& text, size_t width) { return shortened(printable(text, 4096), width, "..."); }

void append_padded(std::string& line, const std::string& text, size_t width, bool right) {
  const std::string padding(width - std::min(width, text_width(text)), ' ');
  line += right ? padding + text : text + padding;
}

void end_line(std::string& out, std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  out += line + "\n";
}

/// Columns from the right that do not fit are left out: the other formats hold them.
std::string text_table(const Table& table) {
  std::vector<std::vector<std::string>> lines(1);
  for (const Column& column : table.columns) lines[0].push_back(plain(column.heading, kLongestName));
  for (const Row& row : table.rows) {
    lines.emplace_back();
    for (size_t i = 0; i < row.cells.size(); ++i) {
      const bool name = table.columns[i].kind == Kind::name;
      lines.back().push_back(plain(row.cells[i].text, name ? kLongestName : kLongestCell));
    }
  }
  std::vector<size_t> widths(table.columns.size());
  size_t shown = 0;
  for (size_t total = 0; shown < widths.size(); ++shown) {
    for (const auto& line : lines) widths[shown] = std::max(widths[shown], text_width(line[shown]));
    total += widths[shown] + (shown == 0 ? 0 : kSpaces);
    if (total > kTerminalWidth) break;
  }
  std::string out;
  for (const auto& cells : lines) {
    std::string line;
    for (size_t i = 0; i < shown; ++i) {
      if (i > 0) line.append(kSpaces, ' ');
      append_padded(line, cells[i], widths[i], table.columns[i].kind == Kind::number);
    }
    end_line(out, std::move(line));
  }
  return out;
}

/// Breaks at spaces, and inside words that are longer than a line; later lines are indented.
std::string wrapped(const std::string& text, size_t indent) {
  std::string out;
  std::string line(indent, ' ');
  std::string rest = printable(text, 4096);
  while (!rest.empty()) {
    const size_t used = text_width(line) + (line.size() > indent ? 1 : 0);
    const size_t room = kTerminalWidth - std::min(used, kTerminalWidth);
    const size_t end = std::min(rest.find(' '), rest.size());
    const std::string word = rest.substr(0, end);
    if (text_width(word) > room && line.size() > indent) {
      end_line(out, line);
      line.assign(indent, ' ');
      continue;
    }
    size_t taken = end;
    if (text_width(word) > room) {
      taken = 0;
      for (size_t columns = 0; columns < room; ++columns) taken += std::max<size_t>(utf8_length_at(word, taken), 1);
    }
    if (line.size() > indent) line += ' ';
    line += rest.substr(0, taken);
    rest.erase(0, taken == end ? std::min(end + 1, rest.size()) : taken);
  }
  if (line.size() > indent) end_line(out, line);
  return out;
}

/// p50, speed-up and rate of each model for every case after the main one.
Table other_cases(const Report& report) {
  Table table = speed_table(report);
  const std::vector<SpeedCase> cases = speed_cases(report);
  if (cases.size() < 2) return {};
  const std::string main_case = case_text(cases.front());
  std::erase_if(table.rows, [&](const Row& row) { return row.cells.front().text == main_case; });
  constexpr std::array<std::string_view, 5> kShown = {"Case", "Model", "p50 ms", "Faster", "Tokens/s"};
  for (size_t column = table.columns.size(); column-- > 0;) {
    if (std::find(kShown.begin(), kShown.end(), table.columns[column].heading) != kShown.end()) continue;
    table.columns.erase(table.columns.begin() + static_cast<std::ptrdiff_t>(column));
    for (Row& row : table.rows) row.cells.erase(row.cells.begin() + static_cast<std::ptrdiff_t>(column));
  }
  return table;
}

void append_section(std::string& out, const std::string& section) {
  if (section.empty()) return;
  if (!out.empty()) out += '\n';
  out += section;
}

}  // namespace

std::string report_text(const Report& report) {
  std::string out = wrapped(report.title, 0);
  const Table overview = overview_table(report);
  if (!overview.empty()) append_section(out, text_table(overview));
  const std::vector<SpeedCase> cases = speed_cases(report);
  if (!cases.empty()) out += wrapped("p50, Faster and Tokens/s: " + case_text(cases.front()) + ".", 0);
  const Table others = other_cases(report);
  if (!others.empty()) append_section(out, text_table(others));
  const Table gates = gate_table(report);
  if (!gates.empty()) append_section(out, text_table(gates));
  std::string training;
  for (const std::string& sentence : training_sentences(report)) training += wrapped(sentence, 2).substr(2);
  append_section(out, training);
  std::string notes;
  for (const std::string& note : report.notes) {
    const std::string lines = wrapped(note, 2);
    if (!lines.empty()) notes += "- " + lines.substr(2);
  }
  append_section(out, notes);
  return out;
}

}  // namespace lathe
