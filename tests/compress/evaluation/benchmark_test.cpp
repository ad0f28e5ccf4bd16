#include "compress/evaluation/benchmark.h"

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

BenchmarkOptions runs(uint32_t count) { return {1, count, 0, count}; }

}  // namespace

TEST_CASE("a measurement has as many runs as were asked for and ordered percentiles", "[compress][benchmark]") {
  const TempDir dir;
  const Model model = Model::open(write_tiny(dir / "m.lathe"));
  const SpeedCase speed = measure_speed(model, 3, 7, 1, runs(23));
  CHECK(speed.batch == 3);
  CHECK(speed.length == 7);
  CHECK(speed.threads == 1);
  CHECK(speed.runs == 23);
  CHECK(speed.p50_ms > 0);
  CHECK(speed.p50_ms <= speed.p90_ms);
  CHECK(speed.p90_ms <= speed.p99_ms);
  CHECK(speed.tokens_per_second == Approx(21 / speed.p50_ms * 1000));
}

TEST_CASE("a measurement goes on until the time that was asked for, or the most runs", "[compress][benchmark]") {
  const TempDir dir;
  const Model model = Model::open(write_tiny(dir / "m.lathe"));
  BenchmarkOptions options;
  options.min_runs = 2;
  options.min_seconds = 0.05;
  options.max_runs = 1'000'000;
  const SpeedCase speed = measure_speed(model, 1, 4, 1, options);
  CHECK(speed.runs > 2);
  options.max_runs = 3;
  CHECK(measure_speed(model, 1, 4, 1, options).runs == 3);
}

TEST_CASE("models measured in turns have the same cases and runs", "[compress][benchmark]") {
  const TempDir dir;
  TinyOptions wide;
  wide.hidden = 256;
  const Model small = Model::open(write_tiny(dir / "small.lathe"));
  const Model large = Model::open(write_tiny(dir / "large.lathe", wide));
  const std::vector<SpeedCase> cases = measure_interleaved({&large, &small}, 4, 32, 1, runs(20));
  REQUIRE(cases.size() == 2);
  CHECK(cases[0].runs == 20);
  CHECK(cases[1].runs == 20);
  CHECK(cases[0].p50_ms > 0);
  CHECK(cases[1].p50_ms > 0);
  CHECK(measure_interleaved({}, 1, 1, 1, runs(1)).empty());
}

TEST_CASE("a case that the model cannot run is refused", "[compress][benchmark]") {
  const TempDir dir;
  const Model model = Model::open(write_tiny(dir / "m.lathe"));
  expect_error(Errc::usage, {"33", "32"}, [&] { measure_speed(model, 1, 33, 1, runs(1)); });
  expect_error(Errc::usage, {"batch 0"}, [&] { measure_speed(model, 0, 8, 1, runs(1)); });
}

TEST_CASE("a decoder is timed at prompts and at tokens one by one", "[compress][benchmark]") {
  const test::TinyDecoder decoder;
  const Model model = decoder.build();
  const SpeedCase prompt = measure_decoders({&model}, {SpeedKind::prefill, 24, 0, 2}, 1, runs(7)).front();
  CHECK(prompt.kind == SpeedKind::prefill);
  CHECK(prompt.batch == 2);
  CHECK(prompt.length == 24);
  CHECK(prompt.runs == 7);
  CHECK(prompt.tokens_per_second == Approx(48 / prompt.p50_ms * 1000));
  const std::vector<SpeedCase> steps = measure_decoders({&model, &model}, {SpeedKind::decode, 9, 30, 1}, 1, runs(3));
  REQUIRE(steps.size() == 2);
  CHECK(steps[1].kind == SpeedKind::decode);
  CHECK(steps[1].length == 9);
  CHECK(steps[1].depth == 30);
  CHECK(steps[1].runs == 3);
  CHECK(steps[1].tokens_per_second == Approx(9 / steps[1].p50_ms * 1000));
  CHECK(steps[1].cache_bytes >= 39 * 2 * 2 * 16 * 2);  // tokens, layers, keys and values, width of the kv heads, f16
}

TEST_CASE("only models that generate are timed as decoders", "[compress][benchmark]") {
  const TempDir dir;
  const Model encoder = Model::open(write_tiny(dir / "m.lathe"));
  expect_error(Errc::usage, {"generate"}, [&] { measure_decoders({&encoder}, {}, 1, runs(1)); });
  const test::TinyDecoder decoder;
  const Model model = decoder.build();
  expect_error(Errc::usage, {"length 0"}, [&] { measure_decoders({&model}, {SpeedKind::decode, 0}, 1, runs(1)); });
  CHECK(measure_decoders({}, {}, 1, runs(1)).empty());
}

}  // namespace lathe
