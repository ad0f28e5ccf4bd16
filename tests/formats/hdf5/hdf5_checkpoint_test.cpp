// Good HDF5 files, recorded by experiments/references/record_hdf5.py.

#include "formats/hdf5/hdf5_checkpoint.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "formats/hdf5/hdf5_contents.h"
#include "formats/safetensors/safetensors_checkpoint.h"
#include "tests/cli/command.h"
#include "tests/support/paths.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::data_path;
using test::read_text;
using test::TempDir;

bool same_bytes(const TensorView& a, const TensorView& b) {
  return std::equal(a.bytes.begin(), a.bytes.end(), b.bytes.begin(), b.bytes.end());
}

TEST_CASE("every type in every layout is read as h5py wrote it", "[formats][hdf5]") {
  const auto checkpoint = open_hdf5(data_path("hdf5/plain.h5"));
  const auto expected = open_safetensors(data_path("hdf5/plain.safetensors"));
  size_t compared = 0;
  for (const std::string& name : expected->names()) {
    INFO(name);
    REQUIRE(checkpoint->has(name));
    const TensorView found = checkpoint->tensor(name), wanted = expected->tensor(name);
    CHECK(std::string(dtype_name(found.dtype)) == dtype_name(wanted.dtype));
    CHECK(found.shape == wanted.shape);
    CHECK(same_bytes(found, wanted));
    ++compared;
  }
  CHECK(compared == checkpoint->names().size() - 1);
  CHECK(checkpoint->tensor("brain").dtype == DType::bf16);
  CHECK(read_f32(*checkpoint, "brain") == std::vector<float>{1, -2});
  REQUIRE(checkpoint->warnings().size() == 1);
  CHECK_THAT(checkpoint->warnings()[0],
             Contains("3 datasets are left out as not numbers") && Contains("/record (compound records)"));
}

TEST_CASE("files of old libraries behind a user block are read and recognised", "[formats][hdf5]") {
  const auto file = data_path("hdf5/old.h5");
  const TempDir dir;
  const auto renamed = dir.write("weights", read_text(file));
  CHECK(is_hdf5(renamed));
  CHECK_FALSE(is_hdf5(dir.write("other", "no signature")));
  const auto checkpoint = open_checkpoint(renamed);
  CHECK(checkpoint->names() == std::vector<std::string>{"group.contiguous", "group.deflated"});
  const std::vector<float> values = read_f32(*checkpoint, "group.deflated");
  REQUIRE(values.size() == 60);
  for (size_t i = 0; i < values.size(); ++i) CHECK(values[i] == static_cast<float>(i));
  checkpoint->release("group.deflated");
  CHECK(read_f32(*checkpoint, "group.deflated") == values);
}

TEST_CASE("weights of Keras 3 keep their paths, and the optimizer is left out", "[formats][hdf5]") {
  const auto checkpoint = open_hdf5(data_path("hdf5/keras3.weights.h5"));
  CHECK(checkpoint->names() == std::vector<std::string>{"layers.dense.vars.0", "layers.dense.vars.1",
                                                        "layers.dropout.seed_generator.vars.0",
                                                        "layers.sequential.layers.dense.vars.0"});
  CHECK(checkpoint->tensor("layers.dense.vars.0").shape == Shape{2, 3});  // as it is stored
  REQUIRE(checkpoint->warnings().size() == 1);
  CHECK_THAT(checkpoint->warnings()[0],
             Contains("2 datasets are left out as no weights") && Contains("/optimizer/vars/0"));
}

TEST_CASE("weights of Keras 2 get the names and the order of PyTorch", "[formats][hdf5]") {
  const auto checkpoint = open_hdf5(data_path("hdf5/keras2.h5"));
  CHECK(checkpoint->names() == std::vector<std::string>{"conv.bias", "conv.weight", "dense.bias", "dense.weight",
                                                        "inner.dense_1.weight", "inner.line.weight", "norm.bias",
                                                        "norm.running_mean", "norm.running_var", "norm.weight",
                                                        "table.weight", "temperature"});
  CHECK(checkpoint->tensor("dense.weight").shape == Shape{3, 2});
  CHECK(read_f32(*checkpoint, "dense.weight") == std::vector<float>{0, 3, 1, 4, 2, 5});
  CHECK(checkpoint->tensor("table.weight").shape == Shape{4, 2});  // a table is no kernel
  CHECK(checkpoint->tensor("inner.line.weight").shape == Shape{4, 3, 2});
  REQUIRE(checkpoint->tensor("conv.weight").shape == Shape{4, 3, 1, 2});
  const std::vector<float> conv = read_f32(*checkpoint, "conv.weight");
  for (size_t o = 0, at = 0; o < 4; ++o) {
    for (size_t i = 0; i < 3; ++i) {
      for (size_t w = 0; w < 2; ++w) CHECK(conv[at++] == static_cast<float>((w * 3 + i) * 4 + o));
    }
  }
  REQUIRE(checkpoint->warnings().size() == 1);
  CHECK_THAT(checkpoint->warnings()[0],
             Contains("1 dataset is left out as no weights") && Contains("/optimizer_weights/adam/m:0"));
}

TEST_CASE("a file of transformers for TensorFlow has the tensors of the PyTorch model", "[formats][hdf5]") {
  const auto checkpoint = open_hdf5(data_path("hdf5/tf_bert.h5"));
  const auto original = open_safetensors(data_path("bert_tiny/model.safetensors"));
  size_t compared = 0;
  for (const std::string& name : original->names()) {
    const TensorView wanted = original->tensor(name);
    if (wanted.dtype != DType::f32 || name.find(".layer.1.") != name.npos) continue;
    INFO(name);
    REQUIRE(checkpoint->has("bert." + name));
    CHECK(checkpoint->tensor("bert." + name).shape == wanted.shape);
    const std::vector<float> found = read_f32(*checkpoint, "bert." + name);
    std::vector<float> values = to_f32(wanted, name);
    for (float& value : values) {  // as the record has them
      value = std::bit_cast<float>(std::bit_cast<uint32_t>(value) & 0xffe00000U);
    }
    CHECK(found == values);
    ++compared;
  }
  CHECK(compared == checkpoint->names().size());
  CHECK(checkpoint->warnings().empty());
}

TEST_CASE("a folder may have its weights in an HDF5 file, after safetensors", "[formats][hdf5]") {
  const std::string plain = read_text(data_path("hdf5/plain.h5"));
  for (const char* name : {"model.h5", "model.weights.h5", "tf_model.h5"}) {
    const TempDir dir;
    dir.write(name, plain);
    CHECK(open_checkpoint(dir.path())->has("types.f4"));
    dir.write("model.safetensors", read_text(data_path("hdf5/plain.safetensors")));
    CHECK_FALSE(open_checkpoint(dir.path())->has("brain"));
  }
}

TEST_CASE("what the worker leaves behind is gone", "[formats][hdf5]") {
  const TempDir dir;
  ::setenv("TMPDIR", dir.path().c_str(), 1);
  const auto checkpoint = open_hdf5(data_path("hdf5/keras2.h5"));
  CHECK(read_f32(*checkpoint, "dense.weight").size() == 6);
  CHECK(std::filesystem::is_empty(dir.path()));
  ::unsetenv("TMPDIR");
}

}  // namespace
}  // namespace lathe
