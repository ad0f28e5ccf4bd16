// compress export FILE: an artifact in the format of other programs.

#include <cstdio>
#include <filesystem>

#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/options.h"
#include "cli/outputs.h"
#include "cli/text.h"
#include "compress/export/gguf/export_gguf.h"
#include "compress/export/hdf5/export_hdf5.h"
#include "compress/export/huggingface/export_folder.h"
#include "compress/export/onnx/export_onnx.h"
#include "compress/facts/facts_json.h"
#include "compress/facts/number_text.h"
#include "formats/text.h"

namespace lathe::cli {
namespace {

enum class ExportFormat { gguf, hdf5, onnx, safetensors };
constexpr NamedValues<ExportFormat, 4> kExportFormats = {{{ExportFormat::gguf, "gguf"},
                                                          {ExportFormat::hdf5, "hdf5"},
                                                          {ExportFormat::onnx, "onnx"},
                                                          {ExportFormat::safetensors, "safetensors"}}};

struct ExportArguments {
  std::vector<std::string> files;
  ExportFormat format = ExportFormat::gguf;
  std::optional<std::string> type;  // one of the format's
  std::optional<std::string> model;
  std::optional<std::string> output;
  bool force = false;
  bool json = false;
  bool quiet = false;
};

bool parse(const std::vector<std::string>& args, ExportArguments& a) {
  const std::string types = message(
      "of weights. GGUF: ", kGgufExportTypes.list(", "),
      " (default q8_0), of linear weights; norms and biases are F32. With q4_0 the token table and the head are "
      "Q8_0, with q4_k Q6_K. Int8 weights become Q8_0, and int4 weights with groups of 32 become Q4_0, Q4_K or "
      "Q6_K, without being rounded again. ONNX: ",
      kOnnxExportTypes.list(", "),
      " (default int8-dynamic where the artifact has integers, else f32); int8-dynamic rounds inputs to 8 bits, token "
      "by token, as Lathe does. Elsewhere everything is f32");
  Options options(
      "compress export", "FILE -o OUT",
      "Writes the model of an artifact for other programs: a decoder as a GGUF file, an encoder or a classifier as an "
      "ONNX model, the weights of any model as an HDF5 file, or a model folder that Hugging Face's libraries load. "
      "Weights are those that the artifact decodes to: pruned ones are zeros, and a low-rank layer is the product of "
      "its two factors, which ONNX keeps apart.");
  options.choice("to", "the format (default gguf)", kExportFormats, a.format)
      .text("type", "TYPE", types, a.type)
      .text(
          "model", "FOLDER",
          "with --to safetensors: the model folder that the artifact was made of, whose config and tokenizer are taken",
          a.model)
      .text("output,o", "FILE", "where to write", a.output)
      .flag("force", "replace the output when it exists", a.force)
      .flag("json", "one JSON object on standard output", a.json)
      .flag("quiet,q", "no notes", a.quiet)
      .operands(1, 1, a.files);
  return options.parse(args);
}

void check_new(const ExportArguments& a, const std::filesystem::path& output) {
  std::error_code ignored;
  if (!a.force && std::filesystem::exists(output, ignored)) {
    fail(Errc::cannot_create, message(output.string(), ": exists already; --force replaces it"));
  }
}

void check_export(const ExportArguments& a) {
  if (a.type && a.format != ExportFormat::gguf && a.format != ExportFormat::onnx) {
    fail(Errc::usage,
         message("--type is for --to gguf and onnx; with --to ", kExportFormats.name(a.format), " all is f32"));
  }
  if (a.format != ExportFormat::safetensors) {
    if (a.model) fail(Errc::usage, "--model is for --to safetensors");
    check_output(*a.output, {a.files[0]});
    return check_new(a, *a.output);
  }
  if (!a.model) fail(Errc::usage, "--to safetensors needs --model FOLDER, whose config and tokenizer are taken");
  check_output_folder(*a.output, {a.files[0]});
  const Paths inputs = files_of_folder(*a.model);
  for (const std::filesystem::path& file : folder_export_files(*a.model, *a.output)) {
    check_new(a, file);
    check_not_an_input(file, inputs);
  }
}

// What an export of any format wrote.
struct Exported {
  uint64_t bytes = 0;
  std::string type;                                       // of linear weights
  std::string architecture;                               // empty where the format names none
  std::vector<std::pair<std::string, uint64_t>> tensors;  // how many of each type
  std::vector<std::string> notes;
};

template <class E, size_t count>
std::optional<E> type_of(const ExportArguments& a, const NamedValues<E, count>& names) {
  if (!a.type) return std::nullopt;
  if (const std::optional<E> type = names.find(*a.type)) return type;
  fail(Errc::usage, message("--type ", printable(*a.type), " is not for --to ", kExportFormats.name(a.format),
                            ", which has ", names.list(", ")));
}

Exported to_gguf(const Artifact& artifact, const ExportArguments& a) {
  const GgufExportType type = type_of(a, kGgufExportTypes).value_or(GgufExportType::q8_0);
  GgufExport result = export_gguf(artifact, type, *a.output);
  return {result.bytes, kGgufExportTypes.name(type), result.architecture, std::move(result.types),
          std::move(result.notes)};
}

Exported to_hdf5(const Artifact& artifact, const ExportArguments& a) {
  Hdf5Export result = export_hdf5(artifact, *a.output);
  return {result.bytes, "f32", {}, {{"f32", result.tensors}}, std::move(result.notes)};
}

Exported to_onnx(const Artifact& artifact, const ExportArguments& a) {
  OnnxExport result = export_onnx(artifact, type_of(a, kOnnxExportTypes), *a.output);
  return {result.bytes, kOnnxExportTypes.name(result.type), {}, std::move(result.types), std::move(result.notes)};
}

Exported to_safetensors(const Artifact& artifact, const ExportArguments& a) {
  FolderExport result = export_folder(artifact, *a.model, *a.output);
  return {result.bytes, "f32", {}, {{"f32", result.tensors}}, std::move(result.notes)};
}

struct ExportRow {
  ExportFormat value;
  Exported (*write)(const Artifact& artifact, const ExportArguments& a);
};
// A new format is a row here and a name above.
constexpr EnumTable<ExportRow, 4> kExports = {{{ExportFormat::gguf, to_gguf},
                                               {ExportFormat::hdf5, to_hdf5},
                                               {ExportFormat::onnx, to_onnx},
                                               {ExportFormat::safetensors, to_safetensors}}};

Json to_json(const ExportArguments& a, const Exported& result) {
  Json types = Json::object();
  for (const auto& [type, tensors] : result.tensors) types.set(type, tensors);
  Json json = Json::object({{"schema", kJsonSchema},
                            {"command", "export"},
                            {"file", a.files[0]},
                            {"output", *a.output},
                            {"format", kExportFormats.name(a.format)},
                            {"type", result.type},
                            {"bytes", result.bytes},
                            {"tensors", std::move(types)},
                            {"notes", strings_json(result.notes)}});
  if (!result.architecture.empty()) json.set("architecture", result.architecture);
  return json;
}

std::string to_line(const ExportArguments& a, const Exported& result) {
  std::string types;
  for (const auto& [type, tensors] : result.tensors) {
    types += message(types.empty() ? "" : ", ", count_text(tensors), " ", type);
  }
  const std::string architecture = result.architecture.empty() ? "" : result.architecture + ", ";
  return message(*a.output, ": ", architecture, "tensors: ", types, "; ", bytes_text(result.bytes), "\n");
}

}  // namespace

int export_command(const std::vector<std::string>& args) {
  ExportArguments a;
  if (!parse(args, a)) return kExitDone;
  if (!a.output) fail(Errc::usage, "expected -o FILE");
  const Artifact artifact = Artifact::open(a.files[0]);
  check_export(a);
  const Exported result = kExports[a.format].write(artifact, a);
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
