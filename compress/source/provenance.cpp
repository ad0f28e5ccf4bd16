#include "compress/source/provenance.h"

#include <filesystem>

#include "compress/job/version.h"
#include "formats/artifact/checksum.h"
#include "formats/artifact/mapped_file.h"

namespace lathe {
namespace {

Json file_entry(const std::string& name, uint64_t bytes, const std::string& hash) {
  return Json::object({{"file", name}, {"bytes", bytes}, {"xxh3_128", hash}});
}

}  // namespace

Json provenance_of_text(const TextFile& file) {
  return file_entry(file.file_name(), file.bytes().size(), file.content_hash());
}

Json provenance_of_source(const SourceModel& source) {
  Json files = Json::array();
  for (const SourceFile& each : source.checkpoint->files()) {
    const MappedFile file(each.path);
    files.push(
        file_entry(std::filesystem::path(each.path).filename().string(), file.bytes().size(), content_hash(file)));
  }
  return Json::object({{"lathe", kLatheVersion}, {"model", source.name}, {"source", files}});
}

}  // namespace lathe
