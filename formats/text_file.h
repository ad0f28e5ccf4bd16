#pragma once
// A text file of the user's: opened once, then read as lines or as one text.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/artifact/bytes.h"

namespace lathe {

/// The content of a text file. A regular file is mapped; a pipe is read to its end. The path is not opened again, so a
/// file that is deleted or replaced afterwards does not matter. Copies share the content and may be used by several
/// threads.
class TextFile {
 public:
  /// Throws Error{no_input} when the file is absent, unreadable or a folder.
  explicit TextFile(const std::filesystem::path& path);

  const std::string& path() const;
  /// The last part of the path, for reports.
  std::string file_name() const;
  Bytes bytes() const;
  /// Names the content: XXH3, 128 bits, as 32 hexadecimal digits.
  std::string content_hash() const;

 private:
  struct Content;
  std::shared_ptr<const Content> content_;
};

/// Text files by path, so that a file that is named for two purposes is opened once.
class TextFiles {
 public:
  /// Throws the errors of TextFile.
  TextFile open(const std::filesystem::path& path);

 private:
  std::map<std::filesystem::path, TextFile> opened_;
};

/// Calls use(number, line) for each line that is not empty; `number` counts from 1, and the line comes without its line
/// end (\n or \r\n). A byte order mark is left out. Throws Error{malformed} naming file and line where a line is not
/// UTF-8.
void for_each_line(const TextFile& file, const std::function<void(size_t number, std::string_view line)>& use);

/// One text a line; empty lines are left out. Throws Error{malformed} when there is no text, and the errors of
/// for_each_line.
std::vector<std::string> read_lines(const TextFile& file);
/// Opens the path and reads it; throws the errors of TextFile, too.
std::vector<std::string> read_lines(const std::filesystem::path& path);

/// The whole file as one text; line ends become \n, and a byte order mark is left out. Throws as read_lines does.
std::string read_text(const TextFile& file);
/// Opens the path and reads it; throws the errors of TextFile, too.
std::string read_text(const std::filesystem::path& path);

}  // namespace lathe
