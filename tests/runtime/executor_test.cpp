#include "runtime/executor.h"

#include <catch2/catch.hpp>

#include "runtime/model.h"
#include "tests/formats/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_artifact.h"

namespace lathe {
namespace {

using test::expect_error;

}  // namespace

TEST_CASE("devices have names, and an unknown name is an error that lists them", "[runtime][executor]") {
  for (const Device device : {Device::cpu, Device::cuda}) CHECK(parse_device(device_name(device)) == device);
  expect_error(Errc::usage, {"\"gpu\"", "cpu, cuda"}, [] { parse_device("gpu"); });
}

TEST_CASE("a device that this build has no executor for is refused by name", "[runtime][executor]") {
  const test::TempDir dir;
  const std::filesystem::path file = test::write_tiny(dir / "m.lathe");
  expect_error(Errc::unsupported, {"device cuda", "it can on cpu"}, [&] { Model::open(file, Device::cuda); });
  expect_error(Errc::unsupported, {"device cuda"}, [] { instruction_set_of(Device::cuda); });
}

TEST_CASE("an executor says which kernel runs each weight, and what its copies take", "[runtime][executor]") {
  const test::TempDir dir;
  const Model model = Model::open(test::write_tiny(dir / "m.lathe"));
  const ExecutorDescription& description = model.description();
  CHECK(description.device == Device::cpu);
  CHECK(description.instruction_set == instruction_set_of(Device::cpu));
  CHECK(description.packed_bytes > 0);
  std::vector<std::string> described;
  for (const KernelChoice& choice : description.kernels) {
    CHECK_FALSE(choice.kernel.empty());
    CHECK(choice.encoding == encoding_name(model.artifact()->tensor(choice.weight).tensor.encoding));
    described.push_back(choice.weight);
  }
  std::vector<std::string> expected;
  for (const Op& op : model.program().ops) {
    if (op.is<ops::Embedding>() || op.is<ops::Linear>()) expected.push_back(model.program().weights[op.weights[0]]);
  }
  CHECK(described == expected);
}

}  // namespace lathe
