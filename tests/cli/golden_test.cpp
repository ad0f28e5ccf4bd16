// The commands read artifacts that released versions wrote.

#include "tests/support/golden.h"

#include <catch2/catch.hpp>

#include "formats/json.h"
#include "tests/cli/command.h"

namespace lathe {
namespace {

TEST_CASE("verify and inspect read artifacts of released versions", "[cli][golden]") {
  const auto artifacts = test::golden_artifacts();
  CHECK(artifacts.size() >= test::kGoldenArtifacts);
  for (const std::filesystem::path& path : artifacts) {
    INFO(path.filename().string());
    const test::CommandResult verified = test::run_compress("verify " + test::quoted(path));
    CHECK(verified.code == 0);
    CHECK(verified.err.empty());
    const test::CommandResult inspected = test::run_compress("inspect --tensors --json " + test::quoted(path));
    REQUIRE(inspected.code == 0);
    const Json json = parse_json(inspected.out, "inspect");
    CHECK(json.at("bytes") == Json(std::filesystem::file_size(path)));
  }
}

TEST_CASE("run embeds, classifies and generates with artifacts of released versions", "[cli][golden]") {
  for (const std::filesystem::path& path : test::golden_artifacts()) {
    INFO(path.filename().string());
    const auto text = test::golden_family_file(path, ".txt");
    const test::CommandResult run =
        test::run_compress("run -q --input " + test::quoted(text) + " " + test::quoted(path));
    CHECK(run.code == 0);
    CHECK_FALSE(run.out.empty());
  }
}

}  // namespace
}  // namespace lathe
