// The forward pass of a real decoder, read from a quantized GGUF file, against PyTorch: the logits recorded by
// experiments/references/record_smollm2.py.

#include <catch2/catch.hpp>
#include <cmath>

#include "compress/source/source_model.h"
#include "runtime/session.h"
#include "tests/support/paths.h"
#include "tests/support/real_data.h"
#include "tests/support/reference_file.h"

namespace lathe {
namespace {

// Logits reach 30, and the rounding of thirty layers adds up to less than a thousandth of that.
constexpr double kTolerance = 5e-3;
constexpr size_t kTop = 20, kColumns = 200, kStep = 245;

void check_row(const float* row, const test::ReferenceSequence& wanted, size_t shown) {
  const auto& top = wanted.numbers.at("top");
  const auto& values = wanted.numbers.at("values");
  const auto& columns = wanted.numbers.at("columns");
  double worst = 0;
  for (size_t i = shown * kTop; i < (shown + 1) * kTop; ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(row[static_cast<size_t>(top[i])]) - values[i]));
  }
  for (size_t i = 0; i < kColumns; ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(row[i * kStep]) - columns[shown * kColumns + i]));
  }
  CHECK(worst < kTolerance);
}

}  // namespace

TEST_CASE("logits of a real decoder from GGUF equal PyTorch's", "[compress][decoders][real]") {
  const std::filesystem::path data = test::real_data("smollm2/model.gguf");
  if (data.empty()) return;
  CHECK_THROWS_WITH(open_source(data / "smollm2", false), Catch::Contains("quantized"));
  const SourceModel source = open_source(data / "smollm2", true);  // the folder holds one GGUF file alone
  CHECK(source.name == "model");
  CHECK(source.parameters() == 134515008);
  CHECK(source.task.architecture == "llama");
  CHECK(source.task.context == 8192);
  REQUIRE_FALSE(source.notes.empty());
  CHECK_THAT(source.notes[0], Catch::Contains("already quantized: Q4_1 (210 tensors)"));

  const Model model = Model::build(
      source.program, [&](const std::string& name) { return source.weight(name); }, "smollm2");
  Session session(model, 2);
  const std::filesystem::path recorded = test::data_path("smollm2");
  const auto sequences = test::read_token_lines(recorded / "inputs.txt");
  const auto expected = test::read_reference(recorded / "expected.txt");
  REQUIRE(sequences.size() == expected.size());
  for (size_t s = 0; s < sequences.size(); ++s) {
    TokenBatch batch;
    batch.add(sequences[s]);
    std::vector<float> logits(batch.tokens() * source.task.dimension);
    float* const out[] = {logits.data()};
    session.run(batch, {}, out);
    const auto& positions = expected[s].numbers.at("position");
    for (size_t shown = 0; shown < positions.size(); ++shown) {
      CAPTURE(s, positions[shown]);
      check_row(logits.data() + static_cast<size_t>(positions[shown]) * source.task.dimension, expected[s], shown);
    }
  }
}

}  // namespace lathe
