// HDF5 files that break a rule: each is an error that names what is wrong, and none of them stops or ends the program.

#include <catch2/catch.hpp>
#include <chrono>

#include "formats/hdf5/hdf5_checkpoint.h"
#include "runtime/random.h"
#include "tests/cli/command.h"
#include "tests/formats/expect_error.h"
#include "tests/support/paths.h"
#include "tests/support/safetensors_builder.h"

namespace lathe {
namespace {

using test::data_path;
using test::expect_error;
using test::read_text;
using test::TempDir;

/// More than any file here may take on a busy machine.
constexpr std::chrono::seconds kBound(10);

class Stopwatch {
 public:
  ~Stopwatch() { CHECK(std::chrono::steady_clock::now() - start_ < kBound); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

TEST_CASE("cases 158 to 172: a file that breaks a rule is refused by name", "[formats][hdf5]") {
  struct Case {
    const char* file;
    Errc code;
    std::vector<std::string> parts;
  };
  const std::vector<Case> cases = {
      {"external_storage", Errc::malformed, {"dataset /w", "outside file"}},
      {"external_link", Errc::unsupported, {"link /w", "another file"}},
      {"external_behind_soft", Errc::malformed, {"link /a", "leads nowhere"}},
      {"virtual", Errc::unsupported, {"dataset /w", "virtual"}},
      {"soft_circle", Errc::malformed, {"link /a", "leads nowhere or to itself"}},
      {"hard_circle", Errc::malformed, {"group /a/b/c", "circle"}},
      {"bomb_chunked", Errc::malformed, {"dataset /w", "562949953421312 bytes", "none are stored"}},
      {"bomb_contiguous", Errc::malformed, {"dataset /w", "562949953421312 bytes", "none are stored"}},
      {"not_stored", Errc::malformed, {"dataset /w", "64 bytes", "none are stored"}},
      {"partly_stored", Errc::malformed, {"dataset /w", "256 bytes", "64 stored bytes"}},
      {"list", Errc::unsupported, {"dataset /w", "lists of variable length"}},
      {"reference", Errc::unsupported, {"dataset /w", "references"}},
      {"complex_array", Errc::unsupported, {"dataset /w", "arrays"}},
      {"null_space", Errc::unsupported, {"dataset /w", "no dimensions"}},
      {"texts", Errc::unsupported, {"no tensors", "/w (texts)"}},
      {"records", Errc::unsupported, {"no tensors", "/w (compound records)"}},
      {"lzf", Errc::unsupported, {"dataset /w", "filter 32000 (lzf)", "deflate"}},
      {"plugin", Errc::unsupported, {"dataset /w", "filter 32015"}},
      {"deep", Errc::limit, {"group /g/g", "64 groups"}},
      {"weight_names", Errc::malformed, {"group /dense", "dense/bias:0", "not there"}},
      {"layer_names", Errc::malformed, {"2 attributes layer_names0", "no layer_names1"}},
      {"lambda", Errc::unsupported, {"model_config", "Lambda"}},
      {"same_name", Errc::malformed, {"/a/b", "/a.b", "name a.b"}},
  };
  for (const Case& bad : cases) {
    DYNAMIC_SECTION(bad.file) {
      const Stopwatch stopwatch;
      const auto file = data_path(message("hdf5/bad_", bad.file, ".h5"));
      std::vector<std::string> parts = bad.parts;
      parts.push_back(file.string());
      expect_error(bad.code, parts, [&] { open_hdf5(file); });
    }
  }
}

TEST_CASE("case 156: without the signature a file is no HDF5", "[formats][hdf5]") {
  const TempDir dir;
  std::string content = read_text(data_path("hdf5/plain.h5"));
  content[0] = 'x';
  const auto file = dir.write("plain.h5", content);
  expect_error(Errc::malformed, {file.string(), "signature"}, [&] { open_checkpoint(file); });
  expect_error(Errc::malformed, {"signature"}, [&] { open_hdf5(dir.write("empty.h5", "")); });
  expect_error(Errc::no_input, {"absent.h5"}, [&] { open_checkpoint(dir / "absent.h5"); });
  expect_error(Errc::no_input, {"not a regular file"}, [&] { open_hdf5(dir.path()); });
}

TEST_CASE("case 157: a truncated file is an error, wherever it is cut", "[formats][hdf5]") {
  const TempDir dir;
  const std::string content = read_text(data_path("hdf5/keras3.weights.h5"));
  const size_t step = content.size() / 40;
  for (size_t size = 8; size < content.size(); size += step) {
    const auto file = dir.write("cut.h5", std::string_view(content).substr(0, size));
    INFO(size);
    const Stopwatch stopwatch;
    expect_error(Errc::malformed, {file.string()}, [&] { open_hdf5(file); });
  }
}

TEST_CASE("case 168: a value that does not fit its fletcher32 sum is an error", "[formats][hdf5]") {
  const TempDir dir;
  std::string content = read_text(data_path("hdf5/plain.h5"));
  const auto checkpoint = open_hdf5(data_path("hdf5/plain.h5"));
  // The first chunk of `summed` begins with the values of its first row.
  const TensorView tensor = checkpoint->tensor("encoder.layer.0.summed");
  const std::string row(reinterpret_cast<const char*>(tensor.bytes.data()), 36);
  size_t places = 0;
  for (size_t at = content.find(row); at != content.npos; at = content.find(row, at + 1), ++places) content[at] ^= 1;
  REQUIRE(places >= 1);
  const auto file = dir.write("flipped.h5", content);
  expect_error(Errc::malformed, {file.string(), "dataset /encoder.layer.0.summed", "cannot be read"},
               [&] { open_hdf5(file); });
}

TEST_CASE("chunks that need more memory than the file may have are a limit", "[formats][hdf5]") {
  const TempDir dir;
  std::string content = read_text(data_path("hdf5/old.h5"));
  const std::string sizes = test::raw_bytes<uint32_t>({4, 4, 4});  // chunks of 4 times 4 values of 4 bytes
  const size_t at = content.find(sizes);
  REQUIRE(at != content.npos);
  content.replace(at, sizes.size(), test::raw_bytes<uint32_t>({1 << 13, 1 << 13, 4}));
  const auto file = dir.write("chunks.h5", content);
  expect_error(Errc::limit, {file.string(), "dataset /group/deflated", "chunks of 268435456 bytes", "the limit"},
               [&] { open_hdf5(file); });
}

TEST_CASE("a file with any byte changed is read or refused", "[formats][hdf5]") {
  const TempDir dir;
  Random random(2024);
  for (const char* name : {"hdf5/plain.h5", "hdf5/old.h5", "hdf5/keras2.h5"}) {
    const std::string content = read_text(data_path(name));
    size_t refused = 0;
    for (int i = 0; i < 150; ++i) {
      std::string changed = content;
      const int changes = 1 + i % 3;
      for (int change = 0; change < changes; ++change) {
        changed[random.below(changed.size())] = static_cast<char>(random.below(256));
      }
      const auto file = dir.write("changed.h5", changed);
      const Stopwatch stopwatch;
      try {
        const auto checkpoint = open_checkpoint(file);
        for (const std::string& tensor : checkpoint->names()) static_cast<void>(checkpoint->tensor(tensor));
      } catch (const Error& error) {
        CHECK(error.code() != Errc::internal);
        CHECK_THAT(error.what(), Catch::Matchers::Contains("changed.h5"));
        ++refused;
      }
    }
    CHECK(refused > 0);
  }
}

}  // namespace
}  // namespace lathe
