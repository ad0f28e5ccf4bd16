// compress MODEL: the main command. Reads a checkpoint, compresses it, writes the artifact, proves and reports it.

#include <cctype>
#include <chrono>
#include <cmath>
#include <filesystem>

#include "cli/commands.h"
#include "cli/comparison.h"
#include "cli/exit_codes.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/text.h"
#include "compress/verify.h"

namespace lathe::cli {
namespace {

struct CompressArguments {
  std::vector<std::string> models;
  std::optional<std::string> output;
  std::optional<double> prune;
  std::optional<std::string> quant, calibrate, eval, texts, report, max_size;
  std::string prune_method = "auto", prune_scope = "layer", quant_method = "auto";
  uint64_t group = kDefaultGroup;
  std::optional<uint64_t> low_rank;
  std::vector<std::string> layers;
  uint64_t calibration_tokens = 0, calibration_length = 128, seed = 0, threads = 0, first = 0;
  std::optional<double> max_drop, min_speedup;
  bool strict = false, dry_run = false, json = false, quiet = false, no_bench = false, allow_requantize = false;
};

const std::vector<std::string> kPruneMethods = {"auto", "magnitude", "error-feedback"};
const std::vector<std::string> kQuantMethods = {"auto", "nearest", "error-feedback"};

void add_method_options(Options& options, CompressArguments& a) {
  options.group("What to do")
      .text("output,o", "FILE", "the artifact to write; needed unless --dry-run", a.output)
      .number("prune", "S", "share of the linear weights to remove, such as 0.5", 0, 0.99, a.prune)
      .choice("prune-method", "auto takes error feedback where there is calibration", kPruneMethods, a.prune_method)
      .choice("prune-scope", "the share holds in each layer, or over all of them", {"layer", "global"}, a.prune_scope)
      .text("quant", "ENC", "f32, f16, int8 or int4; embeddings too", a.quant)
      .integer("group", "N", "columns that share a scale in int4 (default 32)", 1, 65536, a.group)
      .choice("quant-method", "auto keeps the better one, layer by layer", kQuantMethods, a.quant_method)
      .integer("low-rank", "K", "factor linear layers to rank K where that is smaller", 1, 65536, a.low_rank)
      .texts("layer", "PATTERN=ENC", "another encoding for weights of that name, or 're:...'; repeatable", a.layers);
}

void add_data_options(Options& options, CompressArguments& a) {
  options.group("Calibration")
      .text("calibrate", "FILE", "text, one sample a line; without it samples are made up from the vocabulary",
            a.calibrate)
      .integer("calibration-tokens", "N", "tokens to use (default 24576)", kMinCalibrationTokens, 10'000'000,
               a.calibration_tokens)
      .integer("calibration-length", "N", "tokens of one sample at most (default 128)", 3, 65536, a.calibration_length)
      .integer("seed", "N", "chooses the samples (default 0)", 0, UINT32_MAX, a.seed);
  options.group("Proof")
      .text("eval", "sts:FILE", "task: lines of text_a TAB text_b TAB score", a.eval)
      .text("texts", "FILE", "texts on which the artifact is compared with the original, one a line", a.texts)
      .integer("first", "N", "only the first N of them", 1, UINT32_MAX, a.first)
      .text("report", "DIR", "write report.html, report.md and report.json there", a.report)
      .flag("no-bench", "do not measure speed", a.no_bench);
  options.group("Bounds (exit code 2 when one is missed; the artifact is kept)")
      .number("max-drop", "X", "largest loss of Pearson, or of the mean cosine without --eval", 0, 2, a.max_drop)
      .number("min-speedup", "X", "over the original at 1 x 128 tokens", 0, 1e6, a.min_speedup)
      .text("max-size", "SIZE", "of the artifact: bytes, or like 12MB", a.max_size);
  options.group("Running")
      .integer("threads", "N", "threads to use (default: all cores); does not change a byte", 1, 1024, a.threads)
      .flag("dry-run", "print what would be done and stop", a.dry_run)
      .flag("strict", "every fallback is an error", a.strict)
      .flag("allow-requantize", "accept a checkpoint that says it is quantized already", a.allow_requantize)
      .flag("json", "one JSON object on standard output", a.json)
      .flag("quiet,q", "no progress and no table", a.quiet)
      .operands(1, 1, a.models);
}

MethodChoice method(const std::string& name, const std::vector<std::string>& names) {
  return static_cast<MethodChoice>(std::find(names.begin(), names.end(), name) - names.begin());
}

Recipe make_recipe(const CompressArguments& a) {
  Recipe recipe;
  recipe.prune = a.prune.value_or(0);
  recipe.prune_method = method(a.prune_method, kPruneMethods);
  recipe.prune_scope = a.prune_scope == "layer" ? PruneScope::layer : PruneScope::global;
  recipe.quant = a.quant.value_or("f32");
  recipe.group = static_cast<uint32_t>(a.group);
  recipe.quant_method = method(a.quant_method, kQuantMethods);
  if (a.low_rank) recipe.low_rank = static_cast<uint32_t>(*a.low_rank);
  for (const std::string& rule : a.layers) {
    const size_t equals = rule.rfind('=');
    if (equals == std::string::npos) fail(Errc::usage, message("--layer ", rule, ": expected PATTERN=ENCODING"));
    recipe.layers.push_back({rule.substr(0, equals), rule.substr(equals + 1)});
  }
  recipe.calibration_file = a.calibrate.value_or("");
  recipe.calibration_tokens = static_cast<uint32_t>(a.calibration_tokens);
  recipe.calibration_length = static_cast<uint32_t>(a.calibration_length);
  recipe.seed = a.seed;
  recipe.strict = a.strict;
  validate(recipe);
  return recipe;
}

uint64_t parse_size(const std::string& text) {
  size_t end = 0;
  double number = -1;
  try {
    number = std::stod(text, &end);
  } catch (const std::exception&) {
    end = 0;
  }
  std::string unit = text.substr(end);
  for (char& c : unit) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const double factor = unit.empty() || unit == "B" ? 1
                        : unit == "KB"              ? 1e3
                        : unit == "MB"              ? 1e6
                        : unit == "GB"              ? 1e9
                                                    : 0;
  if (end == 0 || !(number > 0) || !std::isfinite(number) || factor == 0) {
    fail(Errc::usage, message("--max-size ", text, ": expected a positive size such as 12MB, 800kB or 1234567"));
  }
  return static_cast<uint64_t>(number * factor);
}

VerifyOptions verify_options(const CompressArguments& a) {
  VerifyOptions options;
  constexpr std::string_view kSts = "sts:";
  if (a.eval) {
    if (!a.eval->starts_with(kSts)) fail(Errc::usage, message("--eval ", *a.eval, ": expected sts:FILE.tsv"));
    options.sts_file = a.eval->substr(kSts.size());
    read_sts(options.sts_file);  // a bad file is an error before any work
  }
  options.texts_file = a.texts.value_or("");
  if (a.texts) read_lines(*a.texts);
  options.first_texts = static_cast<uint32_t>(a.first);
  options.measure_speed = !a.no_bench;
  options.threads = a.threads;
  return options;
}

Gates make_gates(const CompressArguments& a) {
  Gates gates{a.max_drop, a.min_speedup, {}};
  if (a.max_size) gates.max_size_bytes = parse_size(*a.max_size);
  if (a.min_speedup && a.no_bench) fail(Errc::usage, "--min-speedup needs speed, which --no-bench leaves out");
  return gates;
}

// The artifact must not be one of the files it is made from or measured with.
void check_output(const CompressArguments& a, const SourceModel& source, const VerifyOptions& proof) {
  const std::filesystem::path output = *a.output;
  check_writable(output);
  std::vector<std::filesystem::path> inputs = {a.calibrate.value_or(""), proof.sts_file, proof.texts_file};
  for (const SourceFile& file : source.checkpoint->files()) inputs.emplace_back(file.path);
  for (const auto& entry : std::filesystem::directory_iterator(source.path)) inputs.push_back(entry.path());
  for (const std::filesystem::path& input : inputs) {
    std::error_code ignored;
    if (std::filesystem::equivalent(output, input, ignored)) {
      fail(Errc::usage, message(output.string(), ": is an input, ", input.string()));
    }
  }
}

int dry_run(const CompressArguments& a, const CompressionPlan& plan) {
  if (a.json) {
    write_json(plan_json(plan));
  } else {
    write_stdout(plan_text(plan));
  }
  return kExitDone;
}

}  // namespace

int compress_command(const std::vector<std::string>& args) {
  CompressArguments a;
  Options options("compress", "MODEL -o FILE",
                  "Compresses a model folder (config.json, safetensors, tokenizer) into one artifact, opens it again "
                  "with the runtime, and reports what it cost and gained.");
  add_method_options(options, a);
  add_data_options(options, a);
  if (!options.parse(args)) return kExitDone;
  if (!a.output && !a.dry_run) fail(Errc::usage, "expected -o FILE (or --dry-run)");
  const Recipe recipe = make_recipe(a);
  const VerifyOptions proof = verify_options(a);
  const Gates gates = make_gates(a);
  const SourceModel source = open_source(a.models[0], a.allow_requantize);
  const CompressionPlan plan = make_compression_plan(source, recipe);
  if (a.dry_run) return dry_run(a, plan);
  check_output(a, source, proof);
  if (a.report) check_report_folder(*a.report);

  const StopRequests stoppable;
  TerminalProgress progress(a.quiet);
  const auto begin = std::chrono::steady_clock::now();
  ArtifactWriter writer(*a.output);
  const CompressedModel compressed = compress(source, recipe, plan, writer, progress, a.threads);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const uint64_t peak = peak_resident_bytes();

  Report report = verify(source, recipe, compressed, *a.output, proof, progress);
  report.compress_seconds = seconds.count();
  report.compress_peak_memory_bytes = peak;
  const bool passed = apply_gates(gates, report);
  if (a.report) write_reports(report, *a.report);
  if (a.json) {
    write_stdout(report_json(report) + "\n");
  } else if (!a.quiet) {
    write_stdout(report_text(report));
  }
  return passed ? kExitDone : kExitGateMissed;
}

}  // namespace lathe::cli
