#include "formats/hdf5/hdf5_writer.h"

#include <catch2/catch.hpp>
#include <thread>

#include "formats/hdf5/hdf5_checkpoint.h"
#include "formats/hdf5/hdf5_contents.h"
#include "tests/cli/command.h"
#include "tests/formats/expect_error.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_error;
using test::read_text;
using test::TempDir;

Hdf5Output output(const std::string& name, const Shape& shape, const std::vector<float>& values) {
  return {name, shape, {{"encoding", "int8"}}, [values](const Hdf5Sink& sink) {
            const std::span<const float> all(values);
            sink(all.first(values.size() / 2));
            sink(all.subspan(values.size() / 2));
          }};
}

std::vector<Hdf5Output> some_tensors() {
  return {output("encoder.layer.0.weight", {2, 3}, {1, -0.0f, 3, 4, 1e-42f, 6}), output("bias", {2}, {7, 8}),
          output("scalar", {}, {9}), output("empty", {0, 3}, {})};
}

TEST_CASE("what is written to HDF5 is read back bit by bit", "[formats][hdf5]") {
  const TempDir dir;
  const auto file = dir / "m.h5";
  const uint64_t bytes = write_hdf5(file, some_tensors(), {{"kind", "sentence-embedding"}, {"none", ""}});
  CHECK(bytes == std::filesystem::file_size(file));
  const auto checkpoint = open_hdf5(file);
  CHECK(checkpoint->names() == std::vector<std::string>{"bias", "empty", "encoder.layer.0.weight", "scalar"});
  CHECK(std::signbit(read_f32(*checkpoint, "encoder.layer.0.weight")[1]));
  CHECK(read_f32(*checkpoint, "encoder.layer.0.weight") == std::vector<float>{1, -0.0f, 3, 4, 1e-42f, 6});
  CHECK(checkpoint->tensor("encoder.layer.0.weight").shape == Shape{2, 3});
  CHECK(checkpoint->tensor("scalar").shape.empty());
  CHECK(checkpoint->tensor("empty").shape == Shape{0, 3});
  CHECK(checkpoint->warnings().empty());
  CHECK(checkpoint->where("bias") == file.string());
  REQUIRE(checkpoint->files().size() == 1);
  CHECK(checkpoint->files()[0].path == file.string());
  CHECK(checkpoint->files()[0].bytes == bytes);
}

TEST_CASE("the same tensors give the same HDF5 file at any time", "[formats][hdf5]") {
  const TempDir dir;
  write_hdf5(dir / "a.h5", some_tensors(), {{"kind", "test"}});
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // times in the file would have seconds
  write_hdf5(dir / "b.h5", some_tensors(), {{"kind", "test"}});
  CHECK(read_text(dir / "a.h5") == read_text(dir / "b.h5"));
}

TEST_CASE("what HDF5 cannot hold is refused, and the file stays as it was", "[formats][hdf5]") {
  const TempDir dir;
  const auto file = dir.write("m.h5", "as it was");
  const std::string path = file.string();
  expect_error(Errc::unsupported, {path, "a/b"}, [&] { write_hdf5(file, {output("a/b", {1}, {1})}, {}); });
  expect_error(Errc::limit, {path, "long"}, [&] {
    write_hdf5(file, {output("a", {1}, {1})}, {{"long", std::string(40'000, 'x')}});
  });
  expect_error(Errc::internal, {path, "tensor a [2]", "4 bytes", "needs 8"},
               [&] { write_hdf5(file, {output("a", {2}, {1})}, {}); });
  expect_error(Errc::cannot_create, {"nowhere"},
               [&] { write_hdf5(dir / "nowhere" / "m.h5", {output("a", {1}, {1})}, {}); });
  CHECK(read_text(file) == "as it was");
}

}  // namespace
}  // namespace lathe
