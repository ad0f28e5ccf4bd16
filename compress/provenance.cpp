#include "compress/provenance.h"

#include <filesystem>

#include "compress/version.h"
#include "formats/artifact/checksum.h"
#include "formats/artifact/mapped_file.h"

namespace lathe {
namespace {

Json file_entry(const std::filesystem::path& path) {
  const MappedFile file(path);
  Json entry = Json::object({{"file", path.filename().string()},
                             {"bytes", static_cast<uint64_t>(file.bytes().size())},
                             {"xxh3_128", content_hash(file)}});
  return entry;
}

}  // namespace

Json provenance(const SourceModel& source, const Recipe& recipe) {
  Json files = Json::array();
  for (const SourceFile& file : source.checkpoint->files()) files.push(file_entry(file.path));
  Json json = Json::object({{"lathe", kLatheVersion}, {"model", source.name}, {"source", files}});
  if (!recipe.calibration_file.empty()) json.set("calibration", file_entry(recipe.calibration_file));
  return json;
}

Json results(const std::vector<WeightFacts>& weights) {
  Json layers = Json::array();
  for (const WeightFacts& weight : weights) {
    Json fallbacks = Json::array();
    for (const std::string& fallback : weight.fallbacks) fallbacks.push(fallback);
    Json layer = Json::object({{"name", weight.name}, {"method", weight.method}});
    if (weight.loss) layer.set("loss", *weight.loss);
    if (weight.loss_uncorrected) layer.set("loss_uncorrected", *weight.loss_uncorrected);
    if (!weight.fallbacks.empty()) layer.set("fallbacks", fallbacks);
    layers.push(std::move(layer));
  }
  return Json::object({{"layers", layers}});
}

}  // namespace lathe
