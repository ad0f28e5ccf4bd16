#pragma once
// Text for people and for pipes.

#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace lathe::cli {

/// Writes everything to standard output. Throws Error{io}, also when the reader has closed the pipe.
void write_stdout(std::string_view text);
/// One JSON object and a line end on standard output, indented on a terminal.
void write_json(const Json& value);

std::string pad(std::string_view text, size_t width);
std::string pad_left(std::string_view text, size_t width);

/// A table: the first row is the head; a column is right-aligned where its letter in `alignment` is 'r'. Columns
/// stand two spaces apart and each line begins with two spaces.
std::string table(const std::vector<std::vector<std::string>>& rows, std::string_view alignment);

}  // namespace lathe::cli
