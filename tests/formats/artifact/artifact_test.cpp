#include "formats/artifact/artifact.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>

#include "formats/artifact/artifact_writer.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

EncodedBuffer f32_tensor(Shape shape, float first) {
  std::vector<float> values(element_count(shape, "test"));
  for (size_t i = 0; i < values.size(); ++i) values[i] = first + static_cast<float>(i);
  return f32_buffer(std::move(shape), values);
}

EncodedBuffer int8_tensor() {
  EncodedBuffer t{{ValueType::int8, Sparsity::bitmask, 0}, {2, 4}, {}};
  t.plane(Plane::mask) = {std::byte{0b0101}, std::byte{0b1111}};
  t.plane(Plane::values).assign(6, std::byte{3});
  t.plane(Plane::row_scales) = {std::byte{0}, std::byte{0x3f}, std::byte{0}, std::byte{0x3f}};
  return t;
}

// Two linear layers over an embedding: [5, 4] -> 4 -> 2.
Program small_program() {
  Program p;
  p.weights = {"table", "w", "b"};
  p.add_value("words", RowKind::tokens, 4);
  p.add_value("out", RowKind::tokens, 2);
  p.add_value("pooled", RowKind::sequences, 2);
  p.ops.push_back({ops::Embedding{}, {}, {0}, 0});
  p.ops.push_back({ops::Linear{}, {0}, {1, 2}, 1});
  p.ops.push_back({ops::Pool{}, {1}, {}, 2});
  p.outputs = {2};
  return p;
}

void write_small(const std::filesystem::path& path, float first = 0) {
  ArtifactWriter writer(path);
  writer.add_tensor("w", int8_tensor().view());
  writer.add_tensor("table", f32_tensor({5, 4}, first).view());
  writer.add_tensor("b", f32_tensor({2}, first).view());
  writer.set_section(layout::Section::recipe, "{}");
  writer.finish(small_program());
}

std::string read_all(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// True when opening or verifying finds a fault; a crash fails the test run.
bool is_refused(const std::filesystem::path& path) {
  try {
    return !Artifact::open(path).verify().empty();
  } catch (const Error& error) {
    return error.code() == Errc::malformed || error.code() == Errc::unsupported;
  }
}

}  // namespace

TEST_CASE("an artifact gives back what was written", "[formats][artifact]") {
  const test::TempDir dir;
  write_small(dir / "a.lathe", 2);
  const Artifact artifact = Artifact::open(dir / "a.lathe");
  CHECK(artifact.verify().empty());
  CHECK(artifact.program() == small_program());
  CHECK(artifact.section_text(layout::Section::recipe) == "{}");
  CHECK(artifact.section(layout::Section::provenance).empty());
  CHECK(decode(artifact.tensor("w").tensor) == decode(int8_tensor().view()));
  CHECK(decode(artifact.tensor("b").tensor) == std::vector<float>{2, 3});
  CHECK_THROWS_WITH(artifact.tensor("x"), Catch::Contains("tensor x is missing"));
}

TEST_CASE("the same calls write the same bytes", "[formats][artifact]") {
  const test::TempDir dir;
  write_small(dir / "a.lathe");
  write_small(dir / "b.lathe");
  CHECK(read_all(dir / "a.lathe") == read_all(dir / "b.lathe"));
}

TEST_CASE("case 190, 191: every flipped byte of an artifact is found", "[formats][artifact]") {
  const test::TempDir dir;
  write_small(dir / "a.lathe");
  const std::string good = read_all(dir / "a.lathe");
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    if (!is_refused(dir.write("bad.lathe", bad))) FAIL("byte " << at << " can be flipped unnoticed");
  }
}

TEST_CASE("case 191: verify names the tensor and plane that changed", "[formats][artifact]") {
  const test::TempDir dir;
  write_small(dir / "a.lathe");
  std::string bad = read_all(dir / "a.lathe");
  const Artifact artifact = Artifact::open(dir / "a.lathe");
  const auto offset = artifact.tensor("w").tensor.plane(Plane::values).data() - artifact.file().bytes().data();
  bad[static_cast<size_t>(offset)] = 4;
  const auto faults = Artifact::open(dir.write("bad.lathe", bad)).verify();
  REQUIRE(faults.size() == 1);
  CHECK_THAT(faults[0], Catch::Contains("tensor w: plane values"));
}

TEST_CASE("case 192: an artifact cut anywhere is refused", "[formats][artifact]") {
  const test::TempDir dir;
  write_small(dir / "a.lathe");
  const std::string good = read_all(dir / "a.lathe");
  for (size_t size = 0; size < good.size(); ++size) {
    if (!is_refused(dir.write("cut.lathe", good.substr(0, size)))) FAIL("cut at " << size);
  }
  CHECK(is_refused(dir.write("long.lathe", good + "x")));
}

TEST_CASE("case 193: an artifact of a later version is unsupported, not malformed", "[formats][artifact]") {
  const test::TempDir dir;
  write_small(dir / "a.lathe");
  std::string later = read_all(dir / "a.lathe");
  later[8] = 2;
  try {
    Artifact::open(dir.write("later.lathe", later));
    FAIL("it was opened");
  } catch (const Error& error) {
    CHECK(error.code() == Errc::unsupported);
    CHECK_THAT(error.what(), Catch::Contains("version 2"));
  }
}

TEST_CASE("without finish nothing appears, and the old file stays", "[formats][artifact]") {
  const test::TempDir dir;
  write_small(dir / "a.lathe");
  const std::string before = read_all(dir / "a.lathe");
  {
    ArtifactWriter writer(dir / "a.lathe");
    writer.add_tensor("w", int8_tensor().view());
    ArtifactWriter fresh(dir / "new.lathe");
    fresh.add_tensor("w", int8_tensor().view());
  }
  CHECK(read_all(dir / "a.lathe") == before);
  CHECK_FALSE(std::filesystem::exists(dir / "new.lathe"));
  CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}

TEST_CASE("a full disk is an I/O error, and the old file stays", "[formats][artifact]") {
  const test::TempDir dir;
  write_small(dir / "a.lathe");
  const std::string before = read_all(dir / "a.lathe");
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {  // a limit on the size of files stands in for the disk
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{200, 200};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write_small(dir / "a.lathe", 1);
    } catch (const Error& error) {
      ::_exit(error.code() == Errc::io ? 0 : 2);
    }
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(read_all(dir / "a.lathe") == before);
}

TEST_CASE("a target that cannot be created is an error before any work", "[formats][artifact]") {
  const test::TempDir dir;
  const auto code_of = [](const std::filesystem::path& path) {
    try {
      const ArtifactWriter writer(path);
    } catch (const Error& error) {
      return error.code();
    }
    return Errc::internal;
  };
  CHECK(code_of(dir / "absent/a.lathe") == Errc::cannot_create);
  CHECK(code_of(dir.path()) == Errc::cannot_create);
}

}  // namespace lathe
