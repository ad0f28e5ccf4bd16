// Real models on the double of a CUDA device, end to end: what PyTorch computes for them, and the CPU's tokens.

#include <catch2/catch.hpp>

#include "compress/evaluation/fidelity.h"
#include "runtime/generation.h"
#include "runtime/text/embedder.h"
#include "tests/runtime/cuda/host/host_executor.h"
#include "tests/support/compress_tiny.h"
#include "tests/support/real_data.h"

namespace lathe {
namespace {

using test::on_host_device;
using test::TempDir;
using test::ThreadOrder;

Recipe nearest(const std::string& quant) {
  Recipe recipe = test::quick_recipe(quant);
  recipe.quant_method = QuantMethod::nearest;
  return recipe;
}

}  // namespace

TEST_CASE("MiniLM gives on a CUDA device the vectors of the CPU, of integers to the bit", "[runtime][cuda][real]") {
  const std::filesystem::path data = test::real_data("minilm/model.safetensors");
  if (data.empty()) return;
  const std::vector<std::string> texts = {"The cat sat on the mat.", "Rates rose again in the third quarter.",
                                          "A man is playing a guitar while two others listen to him from the street."};
  const TempDir dir;
  const SourceModel source = open_source(data / "minilm", false);
  for (const std::string quant : {"f32", "int8", "int4"}) {
    CAPTURE(quant);
    test::compress_to(source, nearest(quant), dir / "m.lathe", 0);
    const Model on_cpu = Model::open(dir / "m.lathe");
    const Model on_cuda = Model::open(dir / "m.lathe", on_host_device({.order = ThreadOrder::random, .lazy = true}));
    Embedder cpu(on_cpu), cuda(on_cuda);
    const std::vector<float> expected = cpu.embed(texts), actual = cuda.embed(texts);
    if (quant == "f32") {
      CHECK(fidelity(expected, actual, cpu.dimension()).minimum > 0.999999);
    } else {
      CHECK(actual == expected);
    }
  }
}

TEST_CASE("SmolLM2 generates on a CUDA device the tokens that it generates on the CPU", "[runtime][cuda][real]") {
  const std::filesystem::path data = test::real_data("smollm2/model.gguf");
  if (data.empty()) return;
  const TempDir dir;
  const SourceModel source = open_source(data / "smollm2", true);
  test::compress_to(source, nearest("int8"), dir / "m.lathe", 0);
  const Model on_cpu = Model::open(dir / "m.lathe");
  const Model on_cuda = Model::open(dir / "m.lathe", on_host_device({.order = ThreadOrder::backward}));
  const std::vector<std::vector<int32_t>> prompts = {{504, 3575, 282}};
  GenerationOptions options;
  options.max_new_tokens = 3;
  Session cpu(on_cpu), cuda(on_cuda);
  CHECK(generate(cuda, prompts, options) == generate(cpu, prompts, options));
}

}  // namespace lathe
