#include "compress/source/task.h"

#include <catch2/catch.hpp>

#include "tests/formats/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_artifact.h"
#include "tests/support/tiny_decoder.h"

namespace lathe {
namespace {

using test::expect_error;
using test::TempDir;
using test::TinyOptions;
using test::write_tiny;

}  // namespace

TEST_CASE("what is written about a task is what is read", "[compress][source]") {
  const TempDir dir;
  const Pooling pooling = GENERATE(Pooling::mean, Pooling::first, Pooling::max);
  const bool normalize = GENERATE(false, true);
  TinyOptions options;
  options.task = task_text({kEmbeddingTask, 32, pooling, normalize}, "a=b \xc3\xa9");
  const Artifact artifact = Artifact::open(write_tiny(dir / "m.lathe", options));
  const Task task = stored_task(artifact);
  CHECK(task.kind == kEmbeddingTask);
  CHECK(task.dimension == 32);
  CHECK(task.pooling == pooling);
  CHECK(task.normalize == normalize);
  CHECK(task_fields(artifact).back() == std::pair<std::string, std::string>("source", "a=b \xc3\xa9"));
}

TEST_CASE("labels of a classifier come back in their order", "[compress][source]") {
  const TempDir dir;
  std::vector<std::string> labels;
  for (int i = 0; i < 32; ++i) labels.push_back("label = " + std::to_string(31 - i));
  TinyOptions options;
  options.task = task_text({kClassificationTask, 32, Pooling::first, false, labels}, "tiny");
  const Task task = stored_task(Artifact::open(write_tiny(dir / "m.lathe", options)));
  CHECK(task.classifies());
  CHECK(task.labels == labels);
  labels.pop_back();
  options.task = task_text({kClassificationTask, 32, Pooling::first, false, labels}, "tiny");
  const Artifact short_of_one = Artifact::open(write_tiny(dir / "s.lathe", options));
  expect_error(Errc::malformed, {"s.lathe", "31 labels", "32"}, [&] { stored_task(short_of_one); });
}

TEST_CASE("a task section that makes no sense is malformed", "[compress][source]") {
  const TempDir dir;
  const auto task_with = [&](const std::string& line) {
    TinyOptions options;
    options.task += line + "\n";
    return stored_task(Artifact::open(write_tiny(dir / "m.lathe", options)));
  };
  expect_error(Errc::malformed, {"m.lathe", "context", "12x"}, [&] { task_with("context=12x"); });
  expect_error(Errc::malformed, {"m.lathe", "context", "-1"}, [&] { task_with("context=-1"); });
  expect_error(Errc::malformed, {"m.lathe", "rope_theta", "inf"}, [&] { task_with("rope_theta=inf"); });
  expect_error(Errc::malformed, {"m.lathe", "generation", "causal"}, [&] { task_with("kind=generation"); });
  TinyOptions without;
  without.tokenizer = false;
  const Artifact artifact = Artifact::open(write_tiny(dir / "n.lathe", without));
  expect_error(Errc::unsupported, {"n.lathe", "tokenizer"}, [&] { stored_tokenizer(artifact); });
}

}  // namespace lathe
