// A file that Keras 3 wrote, and files of an attacker's.

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "formats/artifact/checksum.h"
#include "formats/hdf5/hdf5_checkpoint.h"
#include "tests/support/paths.h"
#include "tests/support/real_data.h"

namespace lathe {
namespace {

TEST_CASE("the weights of a real model are those that h5py reads", "[formats][hdf5][real][data]") {
  constexpr const char* kFile = "hed/model.weights.h5";
  const std::filesystem::path folder = test::real_data(kFile);
  if (folder.empty()) return;
  const auto checkpoint = open_hdf5(folder / kFile);
  CHECK(checkpoint->warnings().empty());
  std::ifstream recorded(test::data_path("hdf5/hed.txt"));
  std::string name, type, shape, hash;
  size_t compared = 0;
  while (recorded >> name >> type >> shape >> hash) {
    INFO(name);
    REQUIRE(checkpoint->has(name));
    const TensorView tensor = checkpoint->tensor(name);
    CHECK(type == "float32");
    CHECK(tensor.dtype == DType::f32);
    std::string extents;
    for (const uint64_t extent : tensor.shape) extents += (extents.empty() ? "" : ",") + std::to_string(extent);
    CHECK(extents == shape);
    CHECK(content_hash(tensor.bytes) == hash);
    checkpoint->release(name);
    ++compared;
  }
  CHECK(compared == 38);
  CHECK(checkpoint->names().size() == compared);
}

// Files that are known to crash libhdf5 or to hang it, such as those of the HDF Group's list of vulnerabilities.
TEST_CASE("case 173: no file of a collection of attacks ends or stops the program", "[formats][hdf5][corpus]") {
  const char* folder = std::getenv("LATHE_HDF5_CORPUS");
  if (folder == nullptr) {
    WARN("LATHE_HDF5_CORPUS names no folder of hostile HDF5 files: skipped");
    return;
  }
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    INFO(entry.path());
    const auto start = std::chrono::steady_clock::now();
    try {
      const auto checkpoint = open_hdf5(entry.path());
      for (const std::string& name : checkpoint->names()) static_cast<void>(checkpoint->tensor(name));
    } catch (const Error& error) {
      CHECK(error.code() != Errc::internal);
    }
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
    ++files;
  }
  CHECK(files > 0);
}

}  // namespace
}  // namespace lathe
