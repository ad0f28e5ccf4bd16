#include "cli/speed.h"

#include <algorithm>

#include "cli/evaluation.h"
#include "cli/self_process.h"
#include "runtime/generation.h"

namespace lathe::cli {
namespace {

constexpr uint32_t kMaxBatch = 65536;
constexpr uint32_t kMaxLength = 1u << 20;
constexpr uint32_t kMaxThreads = 1024;
constexpr uint64_t kMaxCaseTokens = uint64_t{1} << 24;
constexpr uint64_t kMaxRuns = 1'000'000;

// One combination of the lists, measured for all models.
struct Case {
  bool decoder = false;
  uint32_t threads = 0;
  DecoderCase what;  // of an encoder, only tokens and batch are used
};

std::vector<uint32_t> or_default(const std::vector<uint32_t>& given, const std::vector<uint32_t>& defaults,
                                 size_t longest) {
  if (!given.empty()) return given;
  std::vector<uint32_t> lengths;
  for (const uint32_t length : defaults) {
    const auto possible = static_cast<uint32_t>(std::min<size_t>(length, longest));
    if (lengths.empty() || lengths.back() != possible) lengths.push_back(possible);
  }
  return lengths;
}

size_t longest_of(const std::vector<const Model*>& models, bool decoders) {
  size_t longest = SIZE_MAX;
  for (const Model* model : models) {
    longest = std::min(longest, model->max_tokens());
    const Task task = model->artifact() == nullptr ? Task() : stored_task(*model->artifact());
    if (decoders && task.context != 0) longest = std::min<size_t>(longest, task.context);
  }
  return longest;
}

// Returns whether the models generate text. Throws Error{usage} for an option of the other kind of model.
bool check_kind(const std::vector<const Model*>& models, const SpeedGrid& grid) {
  const bool decoders = is_generator(models.front()->program());
  for (const Model* model : models) {
    if (is_generator(model->program()) != decoders) {
      fail(Errc::usage, "some of the models generate text and some do not: their speed cannot be compared");
    }
  }
  const struct {
    const char* name;
    bool given;
    bool for_decoders;
  } kOptions[] = {{"length", !grid.lengths.empty(), false},
                  {"prompt", !grid.prompts.empty(), true},
                  {"generate", !grid.generated.empty(), true},
                  {"depth", grid.depth != 0, true},
                  {"cache", grid.cache.has_value(), true}};
  for (const auto& option : kOptions) {
    if (!option.given || option.for_decoders == decoders) continue;
    fail(Errc::usage, message("--", option.name, " is for models that ", decoders ? "do not generate" : "generate",
                              " text; this one ", decoders ? "does" : "does not"));
  }
  return decoders;
}

std::vector<Case> decoder_cases(const SpeedGrid& grid, size_t longest) {
  const auto depth = static_cast<uint32_t>(grid.depth);
  const CacheType cache = grid.cache.value_or(CacheType::f16);
  const size_t room = longest > depth ? longest - depth : 1;
  std::vector<Case> cases;
  const auto add = [&](SpeedKind kind, uint32_t tokens, uint32_t batch, uint32_t threads) {
    if (tokens > 0) cases.push_back({true, threads, {kind, tokens, depth, batch, cache}});
  };
  for (const uint32_t threads : grid.threads) {
    for (const uint32_t batch : or_default(grid.batches, {1}, SIZE_MAX)) {
      for (const uint32_t n : or_default(grid.prompts, {128, 512}, room)) add(SpeedKind::prefill, n, batch, threads);
      for (const uint32_t n : or_default(grid.generated, {64}, room)) add(SpeedKind::decode, n, batch, threads);
    }
  }
  if (cases.empty()) fail(Errc::usage, "--prompt 0 and --generate 0 leave nothing to measure");
  return cases;
}

std::vector<Case> encoder_cases(const SpeedGrid& grid, size_t longest) {
  std::vector<Case> cases;
  for (const uint32_t threads : grid.threads) {
    for (const uint32_t batch : or_default(grid.batches, grid.default_batches, SIZE_MAX)) {
      for (const uint32_t length : or_default(grid.lengths, {16, 128}, longest)) {
        cases.push_back({false, threads, {SpeedKind::forward, length, 0, batch}});
      }
    }
  }
  return cases;
}

BenchmarkOptions benchmark_options(const SpeedGrid& grid, bool decoders) {
  BenchmarkOptions options = decoders ? kDecoderBenchmark : BenchmarkOptions();
  if (grid.runs == 0) return options;
  options.min_runs = options.max_runs = static_cast<uint32_t>(grid.runs);
  options.warmups = std::min(options.warmups, options.min_runs);
  options.min_seconds = 0;
  return options;
}

void check_size(const Case& one) {
  const uint64_t batch = one.what.batch;
  const uint64_t length = uint64_t{one.what.tokens} + one.what.depth;
  if (batch * length > kMaxCaseTokens) {
    fail(Errc::usage, message("batch ", batch, " x length ", length, " is more than ", kMaxCaseTokens, " tokens"));
  }
}

}  // namespace

void add_speed_options(Options& options, SpeedGrid& grid) {
  std::string batches;
  for (const uint32_t batch : grid.default_batches) batches += (batches.empty() ? "" : ",") + std::to_string(batch);
  options.group("Cases; every combination is one")
      .integers("batch", "LIST", message("texts in a batch (default ", batches, "; of a decoder 1)"), 1, kMaxBatch,
                grid.batches)
      .integers("length", "LIST", "tokens in a text (default 16,128)", 1, kMaxLength, grid.lengths)
      .integers("prompt", "LIST", "of a decoder: tokens in a prompt (default 128,512; 0: none)", 0, kMaxLength,
                grid.prompts)
      .integers("generate", "LIST", "of a decoder: tokens to add one by one (default 64; 0: none)", 0, kMaxLength,
                grid.generated)
      .integer("depth", "N", "of a decoder: tokens in its cache before them (default 0)", 0, kMaxLength, grid.depth)
      .choice("cache", "of a decoder: how its cache keeps keys and values (default f16)", kCacheTypes, grid.cache)
      .integers("threads", "LIST", "threads to use (default: all cores)", 1, kMaxThreads, grid.threads)
      .integer("runs", "N", "timed runs of each case (default: as many as a second takes, at least 20, of a decoder 5)",
               1, kMaxRuns, grid.runs);
}

std::vector<std::vector<SpeedCase>> measure_grid(const std::vector<const Model*>& models, const SpeedGrid& grid,
                                                 Progress& progress) {
  const bool decoders = check_kind(models, grid);
  const size_t longest = longest_of(models, decoders);
  const std::vector<Case> cases = decoders ? decoder_cases(grid, longest) : encoder_cases(grid, longest);
  const BenchmarkOptions options = benchmark_options(grid, decoders);
  std::vector<std::vector<SpeedCase>> results(models.size());
  progress.stage("measure speed", cases.size());
  uint64_t done = 0;
  for (const Case& one : cases) {
    if (progress.cancelled()) fail(Errc::interrupted, "stopped while measuring speed");
    check_size(one);
    const auto measured = decoders ? measure_decoders(models, one.what, one.threads, options)
                                   : measure_interleaved(models, one.what.batch, one.what.tokens, one.threads, options);
    for (size_t i = 0; i < models.size(); ++i) results[i].push_back(measured[i]);
    progress.advance(++done);
  }
  return results;
}

uint64_t peak_memory_of(const std::filesystem::path& artifact, const SpeedGrid& grid) {
  const auto largest = [](const std::vector<uint32_t>& list) {
    return std::to_string(*std::max_element(list.begin(), list.end()));
  };
  // An absolute path: it cannot be taken for an option.
  std::vector<std::string> args = {"bench", std::filesystem::absolute(artifact).string(), "--json", "--quiet", "--runs",
                                   "3"};
  const bool decoder = task_of(artifact.string()).generates();
  if (!grid.batches.empty()) args.insert(args.end(), {"--batch", largest(grid.batches)});
  if (grid.batches.empty() && !decoder) args.insert(args.end(), {"--batch", largest(grid.default_batches)});
  if (!grid.lengths.empty()) args.insert(args.end(), {"--length", largest(grid.lengths)});
  if (!grid.prompts.empty()) args.insert(args.end(), {"--prompt", largest(grid.prompts)});
  if (!grid.generated.empty()) args.insert(args.end(), {"--generate", largest(grid.generated)});
  if (grid.cache) args.insert(args.end(), {"--cache", kCacheTypes.name(*grid.cache)});
  if (grid.device.device != DeviceChoice::cpu) {
    args.insert(args.end(), {"--device", kDeviceChoices.name(grid.device.device)});
  }
  if (grid.device.layers) {
    const uint64_t layers = *grid.device.layers;
    args.insert(args.end(), {"--gpu-layers", layers == kAutomaticLayers ? "auto" : std::to_string(layers)});
  }
  if (grid.depth > 0) args.insert(args.end(), {"--depth", std::to_string(grid.depth)});
  if (*std::max_element(grid.threads.begin(), grid.threads.end()) > 0) {
    args.insert(args.end(), {"--threads", largest(grid.threads)});
  }
  const std::string what = "the output of compress bench";
  const Json report = parse_json(output_of_self(args), what);
  return report.at("models", what).items(what).at(0).at("peak_memory_bytes", what).as_u64(what);
}

}  // namespace lathe::cli
