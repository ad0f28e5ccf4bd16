// compress bench FILE...: speed and memory.

#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/speed.h"
#include "cli/terminal/progress.h"
#include "cli/text.h"
#include "compress/evaluation/machine.h"
#include "compress/facts/facts_json.h"
#include "compress/facts/number_text.h"

namespace lathe::cli {
namespace {

constexpr size_t kMaxFiles = 64;

// The measurements of one file.
struct Bench {
  std::string file;
  uint64_t bytes = 0;
  double load_ms = 0;
  uint64_t packed_bytes = 0;
  uint64_t peak_memory_bytes = 0;
  std::string isa;
  std::string device;
  std::vector<SpeedCase> cases;
};

std::vector<Bench> measure(const std::vector<std::string>& files, const SpeedGrid& grid, Progress& progress) {
  const MakeExecutor on_device = executor_for(grid.device);
  std::vector<TimedModel> opened;
  std::vector<const Model*> models;
  opened.reserve(files.size());
  progress.stage("open", files.size());
  for (const std::string& file : files) {
    opened.push_back(open_timed(file, on_device));
    models.push_back(&opened.back().model);
    progress.advance(opened.size());
  }
  const auto cases = measure_grid(models, grid, progress);
  // The peak of this process is that of a single file. Several files are each measured in a separate process.
  const uint64_t own_peak = peak_resident_bytes();
  progress.stage("measure memory", files.size());
  std::vector<Bench> results;
  for (size_t i = 0; i < files.size(); ++i) {
    const Model& model = *models[i];
    const uint64_t peak = files.size() == 1 ? own_peak : peak_memory_of(files[i], grid);
    results.push_back({files[i], model.artifact()->file().bytes().size(), opened[i].load_ms,
                       model.description().packed_bytes, peak, model.description().instruction_set,
                       model.description().device_text(), cases[i]});
    progress.advance(results.size());
  }
  return results;
}

Json to_json(const std::vector<Bench>& results) {
  Json models = Json::array();
  for (const Bench& bench : results) {
    Json cases = Json::array();
    for (const SpeedCase& speed : bench.cases) cases.push(speed_json(speed));
    models.push(Json::object({{"file", bench.file},
                              {"bytes", bench.bytes},
                              {"isa", bench.isa},
                              {"device", bench.device},
                              {"load_ms", bench.load_ms},
                              {"packed_bytes", bench.packed_bytes},
                              {"peak_memory_bytes", bench.peak_memory_bytes},
                              {"cases", cases}}));
  }
  return Json::object(
      {{"schema", kJsonSchema}, {"command", "bench"}, {"machine", machine_json(this_machine())}, {"models", models}});
}

// The cases of all decoders: each case with one row for each file.
std::string decoder_table(const std::vector<Bench>& results) {
  std::vector<std::vector<std::string>> rows = {
      {"case", "batch", "threads", "runs", "p50 ms", "p90 ms", "tokens/s", "cache", "speed", "file"}};
  for (size_t i = 0; i < results[0].cases.size(); ++i) {
    for (const Bench& bench : results) {
      const SpeedCase& speed = bench.cases[i];
      rows.push_back({case_key(speed), std::to_string(speed.batch), std::to_string(speed.threads),
                      std::to_string(speed.runs), fixed_text(speed.p50_ms, 2), fixed_text(speed.p90_ms, 2),
                      fixed_text(speed.tokens_per_second, 1), bytes_text(speed.cache_bytes),
                      fixed_text(results[0].cases[i].p50_ms / speed.p50_ms, 2) + "x", bench.file});
    }
  }
  if (results.size() == 1) {
    for (auto& row : rows) row.resize(8);
  }
  return table(rows, "lrrrrrrrrl") +
         "\n  ppN: a prompt of N tokens, and so the time to the first token; tgN: N tokens one by one\n";
}

std::string to_text(const std::vector<Bench>& results) {
  std::vector<std::vector<std::string>> facts = {
      {"file", "size", "load", "packed", "peak memory", "kernels", "device"}};
  for (const Bench& bench : results) {
    facts.push_back({bench.file, bytes_text(bench.bytes), fixed_text(bench.load_ms, 1) + " ms",
                     bytes_text(bench.packed_bytes), bytes_text(bench.peak_memory_bytes), bench.isa, bench.device});
  }
  if (results[0].cases[0].kind != SpeedKind::forward) return table(facts, "lrrrrll") + "\n" + decoder_table(results);
  std::vector<std::vector<std::string>> rows = {
      {"batch", "length", "threads", "runs", "p50 ms", "p90 ms", "p99 ms", "tokens/s", "speed", "file"}};
  for (size_t i = 0; i < results[0].cases.size(); ++i) {
    for (const Bench& bench : results) {
      const SpeedCase& speed = bench.cases[i];
      rows.push_back({std::to_string(speed.batch), std::to_string(speed.length), std::to_string(speed.threads),
                      std::to_string(speed.runs), fixed_text(speed.p50_ms, 3), fixed_text(speed.p90_ms, 3),
                      fixed_text(speed.p99_ms, 3), count_text(static_cast<uint64_t>(speed.tokens_per_second)),
                      fixed_text(results[0].cases[i].p50_ms / speed.p50_ms, 2) + "x", bench.file});
    }
  }
  if (results.size() == 1) {
    for (auto& row : rows) row.resize(8);
  }
  return table(facts, "lrrrrll") + "\n" + table(rows, "rrrrrrrrrl");
}

}  // namespace

int bench_command(const std::vector<std::string>& args) {
  std::vector<std::string> files;
  SpeedGrid grid;
  bool json = false;
  bool quiet = false;
  Options options("compress bench", "FILE...",
                  "Measures forward passes, or of a decoder prompts and tokens one by one: latency percentiles by "
                  "nearest rank, tokens per second at the median, load time and the largest resident memory. Several "
                  "files are measured in turns, so that drift of the "
                  "machine hits all alike; the first is the reference of the speed column.");
  add_speed_options(options, grid);
  options.device(grid.device);
  options.group("Output")
      .flag("json", "one JSON object on standard output", json)
      .flag("quiet,q", "no progress", quiet)
      .operands(1, kMaxFiles, files);
  if (!options.parse(args)) return kExitDone;

  TerminalProgress progress(quiet);
  const std::vector<Bench> results = measure(files, grid, progress);
  progress.finish();
  if (json) {
    write_json(to_json(results));
  } else {
    write_stdout(to_text(results));
  }
  return kExitDone;
}

}  // namespace lathe::cli
