#include "formats/hdf5/hdf5_contents.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "formats/hdf5/worker_process.h"
#include "formats/json.h"
#include "formats/text.h"
#include "formats/unnamed_file.h"

namespace lathe {
namespace {

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";

Descriptor open_input(const std::string& path, uint64_t& bytes) {
  Descriptor input(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (input.get() < 0) fail(Errc::no_input, message(path, ": cannot open: ", std::strerror(errno)));
  struct stat info {};
  if (::fstat(input.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    fail(Errc::no_input, message(path, ": not a regular file"));
  }
  bytes = static_cast<uint64_t>(info.st_size);
  return input;
}

Descriptor open_spill() {
  const std::string folder = spill_folder();
  Descriptor spill(open_unnamed_file(folder));
  if (spill.get() < 0) {
    fail(Errc::io, message(folder, ": cannot create a temporary file: ", std::strerror(errno)));
  }
  return spill;
}

}  // namespace

bool has_hdf5_signature(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  const uint64_t size = std::filesystem::file_size(path, ignored);
  std::ifstream stream(path, std::ios::binary);
  for (uint64_t at = 0; !ignored && at + kSignature.size() <= size; at = at == 0 ? 512 : 2 * at) {
    std::string found(kSignature.size(), '\0');
    stream.seekg(static_cast<std::streamoff>(at));
    stream.read(found.data(), static_cast<std::streamsize>(found.size()));
    if (stream && found == kSignature) return true;
  }
  return false;
}

Hdf5Description parse_hdf5_description(Bytes output, const std::string& path) {
  const std::string what = message(path, ": what was read of it");
  Hdf5Description description{path, parse_safetensors(output, what), {}, {}};
  for (const auto& [key, text] : description.header.metadata) {
    if (key != "hdf5") continue;
    const Json json = parse_json(text, what);
    for (const Json::Member& group : json.at("attributes", what).members(what)) {
      for (const Json::Member& attribute : group.value.members(what)) {
        std::vector<std::string>& texts = description.attributes[group.key][attribute.key];
        for (const Json& item : attribute.value.items(what)) texts.push_back(item.as_string(what));
      }
    }
    for (const Json::Member& item : json.at("ignored", what).members(what)) {
      description.ignored.emplace(item.key, item.value.as_string(what));
    }
  }
  return description;
}

Hdf5Contents read_hdf5(const std::filesystem::path& file) {
  const std::string path = file.string();
  uint64_t bytes = 0;
  const Descriptor input = open_input(path, bytes);
  if (!has_hdf5_signature(file)) {
    fail(Errc::malformed, message(path, ": the signature of HDF5 is neither at byte 0 nor where else it may be"));
  }
  const std::filesystem::path program = find_hdf5_worker();
  const Descriptor spill = open_spill();
  run_hdf5_worker({program, "read", input.get(), spill.get(), hdf5_reading_limits(bytes), path});
  MappedFile values(spill.path());
  Hdf5Description description = parse_hdf5_description(values.bytes(), path);
  return {std::move(values), bytes, std::move(description)};
}

}  // namespace lathe
