// A model whose layers two executors share gives what one executor gives.

#include "runtime/split_executor.h"

#include <catch2/catch.hpp>

#include "runtime/device_request.h"
#include "runtime/generation.h"
#include "runtime/session.h"
#include "tests/formats/expect_error.h"
#include "tests/support/golden.h"
#include "tests/support/model_outputs.h"
#include "tests/support/reference_file.h"

namespace lathe {
namespace {

using test::expect_error;
using test::model_outputs;

std::filesystem::path golden(const std::string& name) { return test::data_path("golden/" + name + ".lathe"); }

// Both parts on the CPU.
MakeExecutor split_after(size_t layers) {
  return [layers](const Program& program, const WeightLookup& weights) {
    return make_split_executor(program, weights, ops_of_layers(program, layers), executor_maker(Device::cpu),
                               executor_maker(Device::cpu));
  };
}

}  // namespace

TEST_CASE("a split model gives the same numbers wherever it is split", "[runtime][split]") {
  for (const char* name : {"encoder-int8", "llama-int8-16-bit-inputs", "qwen3-int4", "gpt2-int8"}) {
    const Model whole = Model::open(golden(name));
    const TokenBatch batch = test::batch_of(test::read_token_lines(test::golden_family_file(golden(name), ".ids")));
    const std::vector<float> expected = model_outputs(whole, batch);
    const size_t layers = layer_count(whole.program());
    REQUIRE(layers >= 2);
    for (size_t n = 0; n <= layers; ++n) {
      CAPTURE(name, n);
      const Model model = Model::open(golden(name), split_after(n));
      CHECK(model_outputs(model, batch) == expected);
      CHECK(model.description().kernels.size() >= whole.description().kernels.size());
    }
  }
}

TEST_CASE("one value crosses between two layers", "[runtime][split]") {
  for (const char* name : {"encoder-int8", "llama-f32", "qwen3-int4", "gpt2-int8"}) {
    CAPTURE(name);
    const Model model = Model::open(golden(name));
    const Program& program = model.program();
    const size_t ops = ops_of_layers(program, 1);
    std::vector<uint32_t> written, crossing;
    for (size_t i = 0; i < ops; ++i) written.push_back(program.ops[i].output);
    for (size_t i = ops; i < program.ops.size(); ++i) {
      for (const uint32_t input : program.ops[i].inputs) {
        if (std::find(written.begin(), written.end(), input) != written.end()) crossing.push_back(input);
      }
    }
    std::sort(crossing.begin(), crossing.end());
    crossing.erase(std::unique(crossing.begin(), crossing.end()), crossing.end());
    CHECK(crossing.size() == 1);
    CHECK(ops_of_layers(program, 0) == 0);
    CHECK(ops_of_layers(program, layer_count(program)) == program.ops.size());
  }
}

TEST_CASE("a split decoder generates over a cache of two parts", "[runtime][split]") {
  const Model whole = Model::open(golden("llama-f32"));
  const Model model = Model::open(golden("llama-f32"), split_after(1));
  const std::vector<std::vector<int32_t>> prompts = {{1, 5, 9, 3}, {7}};
  GenerationOptions options;
  options.max_new_tokens = 8;
  Session one(whole, 1), two(model, 1);
  CHECK(generate(two, prompts, options) == generate(one, prompts, options));
  options.sampling.temperature = 0.7f;
  CHECK(generate(two, prompts, options) == generate(one, prompts, options));
  KvCache cache(model, 2, 16), whole_cache(whole, 2, 16);
  CHECK(cache.bytes() == whole_cache.bytes());
}

TEST_CASE("layers of a device need a device", "[runtime][split]") {
  expect_error(Errc::usage, {"layers of a device"}, [] { executor_for({DeviceChoice::cpu, 3}); });
  CHECK_NOTHROW(executor_for({DeviceChoice::cpu, {}}));
}

}  // namespace lathe
