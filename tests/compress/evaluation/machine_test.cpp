#include "compress/evaluation/machine.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "compress/job/version.h"
#include "tests/support/paths.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;

}  // namespace

TEST_CASE("the machine tells its instruction set, version and memory", "[compress][machine]") {
  const Machine machine = this_machine();
  CHECK_FALSE(machine.isa.empty());
  CHECK(machine.cores > 0);
  CHECK_FALSE(machine.system.empty());
  CHECK_FALSE(machine.compiler.empty());
  CHECK(machine.version == kLatheVersion);
  const uint64_t before = peak_resident_bytes();
  CHECK(before > 1'000'000);
  const std::vector<char> touched(before + 8'000'000, 1);
  CHECK(peak_resident_bytes() >= before + 8'000'000 * size_t{touched.back() == 1});
}

TEST_CASE("the version is the one of the build", "[compress][machine]") {
  std::ifstream file(test::source_path("CMakeLists.txt"));
  REQUIRE(file.good());
  std::stringstream text;
  text << file.rdbuf();
  CHECK_THAT(text.str(), Contains("project(lathe VERSION " + std::string(kLatheVersion) + " "));
}

}  // namespace lathe
