#pragma once
// Turns measured facts into text for people and programs.

#include <string>

#include "compress/facts/report_facts.h"

namespace lathe {

/// One JSON object with "schema": kJsonSchema.
std::string report_json(const Report& report);
std::string report_markdown(const Report& report);
/// One self-contained page: inline SVG and style, light and dark, no script needed to read it, no outside resource.
std::string report_html(const Report& report);
/// A short table for a terminal of 100 columns.
std::string report_text(const Report& report);

}  // namespace lathe
