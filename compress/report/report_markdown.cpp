#include <algorithm>
#include <cctype>

#include "compress/report/comparisons.h"
#include "compress/report/report.h"
#include "compress/report/report_tables.h"
#include "compress/report/report_training.h"
#include "formats/artifact/error.h"
#include "formats/json.h"
#include "formats/text.h"

namespace lathe {
namespace {

using namespace reporting;

/// Text that Markdown shows as it is, on one line. An underscore inside a word means nothing and stays readable.
std::string markdown_text(std::string_view text) {
  constexpr std::string_view kSpecial = "\\`*[]<>|#~&";
  const auto inside_word = [&](size_t at) {
    const auto word = [&](size_t i) { return std::isalnum(static_cast<unsigned char>(text[i])) != 0; };
    return at > 0 && at + 1 < text.size() && word(at - 1) && word(at + 1);
  };
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    const size_t length = utf8_length_at(text, at);
    if (kSpecial.find(c) != kSpecial.npos || (c == '_' && !inside_word(at))) out += '\\';
    if (length == 0) {
      out += "\xef\xbf\xbd";
    } else if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) {
      out += ' ';
    } else {
      out += text.substr(at, length);
    }
    at += std::max<size_t>(length, 1);
  }
  return out;
}

std::string cell_text(const Cell& cell) {
  const std::string text = markdown_text(cell.text);
  return cell.mark == Mark::good || cell.mark == Mark::bad ? "**" + text + "**" : text;
}

/// Notes of rows become a last column.
std::string markdown_table(const Table& table) {
  const bool notes =
      std::any_of(table.rows.begin(), table.rows.end(), [](const Row& row) { return !row.notes.empty(); });
  std::string out = "|";
  std::string rule = "|";
  for (const Column& column : table.columns) {
    out += " " + markdown_text(column.heading) + " |";
    rule += column.kind == Kind::number ? " ---: |" : " --- |";
  }
  out += (notes ? " Fallbacks |\n" : "\n") + rule + (notes ? " --- |\n" : "\n");
  for (const Row& row : table.rows) {
    out += '|';
    for (const Cell& cell : row.cells) out += " " + cell_text(cell) + " |";
    if (notes) {
      std::string joined;
      for (const std::string& note : row.notes) joined += (joined.empty() ? "" : "; ") + markdown_text(note);
      out += " " + joined + " |";
    }
    out += '\n';
  }
  return out;
}

void append_table(std::string& out, const Table& table) {
  if (!table.empty()) out += "\n## " + markdown_text(table.caption) + "\n\n" + markdown_table(table);
}

void append_training(std::string& out, const Report& report) {
  const std::vector<std::string> sentences = training_sentences(report);
  if (sentences.empty()) return;
  out += "\n## Training\n\n";
  for (const std::string& sentence : sentences) out += "- " + markdown_text(sentence) + "\n";
  for (const Table& table : {training_table(report), block_table(report)}) {
    if (!table.empty()) out += "\n" + markdown_table(table);
  }
}

/// Readable JSON in a fence that its own text cannot close.
void append_json(std::string& out, std::string_view heading, const std::string& text) {
  if (text.empty()) return;
  std::string pretty = text;
  try {
    pretty = to_text(parse_json(text, heading), 2);
  } catch (const Error&) {
    // Shown as it is.
  }
  std::string fence = "```";
  while (pretty.find(fence) != pretty.npos) fence += '`';
  out += message("\n## ", heading, "\n\n", fence, "json\n", pretty, "\n", fence, "\n");
}

}  // namespace

std::string report_markdown(const Report& report) {
  std::string out = "# " + markdown_text(report.title.empty() ? "Compression report" : report.title) + "\n";
  append_table(out, overview_table(report));
  const std::vector<SpeedCase> cases = speed_cases(report);
  if (!cases.empty()) out += "\np50, Faster and Tokens/s: " + case_text(cases.front()) + ".\n";
  append_table(out, gate_table(report));
  if (!report.notes.empty()) out += "\n## Notes\n\n";
  for (const std::string& note : report.notes) out += "- " + markdown_text(note) + "\n";
  append_table(out, accuracy_table(report));
  append_table(out, speed_table(report));
  append_table(out, file_table(report));
  append_table(out, size_table(report));
  append_training(out, report);
  for (const ModelReport& model : report.models) append_table(out, layer_table(model));
  if (std::any_of(report.models.begin(), report.models.end(),
                  [](const auto& model) { return !model.weights.empty(); })) {
    out +=
        "\nLoss is the relative output error of a layer: 0 is perfect, 1 is a layer of zeros. Before: magnitude "
        "pruning "
        "and rounding to nearest; after: as written.\n";
  }
  append_table(out, machine_table(report));
  append_json(out, "Recipe", report.recipe_json);
  append_json(out, "Provenance", report.provenance_json);
  return out;
}

}  // namespace lathe
