#include "compress/export/onnx/export_onnx.h"

#include <algorithm>

#include "compress/export/dense_weights.h"
#include "compress/export/onnx/onnx_program.h"
#include "compress/export/onnx/onnx_weights.h"
#include "compress/job/version.h"
#include "compress/source/task.h"
#include "formats/text.h"

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

/// What the file does not say of the texts that it is for.
struct TextFacts {
  std::optional<uint64_t> longest;  // tokens
  std::string prefix;               // goes before every text
};

TextFacts text_facts(const Artifact& artifact, const OnnxProgram& program) {
  TextFacts facts{program.positions, {}};
  if (artifact.section(layout::Section::tokenizer).empty()) return facts;
  const TokenizerSpec tokenizer = stored_tokenizer(artifact);
  facts.longest = std::min<uint64_t>(facts.longest.value_or(tokenizer.max_length), tokenizer.max_length);
  facts.prefix = tokenizer.text_prefix;
  return facts;
}

void describe(const Artifact& artifact, const TextFacts& texts, OnnxModel& model) {
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
  if (texts.longest) model.properties.emplace_back("max_tokens", message(*texts.longest));
  if (!texts.prefix.empty()) model.properties.emplace_back("text_prefix", texts.prefix);
}

std::string count_of(uint64_t count, const char* what) { return message(count, " ", what, count == 1 ? "" : "s"); }

std::vector<std::string> notes_of(const OnnxProgram& program, OnnxExportType type, const TextFacts& texts) {
  std::string tokenizer =
      "the tokenizer is not in the file: use that of the original model's folder, padding on the right";
  if (texts.longest) tokenizer += message(", with texts of at most ", *texts.longest, " tokens");
  if (!texts.prefix.empty()) tokenizer += message(", and \"", printable(texts.prefix), "\" before every text");
  std::vector<std::string> notes = {tokenizer};
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
  const TextFacts texts = text_facts(artifact, program);
  describe(artifact, texts, program.model);
  onnx_file_bytes(program.model, output.string());  // refuses what is too large
  check_intact(artifact);
  result.bytes = write_onnx(output, program.model);
  result.types.assign(program.types.begin(), program.types.end());
  result.notes = notes_of(program, result.type, texts);
  return result;
}

}  // namespace lathe
