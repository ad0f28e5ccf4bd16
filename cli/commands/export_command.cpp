// compress export FILE: an artifact in the format of other programs.

#include <cstdio>
#include <filesystem>

#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/options.h"
#include "cli/outputs.h"
#include "cli/text.h"
#include "compress/export/gguf/export_gguf.h"
#include "compress/facts/facts_json.h"
#include "compress/facts/number_text.h"

namespace lathe::cli {
namespace {

enum class ExportFormat { gguf };
constexpr NamedValues<ExportFormat, 1> kExportFormats = {{{ExportFormat::gguf, "gguf"}}};

struct ExportArguments {
  std::vector<std::string> files;
  ExportFormat format = ExportFormat::gguf;
  GgufExportType type = GgufExportType::q8_0;
  std::optional<std::string> output;
  bool force = false;
  bool json = false;
  bool quiet = false;
};

bool parse(const std::vector<std::string>& args, ExportArguments& a) {
  Options options(
      "compress export", "FILE -o OUT.gguf",
      "Writes the model of an artifact, a decoder, as a GGUF file for the programs that read those. Weights "
      "are those that the artifact decodes to: pruned ones are zeros, and a low-rank layer is the product "
      "of its two factors.");
  options.choice("to", "the format", kExportFormats, a.format)
      .choice("type",
              "of linear weights; norms and biases are F32. With q4_0 the token table and the head are Q8_0, with q4_k "
              "Q6_K. Int8 weights become Q8_0, and int4 weights with groups of 32 become Q4_0, Q4_K or Q6_K, without "
              "being rounded again",
              kGgufExportTypes, a.type)
      .text("output,o", "FILE", "where to write", a.output)
      .flag("force", "replace the output when it exists", a.force)
      .flag("json", "one JSON object on standard output", a.json)
      .flag("quiet,q", "no notes", a.quiet)
      .operands(1, 1, a.files);
  return options.parse(args);
}

void check_export(const ExportArguments& a) {
  check_output(*a.output, {a.files[0]});
  std::error_code ignored;
  if (!a.force && std::filesystem::exists(*a.output, ignored)) {
    fail(Errc::cannot_create, message(*a.output, ": exists already; --force replaces it"));
  }
}

Json to_json(const ExportArguments& a, const GgufExport& result) {
  Json types = Json::object();
  for (const auto& [type, tensors] : result.types) types.set(type, tensors);
  return Json::object({{"schema", kJsonSchema},
                       {"command", "export"},
                       {"file", a.files[0]},
                       {"output", *a.output},
                       {"format", kExportFormats.name(a.format)},
                       {"type", kGgufExportTypes.name(a.type)},
                       {"architecture", result.architecture},
                       {"bytes", result.bytes},
                       {"tensors", std::move(types)},
                       {"notes", strings_json(result.notes)}});
}

std::string to_line(const ExportArguments& a, const GgufExport& result) {
  std::string types;
  for (const auto& [type, tensors] : result.types) {
    types += message(types.empty() ? "" : ", ", count_text(tensors), " ", type);
  }
  return message(*a.output, ": ", result.architecture, ", tensors: ", types, "; ", bytes_text(result.bytes), "\n");
}

}  // namespace

int export_command(const std::vector<std::string>& args) {
  ExportArguments a;
  if (!parse(args, a)) return kExitDone;
  if (!a.output) fail(Errc::usage, "expected -o FILE");
  const Artifact artifact = Artifact::open(a.files[0]);
  check_export(a);
  const GgufExport result = export_gguf(artifact, a.type, *a.output);
  if (a.json) {
    write_json(to_json(a, result));
    return kExitDone;
  }
  if (a.quiet) return kExitDone;
  for (const std::string& note : result.notes) std::fprintf(stderr, "compress: note: %s\n", note.c_str());
  write_stdout(to_line(a, result));
  return kExitDone;
}

}  // namespace lathe::cli
