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

TEST_CASE("a device that this machine cannot use is an error where it is asked for, and left alone where it is not",
          "[runtime][executor]") {
  const test::TempDir dir;
  const std::filesystem::path file = test::write_tiny(dir / "m.lathe");
  CHECK(choose_device(DeviceChoice::cpu) == Device::cpu);
  CHECK(choose_device(DeviceChoice::cuda) == Device::cuda);
  const Device best = choose_device(DeviceChoice::automatic);
  CHECK(Model::open(file, best).description().device == best);
  if (best == Device::cuda) return;  // this machine has one
  expect_error(Errc::unsupported, {}, [&] { Model::open(file, Device::cuda); });
  expect_error(Errc::unsupported, {}, [] { instruction_set_of(Device::cuda); });
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
