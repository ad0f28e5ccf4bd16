#include "compress/evaluation/verify_language.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "compress/calibration/samples.h"
#include "compress/evaluation/benchmark.h"

namespace lathe {

void verify_language(const Proof& proof, const Model& original, const Model& artifact, size_t threads, Report& report,
                     Progress& progress) {
  const LanguageData& data = proof.language.value();
  Session before(original, threads);
  Session after(artifact, threads);
  const LanguageFidelity measured = compare_language(before, after, data, progress);
  report.models[1].predictions = measured.result();
  if (proof.language_is_made_up) return;
  report.models[0].task = language_result(data, measured.original);
  report.models[1].task = language_result(data, measured.compressed);
}

void measure_decoder_speeds(const SourceModel& source, const Model& original, const Model& artifact, uint32_t threads,
                            Report& report, Progress& progress) {
  constexpr BenchmarkOptions kOptions = {1, 3, 0.5, 100, 1, false};
  constexpr std::array kCases = {DecoderCase{SpeedKind::prefill, 128}, DecoderCase{SpeedKind::prefill, 512},
                                 DecoderCase{SpeedKind::decode, 64}};
  progress.stage("measure speed", kCases.size());
  uint64_t done = 0;
  const uint32_t longest = source.task.context == 0 ? UINT32_MAX : source.task.context;
  for (DecoderCase what : kCases) {
    if (progress.cancelled()) fail(Errc::interrupted, "stopped while measuring speed");
    what.tokens = std::min(what.tokens, longest);
    const auto cases = measure_decoders({&original, &artifact}, what, threads, kOptions);
    report.models[0].speed.push_back(cases[0]);
    report.models[1].speed.push_back(cases[1]);
    progress.advance(++done);
  }
}

double perplexity_increase(const Report& report) {
  const ModelReport& before = report.models.at(0);
  const ModelReport& after = report.models.at(1);
  if (before.task && after.task) return after.task->main().value / before.task->main().value - 1;
  return std::expm1(after.predictions.value().log_ratio);
}

}  // namespace lathe
