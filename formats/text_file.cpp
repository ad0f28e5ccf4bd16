#include "formats/text_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "formats/artifact/checksum.h"
#include "formats/artifact/mapped_file.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Everything that a pipe or a terminal gives.
std::string read_stream(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(Errc::no_input, message(path, ": cannot open: ", std::strerror(errno)));
  std::string text;
  std::array<char, 65536> block;
  for (;;) {
    const ssize_t count = ::read(fd, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count > 0) {
      text.append(block.data(), static_cast<size_t>(count));
      continue;
    }
    const int error = errno;
    ::close(fd);
    if (count < 0) fail(Errc::no_input, message(path, ": cannot read: ", std::strerror(error)));
    return text;
  }
}

bool is_stream(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode));
}

// Calls use(line number, line, ends) for each line, without its line end; `ends` tells whether it had one.
void for_all_lines(const TextFile& file, const std::function<void(size_t, std::string_view, bool)>& use) {
  std::string_view rest(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  if (rest.starts_with(kByteOrderMark)) rest.remove_prefix(kByteOrderMark.size());
  for (size_t number = 1; !rest.empty(); ++number) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    const bool ends = end != std::string_view::npos;
    rest.remove_prefix(ends ? end + 1 : rest.size());
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!is_utf8(line)) fail(Errc::malformed, message(file.path(), ": line ", number, ": is not UTF-8"));
    use(number, line, ends);
  }
}

}  // namespace

// Either the mapping or, of a stream, the text that it gave.
struct TextFile::Content {
  std::string path;
  std::optional<MappedFile> mapped;
  std::string streamed;
};

TextFile::TextFile(const std::filesystem::path& path) {
  auto content = std::make_shared<Content>();
  content->path = path.string();
  if (is_stream(content->path)) {
    content->streamed = read_stream(content->path);
  } else {
    content->mapped.emplace(path);
  }
  content_ = std::move(content);
}

const std::string& TextFile::path() const { return content_->path; }

std::string TextFile::file_name() const { return std::filesystem::path(content_->path).filename().string(); }

Bytes TextFile::bytes() const {
  return content_->mapped ? content_->mapped->bytes() : std::as_bytes(std::span(content_->streamed));
}

std::string TextFile::content_hash() const {
  return content_->mapped ? lathe::content_hash(*content_->mapped) : lathe::content_hash(bytes());
}

TextFile TextFiles::open(const std::filesystem::path& path) {
  const auto known = opened_.find(path);
  return known != opened_.end() ? known->second : opened_.emplace(path, TextFile(path)).first->second;
}

void for_each_line(const TextFile& file, const std::function<void(size_t, std::string_view)>& use) {
  for_all_lines(file, [&](size_t number, std::string_view line, bool) {
    if (!line.empty()) use(number, line);
  });
}

std::vector<std::string> read_lines(const TextFile& file) {
  std::vector<std::string> lines;
  for_each_line(file, [&](size_t, std::string_view line) { lines.emplace_back(line); });
  if (lines.empty()) fail(Errc::malformed, file.path() + ": has no text, expected one text a line");
  return lines;
}

std::vector<std::string> read_lines(const std::filesystem::path& path) { return read_lines(TextFile(path)); }

std::string read_text(const TextFile& file) {
  std::string text;
  for_all_lines(file, [&](size_t, std::string_view line, bool ends) {
    text += line;
    if (ends) text += '\n';
  });
  if (text.empty()) fail(Errc::malformed, file.path() + ": has no text");
  return text;
}

std::string read_text(const std::filesystem::path& path) { return read_text(TextFile(path)); }

}  // namespace lathe
