// The CUDA executor on a double of the device: the same programs, artifacts and generation as on the CPU.

#include "runtime/cuda/executor.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "runtime/cuda/context.h"
#include "runtime/generation.h"
#include "runtime/session.h"
#include "runtime/split_executor.h"
#include "tests/formats/expect_error.h"
#include "tests/runtime/cuda/host/host_executor.h"
#include "tests/support/golden.h"
#include "tests/support/model_outputs.h"
#include "tests/support/reference_file.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_artifact.h"

namespace lathe {
namespace {

using test::batch_of;
using test::expect_error;
using test::HostDevice;
using test::HostDeviceOptions;
using test::model_outputs;
using test::on_host_device;
using test::ThreadOrder;

using Sequences = std::vector<std::vector<int32_t>>;

// The largest difference over the largest number.
double distance(const std::vector<float>& actual, const std::vector<float>& expected) {
  REQUIRE(actual.size() == expected.size());
  double largest = 0, difference = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    REQUIRE(std::isfinite(actual[i]));
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    difference = std::max(difference, std::abs(static_cast<double>(actual[i]) - expected[i]));
  }
  return difference / largest;
}

// A step of one token splits its keys, so that sums over them are in another order than on the CPU. Where that makes an
// activation round the other way, a number moves by one step of 255.
constexpr double kOneStep = 0.02;

bool all_matrices_are_integers(const Artifact& artifact) {
  return std::all_of(artifact.tensors().begin(), artifact.tensors().end(), [](const StoredTensor& stored) {
    return stored.tensor.shape.size() == 1 || value_codec(stored.tensor.encoding.values).integer;
  });
}

std::filesystem::path golden(const std::string& name) { return test::data_path("golden/" + name + ".lathe"); }

}  // namespace

TEST_CASE("artifacts of released versions give the CPU's numbers, and those of integers the CPU's bits",
          "[runtime][cuda]") {
  size_t checked = 0, exact = 0;
  for (const std::filesystem::path& path : test::golden_artifacts()) {
    INFO(path.filename().string());
    const TokenBatch batch = batch_of(test::read_token_lines(test::golden_family_file(path, ".ids")));
    const std::vector<float> expected = model_outputs(Model::open(path), batch);
    HostDeviceOptions options;
    options.order = checked % 3 == 0   ? ThreadOrder::forward
                    : checked % 3 == 1 ? ThreadOrder::backward
                                       : ThreadOrder::random;
    options.lazy = checked % 2 == 1;
    options.seed = checked++;
    const Model on_cuda = Model::open(path, on_host_device(options));
    const std::vector<float> actual = model_outputs(on_cuda, batch);
    if (all_matrices_are_integers(*on_cuda.artifact())) {
      CHECK(actual == expected);
      ++exact;
    } else {
      CHECK(distance(actual, expected) < 2e-5);
    }
  }
  CHECK(exact >= test::kExactGoldenArtifacts);
  CHECK(checked >= test::kGoldenArtifacts);
}

TEST_CASE("a decoder generates on a CUDA device the tokens that it generates on the CPU", "[runtime][cuda]") {
  for (const CacheType cache : {CacheType::f16, CacheType::int8}) {
    const Sequences prompts = {{1, 5, 9, 3}, {7}, {4, 4, 8, 2, 6, 1, 3}};
    GenerationOptions options;
    options.max_new_tokens = 6;
    options.cache = cache;
    const Model on_cpu = Model::open(golden("llama-f32"));
    const Model on_cuda = Model::open(golden("llama-f32"), on_host_device());
    Session cpu(on_cpu, 1), cuda(on_cuda, 1);
    CHECK(generate(cuda, prompts, options) == generate(cpu, prompts, options));
  }
}

TEST_CASE("a device and the CPU share the layers of a model", "[runtime][cuda]") {
  const Sequences prompts = {{1, 5, 9, 3}, {7, 2}};
  GenerationOptions options;
  options.max_new_tokens = 6;
  const Model whole = Model::open(golden("llama-int8-16-bit-inputs"));
  Session cpu(whole, 1);
  const auto expected = generate(cpu, prompts, options);
  for (const bool device_first : {true, false}) {
    const MakeExecutor on_device = on_host_device({.order = ThreadOrder::random, .lazy = true});
    const MakeExecutor on_cpu = executor_maker(Device::cpu);
    const Model model =
        Model::open(golden("llama-int8-16-bit-inputs"), [&](const Program& program, const WeightLookup& w) {
          return make_split_executor(program, w, ops_of_layers(program, 1), device_first ? on_device : on_cpu,
                                     device_first ? on_cpu : on_device);
        });
    Session session(model, 1);
    CHECK(generate(session, prompts, options) == expected);
    CHECK(model.description().hardware.find("host double") != std::string::npos);
  }
}

TEST_CASE("top tokens are found on the device and need no logits", "[runtime][cuda]") {
  const Model model = Model::open(golden("llama-int8-16-bit-inputs"), on_host_device());
  const size_t width = model.program().values[model.program().outputs[0]].shape.size();
  Session session(model, 1);
  const TokenBatch batch = batch_of({{1, 2, 3}, {9}, {4, 4}});
  std::vector<float> logits(3 * width);
  float* const places[] = {logits.data()};
  session.run(batch, {}, places, {nullptr, {}, true});
  std::vector<int32_t> tops(3);
  float* const nowhere[] = {nullptr};
  RunOptions options{nullptr, {}, true};
  options.top_tokens = tops;
  session.run(batch, {}, nowhere, options);
  for (size_t s = 0; s < 3; ++s) {
    const auto first = logits.begin() + static_cast<std::ptrdiff_t>(s * width);
    CHECK(tops[s] == std::max_element(first, first + static_cast<std::ptrdiff_t>(width)) - first);
  }
  options.last_only = false;
  expect_error(Errc::usage, {"top tokens"}, [&] { session.run(batch, {}, nowhere, options); });
}

