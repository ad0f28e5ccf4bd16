#include "compress/export/hdf5/export_hdf5.h"

#include <catch2/catch.hpp>

#include "compress/source/source_model.h"
#include "formats/hdf5/hdf5_checkpoint.h"
#include "formats/hdf5/hdf5_contents.h"
#include "formats/hdf5/hdf5_writer.h"
#include "formats/safetensors/safetensors_checkpoint.h"
#include "tests/formats/expect_error.h"
#include "tests/support/compress_tiny.h"
#include "tests/support/paths.h"
#include "tests/support/tiny_artifact.h"

namespace lathe {
namespace {

using test::compress_to;
using test::data_path;
using test::expect_error;
using test::file_bytes;
using test::TempDir;

TEST_CASE("every weight of an artifact is in its HDF5 file as it decodes", "[compress][hdf5]") {
  const TempDir dir;
  const SourceModel source = open_source(data_path("bert_tiny"), false);
  compress_to(source, test::quick_recipe("int4", 0.5), dir / "m.lathe");
  const Artifact artifact = Artifact::open(dir / "m.lathe");
  const Hdf5Export result = export_hdf5(artifact, dir / "m.h5");
  CHECK(result.bytes == std::filesystem::file_size(dir / "m.h5"));
  CHECK(result.tensors == artifact.tensors().size());
  CHECK(result.notes.empty());
  const auto back = open_hdf5(dir / "m.h5");
  REQUIRE(back->names().size() == artifact.tensors().size());
  for (const StoredTensor& stored : artifact.tensors()) {
    INFO(stored.name);
    CHECK(back->tensor(stored.name).shape == stored.tensor.shape);
    CHECK(read_f32(*back, stored.name) == decode(stored.tensor));
  }
  export_hdf5(artifact, dir / "again.h5");
  CHECK(file_bytes(dir / "again.h5") == file_bytes(dir / "m.h5"));
}

TEST_CASE("the factors of a low-rank layer become the weight that they stand for", "[compress][hdf5]") {
  const TempDir dir;
  const SourceModel source = open_source(data_path("bert_tiny"), false);
  Recipe recipe = test::quick_recipe("f32");
  recipe.low_rank = 4;
  compress_to(source, recipe, dir / "m.lathe");
  const Artifact artifact = Artifact::open(dir / "m.lathe");
  const Hdf5Export result = export_hdf5(artifact, dir / "m.h5");
  CHECK(result.tensors < artifact.tensors().size());
  const auto back = open_hdf5(dir / "m.h5");
  const std::string name = "encoder.layer.0.attention.self.query.weight";
  REQUIRE(artifact.tensor(name + ".up").tensor.shape == Shape{32, 4});
  const std::vector<float> up = decode(artifact.tensor(name + ".up").tensor);
  const std::vector<float> down = decode(artifact.tensor(name + ".down").tensor);
  const std::vector<float> product = read_f32(*back, name);
  REQUIRE(back->tensor(name).shape == Shape{32, 32});
  for (size_t row = 0; row < 32; ++row) {
    for (size_t column = 0; column < 32; ++column) {
      double sum = 0;
      for (size_t rank = 0; rank < 4; ++rank) sum += static_cast<double>(up[row * 4 + rank]) * down[rank * 32 + column];
      CHECK(product[row * 32 + column] == static_cast<float>(sum));
    }
  }
  for (const std::string& other : back->names()) CHECK_FALSE((other.ends_with(".up") || other.ends_with(".down")));
}

TEST_CASE("the task of an artifact stands in the attributes of its HDF5 file", "[compress][hdf5]") {
  const TempDir dir;
  const auto artifact = Artifact::open(test::write_tiny(dir / "m.lathe"));
  export_hdf5(artifact, dir / "m.h5");
  const std::string bytes = file_bytes(dir / "m.h5");
  for (const char* part : {"kind", "sentence-embedding", "pooling", "encoding", "f32"}) {
    CHECK_THAT(bytes, Catch::Matchers::Contains(part));
  }
}

TEST_CASE("a damaged artifact is not exported to HDF5", "[compress][hdf5]") {
  const TempDir dir;
  std::string bytes = file_bytes(test::write_tiny(dir / "m.lathe"));
  const Artifact good = Artifact::open(dir / "m.lathe");
  const auto* values = good.tensors().front().tensor.planes[0].data();
  bytes[static_cast<size_t>(values - good.file().bytes().data())] ^= 1;
  const auto bad = dir.write("bad.lathe", bytes);
  expect_error(Errc::malformed, {"bad.lathe"}, [&] { export_hdf5(Artifact::open(bad), dir / "m.h5"); });
  CHECK_FALSE(std::filesystem::exists(dir / "m.h5"));
}

TEST_CASE("a model compresses to the same weights from HDF5 as from safetensors", "[compress][hdf5]") {
  const TempDir dir;
  const auto folder = dir / "model";
  std::filesystem::copy(data_path("bert_tiny"), folder);
  const auto original = open_safetensors(folder / "model.safetensors");
  std::vector<Hdf5Output> outputs;
  for (const std::string& name : original->names()) {
    if (original->tensor(name).dtype != DType::f32) continue;
    outputs.push_back({name, original->tensor(name).shape, {}, [&original, name](const Hdf5Sink& sink) {
                         sink(read_f32(*original, name));
                       }});
  }
  write_hdf5(folder / "model.h5", outputs, {});
  const Recipe recipe = test::quick_recipe("int8", 0.5);
  compress_to(open_source(folder, false), recipe, dir / "safetensors.lathe");
  std::filesystem::remove(folder / "model.safetensors");
  const SourceModel source = open_source(folder, false);
  CHECK(source.checkpoint->files().front().path == (folder / "model.h5").string());
  compress_to(source, recipe, dir / "hdf5.lathe");
  const Artifact a = Artifact::open(dir / "safetensors.lathe"), b = Artifact::open(dir / "hdf5.lathe");
  CHECK(a.program().ops == b.program().ops);
  REQUIRE(a.tensors().size() == b.tensors().size());
  for (size_t i = 0; i < a.tensors().size(); ++i) {
    CHECK(a.tensors()[i].name == b.tensors()[i].name);
    CHECK(a.tensors()[i].checksums == b.tensors()[i].checksums);
  }
  for (const layout::Section section : {layout::Section::task, layout::Section::recipe, layout::Section::tokenizer}) {
    CHECK(a.section_text(section) == b.section_text(section));
  }
}

}  // namespace
}  // namespace lathe
