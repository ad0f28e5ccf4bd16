// all-MiniLM-L6-v2 against what PyTorch computes for it (experiments/references/record_minilm.py). The model and the
// texts lie in the folder that LATHE_TEST_DATA names, as experiments/data/fetch.py puts them there.

#include <catch2/catch.hpp>

#include "compress/evaluation/fidelity.h"
#include "compress/evaluation/sts.h"
#include "formats/artifact/half.h"
#include "runtime/text/embedder.h"
#include "tests/support/compress_tiny.h"
#include "tests/support/paths.h"
#include "tests/support/real_data.h"

namespace lathe {
namespace {

using test::TempDir;

std::vector<float> recorded_embeddings() {
  const std::string bytes = test::file_bytes(test::data_path("minilm/background_embeddings.f16"));
  std::vector<float> values(bytes.size() / 2);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = f16_to_f32(load_le<uint16_t>(reinterpret_cast<const std::byte*>(bytes.data()) + 2 * i));
  }
  return values;
}

constexpr double kPearson = 0.6564;  // of PyTorch on the Lee pairs, in f32

}  // namespace

TEST_CASE("the vectors of a real model equal PyTorch's, and so does its accuracy", "[compress][real]") {
  const std::filesystem::path data = test::real_data("minilm/model.safetensors");
  if (data.empty()) return;
  const TempDir dir;
  const SourceModel source = open_source(data / "minilm", false);
  test::compress_to(source, Recipe(), dir / "f32.lathe", 0);
  const Model model = Model::open(dir / "f32.lathe");
  Embedder embedder(model);
  const std::vector<std::string> texts = read_lines(data / "lee/background.txt");
  REQUIRE(texts.size() == 300);
  const FidelityResult same = fidelity(recorded_embeddings(), embedder.embed(texts), embedder.dimension());
  CAPTURE(same.mean, same.minimum);
  CHECK(same.texts == 300);
  CHECK(same.minimum >= 0.99999);
  const StsData sts = read_sts(data / "lee/sts.tsv");
  CHECK(evaluate_sts(sts, embedder.embed(sts.texts), embedder.dimension()).main().value ==
        Approx(kPearson).margin(0.0005).epsilon(0));
}

TEST_CASE("a real model in 8 bits keeps its accuracy without any data of the user", "[compress][real][.slow]") {
  const std::filesystem::path data = test::real_data("minilm/model.safetensors");
  if (data.empty()) return;
  const TempDir dir;
  const SourceModel source = open_source(data / "minilm", false);
  Recipe recipe;
  recipe.quant = "int8";
  const CompressedModel compressed = test::compress_to(source, recipe, dir / "int8.lathe", 0);
  CHECK(compressed.file_bytes * 3.8 < static_cast<double>(source.source_bytes()));
  const Model model = Model::open(dir / "int8.lathe");
  CHECK(model.artifact()->verify().empty());
  Embedder embedder(model);
  const std::vector<std::string> texts = read_lines(data / "lee/background.txt");
  const FidelityResult near = fidelity(recorded_embeddings(), embedder.embed(texts), embedder.dimension());
  CAPTURE(near.mean, near.minimum);
  CHECK(near.mean > 0.995);
  const StsData sts = read_sts(data / "lee/sts.tsv");
  CHECK(evaluate_sts(sts, embedder.embed(sts.texts), embedder.dimension()).main().value > kPearson - 0.02);
}

}  // namespace lathe
