// Artifacts that released versions wrote still open and still give the outputs that those versions computed
// (tests/data/golden/README.md says how the files were made).

#include "tests/support/golden.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "formats/artifact/tokenizer/tokenizer_spec.h"
#include "runtime/session.h"
#include "runtime/text/tokenizer.h"
#include "tests/support/model_outputs.h"
#include "tests/support/reference_file.h"

namespace lathe {
namespace {

// Sums of f32 differ between instruction set levels in the order of their terms. Each of the few hundred roundings on
// the way from a token to an output is at most 2^-24 of the numbers at that place.
constexpr double kTolerance = 300 * 0x1p-24;

std::vector<float> recorded_outputs(const std::filesystem::path& path) {
  const std::string bytes = test::golden_bytes(path);
  std::vector<float> values(bytes.size() / sizeof(float));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = load_le<float>(reinterpret_cast<const std::byte*>(bytes.data()) + i * sizeof(float));
  }
  return values;
}

// Then every instruction set level gives the same bits (docs/decisions/0008-same-bits-on-every-level.md).
bool all_matrices_are_integers(const Artifact& artifact) {
  return std::all_of(artifact.tensors().begin(), artifact.tensors().end(), [](const StoredTensor& stored) {
    return stored.tensor.shape.size() == 1 || value_codec(stored.tensor.encoding.values).integer;
  });
}

void check_outputs(const std::vector<float>& actual, const std::vector<float>& recorded, bool to_the_bit) {
  REQUIRE(actual.size() == recorded.size());
  if (to_the_bit) {
    CHECK(std::memcmp(actual.data(), recorded.data(), actual.size() * sizeof(float)) == 0);
    return;
  }
  double largest = 0, difference = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    REQUIRE(std::isfinite(actual[i]));
    largest = std::max(largest, std::abs(static_cast<double>(recorded[i])));
    difference = std::max(difference, std::abs(static_cast<double>(actual[i]) - recorded[i]));
  }
  CHECK(difference <= kTolerance * largest);
}

}  // namespace

TEST_CASE("artifacts of released versions give the outputs that were recorded with them", "[runtime][golden]") {
  const auto artifacts = test::golden_artifacts();
  CHECK(artifacts.size() >= test::kGoldenArtifacts);
  size_t exact = 0;
  for (const std::filesystem::path& path : artifacts) {
    INFO(path.filename().string());
    const Model model = Model::open(path);
    CHECK(model.artifact()->verify().empty());
    const auto sequences = test::read_token_lines(test::golden_family_file(path, ".ids"));
    const std::vector<float> recorded = recorded_outputs(std::filesystem::path(path).replace_extension(".f32"));
    REQUIRE_FALSE(recorded.empty());
    const bool to_the_bit = all_matrices_are_integers(*model.artifact());
    exact += to_the_bit ? 1 : 0;
    check_outputs(test::model_outputs(model, test::batch_of(sequences), {}, 2), recorded, to_the_bit);
  }
  CHECK(exact >= test::kExactGoldenArtifacts);
}

TEST_CASE("tokenizers in artifacts of released versions give the ids that were recorded", "[runtime][golden]") {
  for (const std::filesystem::path& path : test::golden_artifacts()) {
    INFO(path.filename().string());
    const Artifact artifact = Artifact::open(path);
    const Tokenizer tokenizer(decode_tokenizer(artifact.section(layout::Section::tokenizer), path.string()));
    const auto sequences = test::read_token_lines(test::golden_family_file(path, ".ids"));
    CHECK(tokenizer.encode(test::golden_bytes(test::golden_family_file(path, ".txt"))) == sequences.back());
  }
}

}  // namespace lathe
