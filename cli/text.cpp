#include "cli/text.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lathe::cli {

void write_stdout(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EPIPE) fail(Errc::io, "standard output: its reader is gone");
    if (written < 0) fail(Errc::io, message("standard output: cannot write: ", std::strerror(errno)));
    text.remove_prefix(static_cast<size_t>(written));
  }
}

void write_json(const Json& value) { write_stdout(to_text(value, ::isatty(STDOUT_FILENO) == 1 ? 2 : 0) + "\n"); }

std::string pad(std::string_view text, size_t width) {
  return std::string(text) + std::string(width > text.size() ? width - text.size() : 0, ' ');
}

std::string pad_left(std::string_view text, size_t width) {
  return std::string(width > text.size() ? width - text.size() : 0, ' ') + std::string(text);
}

std::string table(const std::vector<std::vector<std::string>>& rows, std::string_view alignment) {
  std::vector<size_t> widths(alignment.size(), 0);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += "  " + (alignment[i] == 'r' ? pad_left(row[i], widths[i]) : pad(row[i], widths[i]));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

}  // namespace lathe::cli
