#include "compress/export/onnx/export_onnx.h"

#include <algorithm>

#include "compress/export/onnx/onnx_program.h"
#include "compress/export/onnx/onnx_weights.h"
#include "compress/job/version.h"
#include "compress/source/task.h"

namespace lathe {
namespace {

bool has_integer_weights(const Artifact& artifact) {
  const Program& program = artifact.program();
  return std::any_of(program.ops.begin(), program.ops.end(), [&](const Op& op) {
    const bool has_matrix = op.is<ops::Linear>() || op.is<ops::Embedding>();
    return has_matrix && has_integers(artifact.tensor(program.weights[op.weights[0]]).tensor);
  });
}

OnnxExportType chosen_type(const Artifact& artifact, std::optional<OnnxExportType> type) {
  const bool integers = has_integer_weights(artifact);
  if (!type) return integers ? OnnxExportType::int8_dynamic : OnnxExportType::f32;
  if (*type != OnnxExportType::f32 && !integers) {
    fail(Errc::unsupported, message(artifact.file().path(), ": has no integer weights, so that type ",
                                    kOnnxExportTypes.name(*type), " would change nothing; f32 writes what is there"));
  }
  return *type;
}

/// Tokens of a text at most.
std::optional<uint64_t> longest_text(const Artifact& artifact, const OnnxProgram& program) {
  std::optional<uint64_t> longest = program.positions;
  if (artifact.section(layout::Section::tokenizer).empty()) return longest;
  const uint64_t cut = stored_tokenizer(artifact).max_length;
  return std::min(longest.value_or(cut), cut);
}

void describe(const Artifact& artifact, const std::optional<uint64_t>& longest, OnnxModel& model) {
  model.producer = "Lathe";
  model.producer_version = kLatheVersion;
  model.name = "model";
  model.documentation = "Compressed by Lathe. The tokenizer is not inside: use that of the original model.";
  const std::string recipe = artifact.section_text(layout::Section::recipe);
  if (!recipe.empty()) model.documentation += " Recipe: " + recipe;
  for (const auto& [key, value] : task_fields(artifact)) {
    if (key == "source") model.name = value;
    model.properties.emplace_back(key, value);
  }
  if (longest) model.properties.emplace_back("max_tokens", message(*longest));
}

std::string count_of(uint64_t count, const char* what) { return message(count, " ", what, count == 1 ? "" : "s"); }

std::vector<std::string> notes_of(const OnnxProgram& program, OnnxExportType type,
                                  const std::optional<uint64_t>& longest) {
  std::vector<std::string> notes;
  std::string tokenizer =
      "the tokenizer is not in the file: use that of the original model's folder, padding on the right";
  if (longest) tokenizer += message(", with texts of at most ", *longest, " tokens");
  notes.push_back(tokenizer);
  if (type != OnnxExportType::f32 && program.floats > 0) {
    notes.push_back(message(count_of(program.floats, "linear weight"), " without integers in the artifact ",
                            program.floats == 1 ? "is" : "are", " written as f32"));
  }
  if (type == OnnxExportType::int8_dynamic && program.sixteen_bit_inputs > 0) {
    notes.push_back(message("the inputs of ", count_of(program.sixteen_bit_inputs, "linear layer"),
                            " are not rounded, because the artifact has 16 bits for them"));
  }
  return notes;
}

}  // namespace

OnnxExport export_onnx(const Artifact& artifact, std::optional<OnnxExportType> type,
                       const std::filesystem::path& output) {
  OnnxExport result;
  check_onnx_program(artifact);
  result.type = chosen_type(artifact, type);
  OnnxProgram program = onnx_program(artifact, result.type, stored_task(artifact).classifies());
  const std::optional<uint64_t> longest = longest_text(artifact, program);
  describe(artifact, longest, program.model);
  onnx_file_bytes(program.model, output.string());  // refuses what is too large
  const std::vector<std::string> faults = artifact.verify();
  if (!faults.empty()) fail(Errc::malformed, message(artifact.file().path(), ": ", faults.front()));
  result.bytes = write_onnx(output, program.model);
  result.types.assign(program.types.begin(), program.types.end());
  result.notes = notes_of(program, result.type, longest);
  return result;
}

}  // namespace lathe
