#pragma once
// Text for people and for pipes.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace lathe::cli {

/// Writes everything to standard output. Throws Error{io}, also when the reader has closed the pipe.
void write_stdout(std::string_view text);
/// One JSON object and a line end on standard output, indented on a terminal.
void write_json(const Json& value);

/// "12.345" with so many digits after the point.
std::string fixed(double value, int digits);
/// "1,234,567"
std::string grouped(uint64_t value);
/// "22.7 MB": decimal units, like the sizes of disks and downloads.
std::string bytes_text(uint64_t bytes);
/// "3.4 s", "2 min 05 s", "1 h 02 min"
std::string duration_text(double seconds);
std::string pad(std::string_view text, size_t width);
std::string pad_left(std::string_view text, size_t width);

/// A table: the first row is the head; a column is right-aligned where its letter in `alignment` is 'r'. Columns
/// stand two spaces apart and each line begins with two spaces.
std::string table(const std::vector<std::vector<std::string>>& rows, std::string_view alignment);

}  // namespace lathe::cli