TEST_CASE("a token that decodes gets the logits of the CPU, in graphs that are recorded once", "[runtime][cuda]") {
  for (const std::string name : {"llama-int8-16-bit-inputs", "llama-int4-bitmask", "llama-f32", "gpt2-int8"}) {
    INFO(name);
    const auto device = std::make_shared<HostDevice>(HostDeviceOptions{.order = ThreadOrder::random, .lazy = true});
    const Model on_cpu = Model::open(golden(name));
    const Model on_cuda = Model::open(golden(name), on_host_device(device));
    KvCache cpu_cache(on_cpu, 2, 32), cuda_cache(on_cuda, 2, 32);
    Session cpu(on_cpu, 1), cuda(on_cuda, 1);
    const size_t width = on_cpu.program().values[on_cpu.program().outputs[0]].shape.size();
    const auto run = [&](const Sequences& tokens) {
      const TokenBatch batch = batch_of(tokens);
      std::vector<float> expected(2 * width), actual(2 * width);
      float* const expected_places[] = {expected.data()};
      float* const actual_places[] = {actual.data()};
      cpu.run(batch, {}, expected_places, {&cpu_cache, {}, true});
      cuda.run(batch, {}, actual_places, {&cuda_cache, {}, true});
      CHECK(distance(actual, expected) < kOneStep);
    };
    run({{1, 5, 9}, {7, 2, 4, 4, 1}});
    const size_t allocations = device->allocations();
    size_t launches = device->launches();
    size_t each_step = 0;
    for (int32_t step = 0; step < 4; ++step) {
      run({{3 + step}, {6 + step}});
      each_step = device->launches() - launches;
      launches = device->launches();
    }
    CHECK(device->allocations() == allocations);  // no step allocates
    CHECK(each_step > on_cuda.program().ops.size() / 2);
  }
}

TEST_CASE("the context says how many kernels the graph of a step holds", "[runtime][cuda]") {
  HostDevice device;
  const Artifact artifact = Artifact::open(golden("llama-int8-8-bit-inputs"));
  const auto lookup = [&](const std::string& name) { return artifact.tensor(name).tensor; };
  const auto store = cuda::upload_weights(device, artifact.program(), lookup);
  const cuda::Plan plan = cuda::make_plan(artifact.program(), store);
  cuda::Context context(device, plan);
  const Model model = Model::open(golden("llama-int8-8-bit-inputs"), on_host_device());
  KvCache cache(model, 1, 16);
  std::vector<float> logits(plan.values[plan.outputs[0]].width);
  float* const places[] = {logits.data()};
  const auto run = [&](const Sequences& tokens) {
    const TokenBatch batch = batch_of(tokens);
    const RunOptions options{&cache, {}, true};
    context.run({batch, 0, {}, places, options});
    cache.advance(0, batch.tokens());
  };
  run({{1, 2, 3}});
  CHECK(context.graph_kernels() == 0);
  const size_t before = device.launches();
  run({{4}});
  // Of a layer: norm with rounding, q with k and v, ropes with what goes into the cache, two of attention, rounding,
  // output with residual, norm with rounding, gate with up, product with rounding, down with residual. Around them:
  // tokens, last norm with rounding, head.
  CHECK(context.graph_kernels() == 11 * plan.attentions.size() + 3);
  CHECK(device.launches() - before == context.graph_kernels());
}

TEST_CASE("a device without room says what needs how much, and a lost device is an error", "[runtime][cuda]") {
  expect_error(Errc::limit, {"host double", "the weights", "free are 1000"},
               [] { Model::open(golden("llama-int8-8-bit-inputs"), on_host_device({.memory_bytes = 1000})); });
  const auto device = std::make_shared<HostDevice>(HostDeviceOptions{.memory_bytes = 400'000});
  const Model model = Model::open(golden("llama-int8-8-bit-inputs"), on_host_device(device));
  expect_error(Errc::limit, {"the cache of keys and values", "free are"}, [&] { KvCache(model, 64, 4096); });
  const TokenBatch batch = batch_of({std::vector<int32_t>(200, 1), std::vector<int32_t>(200, 1)});
  expect_error(Errc::limit, {"the values of a batch"}, [&] { model_outputs(model, batch); });
  CHECK_NOTHROW(model_outputs(model, batch_of({{1, 2}})));  // a smaller batch still fits

  const Model lost = Model::open(golden("llama-int8-8-bit-inputs"), on_host_device({.fails_after = 25}));
  expect_error(Errc::io, {"the device was lost"}, [&] { model_outputs(lost, batch_of({{1, 2, 3}})); });
}

TEST_CASE("the executor names its device and the kernel of each weight", "[runtime][cuda]") {
  const Model model = Model::open(golden("encoder-mixed"), on_host_device());
  CHECK(model.description().device == Device::cuda);
  CHECK(model.description().instruction_set == "sm_80");
  CHECK(model.description().hardware == "host double");
  CHECK(model.description().packed_bytes > 0);
  for (const KernelChoice& choice : model.description().kernels) CHECK(choice.kernel.find("cuda_") == 0);
}

}  // namespace lathe
