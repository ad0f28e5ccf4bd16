#include <catch2/catch.hpp>

#include "compress/training/torch/interpreter.h"
#include "tests/support/tiny_mlp.h"

namespace lathe::training {

TEST_CASE("samples run through the interpreter as through the runtime", "[compress][torch][interpreter]") {
  const RowShape shape = GENERATE(RowShape(24), RowShape(2, 3, 4));
  const test::TempDir dir;
  const SourceModel source = test::tiny_mlp(dir.path(), shape);
  const DenseSamples samples = test::mlp_samples(shape, 20, 4);
  const auto lookup = [&](const std::string& name) { return source.weight(name); };
  const Model model = Model::build(source.program, lookup, "test");
  Session session(model, 1);
  const std::vector<float> expected = run_samples(session, samples);

  const at::Device cpu(at::kCPU);
  std::vector<at::Tensor> weights;
  for (const std::string& name : source.program.weights) weights.push_back(decoded(lookup(name), cpu));
  const Values given = given_samples(source.program, samples, cpu);
  const uint32_t output = source.program.outputs[0];
  const std::vector<float> found = floats_of(interpret(source.program, weights, {}, given, {output}).at(output));
  REQUIRE(found.size() == expected.size());
  for (size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(expected[i]).margin(1e-5));
}

}  // namespace lathe::training
