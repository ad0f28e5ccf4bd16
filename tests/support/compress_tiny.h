#pragma once
// The pipeline in one call, for tests of what comes out of it.

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "compress/pipeline/compress.h"
#include "runtime/text/embedder.h"
#include "tests/support/tiny_model.h"

namespace lathe::test {

inline std::string file_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

/// The inputs of a compression; texts are opened for this call alone.
inline ResolvedInputs resolved(const SourceModel& source, const Recipe& recipe) {
  TextFiles files;
  ResolvedInputs inputs = resolve_inputs(source, recipe, files);
  load_engine(inputs.work);
  return inputs;
}

inline Samples samples_of(const SourceModel& source, const Recipe& recipe) {
  std::optional<TextFile> text;
  if (!recipe.calibration_file.empty()) text.emplace(recipe.calibration_file);
  return make_samples(source, {text, recipe.calibration_tokens, recipe.calibration_length, recipe.seed});
}

inline CompressedModel compress_to(const SourceModel& source, const Recipe& recipe, const std::filesystem::path& out,
                                   size_t threads = 1) {
  SilentProgress silent;
  ArtifactWriter writer(out);
  const ResolvedInputs inputs = resolved(source, recipe);
  return compress(inputs.work, make_compression_plan(source, recipe), writer, silent, threads);
}

/// What compress_to writes, as bytes.
inline std::string compressed_bytes(const SourceModel& source, const Recipe& recipe, size_t threads = 1) {
  const TempDir dir;
  compress_to(source, recipe, dir / "out.lathe", threads);
  return file_bytes(dir / "out.lathe");
}

inline Recipe quick_recipe(const std::string& quant, double prune = 0) {
  Recipe recipe;
  recipe.quant = quant;
  recipe.prune = prune;
  recipe.calibration_tokens = 512;
  recipe.calibration_length = 32;
  return recipe;
}

}  // namespace lathe::test
