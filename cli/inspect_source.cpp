#include "cli/inspect_source.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>

#include "cli/text.h"
#include "compress/facts/facts_json.h"
#include "compress/facts/number_text.h"
#include "formats/artifact/layout.h"
#include "formats/gguf/gguf.h"
#include "formats/gguf/gguf_source.h"
#include "formats/text.h"

namespace lathe::cli {
namespace {

SourceListing list_gguf(const std::filesystem::path& path) {
  const GgufFile file(path);
  SourceListing listing{path.string(), file.files(), {}, {}};
  for (const GgufTensor& tensor : file.tensors()) {
    listing.tensors.push_back({tensor.name, gguf_traits(tensor.type).name, tensor.shape, tensor.bytes.size()});
  }
  std::sort(listing.tensors.begin(), listing.tensors.end(),
            [](const SourceTensor& a, const SourceTensor& b) { return a.name < b.name; });
  return listing;
}

SourceListing list_checkpoint(const std::filesystem::path& path) {
  const std::unique_ptr<Checkpoint> checkpoint = open_checkpoint(path);
  SourceListing listing{path.string(), checkpoint->files(), {}, checkpoint->warnings()};
  for (const std::string& name : checkpoint->names()) {
    try {
      const TensorView tensor = checkpoint->tensor(name);
      listing.tensors.push_back({name, dtype_name(tensor.dtype), tensor.shape, tensor.bytes.size()});
      checkpoint->release(name);
    } catch (const Error& error) {
      if (error.code() != Errc::unsupported) throw;
      listing.warnings.emplace_back(error.what());
    }
  }
  return listing;
}

uint64_t parameters(const SourceListing& listing) {
  uint64_t sum = 0;
  for (const SourceTensor& tensor : listing.tensors) sum += element_count(tensor.shape, tensor.name);
  return sum;
}

struct TypeSums {
  uint64_t tensors = 0, parameters = 0, bytes = 0;
};
std::map<std::string, TypeSums> sums_by_type(const SourceListing& listing) {
  std::map<std::string, TypeSums> types;
  for (const SourceTensor& tensor : listing.tensors) {
    TypeSums& sums = types[tensor.type];
    ++sums.tensors;
    sums.parameters += element_count(tensor.shape, tensor.name);
    sums.bytes += tensor.bytes;
  }
  return types;
}

}  // namespace

bool is_source(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return true;
  if (path.extension() == ".lathe" || !std::filesystem::is_regular_file(path, ignored)) return false;
  std::array<char, layout::kMagic.size()> start{};
  std::ifstream stream(path, std::ios::binary);
  stream.read(start.data(), start.size());
  return !stream || !std::equal(start.begin(), start.end(), layout::kMagic.begin(),
                                [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
}

SourceListing list_source(const std::filesystem::path& path) {
  return is_gguf_source(path) ? list_gguf(gguf_file_of(path)) : list_checkpoint(path);
}

Json source_json(const SourceListing& listing) {
  Json files = Json::array(), tensors = Json::array();
  for (const SourceFile& file : listing.files) {
    files.push(Json::object({{"path", file.path}, {"bytes", file.bytes}}));
  }
  for (const SourceTensor& tensor : listing.tensors) {
    Json shape = Json::array();
    for (const uint64_t extent : tensor.shape) shape.push(extent);
    tensors.push(Json::object(
        {{"name", tensor.name}, {"type", tensor.type}, {"shape", std::move(shape)}, {"bytes", tensor.bytes}}));
  }
  return Json::object({{"schema", kJsonSchema},
                       {"command", "inspect"},
                       {"source", listing.path},
                       {"files", std::move(files)},
                       {"parameters", parameters(listing)},
                       {"tensors", std::move(tensors)},
                       {"warnings", strings_json(listing.warnings)}});
}

std::string source_text(const SourceListing& listing) {
  std::vector<std::vector<std::string>> rows = {{"file", "bytes"}};
  for (const SourceFile& file : listing.files) rows.push_back({file.path, count_text(file.bytes)});
  std::string out = printable(listing.path, listing.path.size()) + "\n\nFiles\n" + table(rows, "lr");
  rows = {{"type", "tensors", "parameters", "bytes"}};
  for (const auto& [type, sums] : sums_by_type(listing)) {
    rows.push_back({type, count_text(sums.tensors), count_text(sums.parameters), count_text(sums.bytes)});
  }
  out += "\nTypes\n" + table(rows, "lrrr");
  rows = {{"tensor", "type", "shape", "bytes"}};
  for (const SourceTensor& tensor : listing.tensors) {
    rows.push_back(
        {printable(tensor.name, tensor.name.size()), tensor.type, shape_text(tensor.shape), count_text(tensor.bytes)});
  }
  out += "\nTensors\n" + table(rows, "lllr");
  if (!listing.warnings.empty()) out += "\nWarnings\n";
  for (const std::string& warning : listing.warnings) out += "  " + warning + "\n";
  return out;
}

}  // namespace lathe::cli
