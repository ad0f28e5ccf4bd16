// The forward pass of the runtime against PyTorch: small random BERT models whose outputs were recorded by
// experiments/references/record_bert_tiny.py.

#include <catch2/catch.hpp>
#include <cmath>

#include "compress/source/source_model.h"
#include "runtime/session.h"
#include "tests/support/paths.h"
#include "tests/support/reference_file.h"
#include "tests/support/safetensors_builder.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

std::filesystem::path data_folder(const std::string& name) { return test::data_path(name); }

Model runtime_model(const SourceModel& source, Program program) {
  return Model::build(
      std::move(program), [&](const std::string& name) { return source.weight(name); }, "test");
}

double worst_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
  return worst;
}

// Float rounding over a few layers of values of about 3; an error in any op is far above it.
constexpr double kTolerance = 2e-5;

}  // namespace

TEST_CASE("hidden states of BERT equal PyTorch's for every length", "[compress][bert]") {
  const std::string name = GENERATE("bert_tiny", "bert_odd", "bert_relu");
  CAPTURE(name);
  const SourceModel source = open_source(data_folder(name), false);
  const auto sequences = test::read_token_lines(data_folder(name) / "inputs.txt");
  const auto expected = test::read_reference(data_folder(name) / "expected.txt");
  REQUIRE(sequences.size() == expected.size());

  Program program = source.program;
  const uint32_t hidden = program.ops[program.ops.size() - 3].output;  // before pool and normalize
  REQUIRE(program.values[hidden].rows == RowKind::tokens);
  program.outputs = {hidden};
  program.ops.resize(program.ops.size() - 2);
  const Model model = runtime_model(source, program);
  const size_t threads = GENERATE(1, 2, 3);
  Session session(model, threads);

  TokenBatch all;
  for (const auto& ids : sequences) all.add(ids);
  std::vector<float> together(all.tokens() * program.values[hidden].shape.size());
  float* const out[] = {together.data()};
  session.run(all, {}, out);
  size_t at = 0;
  for (size_t s = 0; s < sequences.size(); ++s) {
    CAPTURE(s, threads);
    const size_t size = sequences[s].size() * program.values[hidden].shape.size();
    const std::vector<float> rows(together.begin() + static_cast<std::ptrdiff_t>(at),
                                  together.begin() + static_cast<std::ptrdiff_t>(at + size));
    const auto wanted = expected[s].numbers.find("hidden");  // recorded for the short sequences
    if (wanted != expected[s].numbers.end()) CHECK(worst_difference(rows, wanted->second) < kTolerance);
    at += size;

    TokenBatch alone;
    alone.add(sequences[s]);
    std::vector<float> single(size);
    float* const single_out[] = {single.data()};
    session.run(alone, {}, single_out);
    CHECK(single == rows);  // the company of other sequences changes no bit
  }
}

TEST_CASE("pooled vectors of BERT equal PyTorch's", "[compress][bert]") {
  const SourceModel source = open_source(data_folder("bert_tiny"), false);
  const auto sequences = test::read_token_lines(data_folder("bert_tiny") / "inputs.txt");
  const auto expected = test::read_reference(data_folder("bert_tiny") / "expected.txt");
  const auto [key, pooling] = GENERATE(std::pair{"mean", Pooling::mean}, std::pair{"cls", Pooling::first});
  Program program = source.program;
  program.ops.pop_back();  // normalize
  program.ops.back().attributes = ops::Pool{pooling};
  program.outputs = {program.ops.back().output};
  const Model model = runtime_model(source, program);
  Session session(model, 2);
  TokenBatch batch;
  for (const auto& ids : sequences) batch.add(ids);
  const std::vector<float> pooled = session.embed(batch);
  const size_t width = source.task.dimension;
  for (size_t s = 0; s < sequences.size(); ++s) {
    const std::vector<float> row(pooled.begin() + static_cast<std::ptrdiff_t>(s * width),
                                 pooled.begin() + static_cast<std::ptrdiff_t>((s + 1) * width));
    CHECK(worst_difference(row, expected[s].numbers.at(key)) < kTolerance);
  }
}

TEST_CASE("a sequence that the tables cannot take is an error that names the bound", "[compress][bert]") {
  const SourceModel source = open_source(data_folder("bert_tiny"), false);
  const Model model = runtime_model(source, source.program);
  Session session(model, 1);
  TokenBatch batch;
  batch.add(std::vector<int32_t>(41, 1));
  CHECK_THROWS_WITH(session.embed(batch), Catch::Contains("41 tokens") && Catch::Contains("[1, 40]"));
  TokenBatch unknown;
  unknown.add(std::vector<int32_t>{1, 60});
  CHECK_THROWS_WITH(session.embed(unknown), Catch::Contains("token id 60") && Catch::Contains("vocabulary of 60"));
}

}  // namespace lathe
