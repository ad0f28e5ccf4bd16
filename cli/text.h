#pragma once
// Text for people and for pipes.

#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace lathe::cli {

/// Writes all of the text to standard output. Throws Error{io} when that fails, for instance on a closed pipe.
void write_stdout(std::string_view text);
/// Writes one JSON object and one line end to standard output, indented when that is a terminal.
void write_json(const Json& value);

std::string pad(std::string_view text, size_t width);
std::string pad_left(std::string_view text, size_t width);

/// A table whose first row is the head. `alignment` has a letter for each column: 'r' for right-aligned, 'l' for left.
/// There are two spaces between columns and before each line.
std::string table(const std::vector<std::vector<std::string>>& rows, std::string_view alignment);

}  // namespace lathe::cli
