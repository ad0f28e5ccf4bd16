#include "compress/export/gguf/export_gguf.h"

#include <map>

#include "compress/export/dense_weights.h"
#include "compress/export/gguf/gguf_metadata.h"
#include "compress/export/gguf/gguf_weights.h"
#include "compress/source/task.h"

namespace lathe {
namespace {

/// How the kinds of tensors are written.
struct TypeRow {
  GgufExportType value;
  uint32_t file_type;  // general.file_type
  GgufType linear;
  GgufType table;  // token table and head
};
constexpr EnumTable<TypeRow, 5> kTypes = {{{GgufExportType::f16, 1, GgufType::f16, GgufType::f16},
                                           {GgufExportType::q8_0, 7, GgufType::q8_0, GgufType::q8_0},
                                           {GgufExportType::q4_0, 2, GgufType::q4_0, GgufType::q8_0},
                                           {GgufExportType::q4_k, 14, GgufType::q4_k, GgufType::q6_k},
                                           {GgufExportType::q6_k, 18, GgufType::q6_k, GgufType::q6_k}}};

/// What takes the place of a type where rows are no multiple of its block.
struct Fallback {
  GgufType type, instead;
};
constexpr Fallback kFallbacks[] = {{GgufType::q4_k, GgufType::q4_0}, {GgufType::q6_k, GgufType::q8_0}};

GgufType fallback_of(GgufType type) {
  for (const Fallback& row : kFallbacks) {
    if (row.type == type) return row.instead;
  }
  return GgufType::f16;
}

GgufType wanted_type(const GgufWeight& weight, const TypeRow& types) {
  if (weight.is_vector() || weight.name == "position_embd.weight") return GgufType::f32;
  const bool is_table = weight.name == "token_embd.weight" || weight.name == "output.weight";
  return is_table ? types.table : types.linear;
}

bool fits(GgufType type, const Shape& shape) { return shape.back() % gguf_traits(type).block_values == 0; }

uint64_t permuted_width(const GgufWeight& weight, uint64_t head_width) {
  const bool is_permuted = weight.row->layout == GgufLayout::q_rows || weight.row->layout == GgufLayout::k_rows;
  return is_permuted ? head_width : 0;
}

GgufOutput frequency_factors(const std::vector<float>& factors) {
  return {"rope_freqs.weight", GgufType::f32, {factors.size()}, [factors](const GgufSink& sink) { sink({factors}); }};
}

std::string note_of_window(const GgufProgram& program) {
  return message("attention sees the last ", program.window,
                 " tokens; readers that do not know attention.sliding_window for this architecture give other results "
                 "for longer texts");
}

/// Rows that are no multiple of a block, and the type that was taken instead.
struct Unfit {
  uint64_t columns = 0;
  uint64_t block = 0;
  GgufType type = GgufType::f16;

  auto operator<=>(const Unfit&) const = default;
};

class Exporter {
 public:
  Exporter(const GgufProgram& program, uint64_t head_width, const TypeRow& types)
      : program_(program), head_width_(head_width), types_(types) {}

  std::vector<GgufOutput> outputs(const std::vector<float>& factors) {
    std::vector<GgufOutput> outputs;
    for (const GgufWeight& weight : program_.weights) outputs.push_back(output(weight));
    if (!factors.empty()) outputs.push_back(frequency_factors(factors));
    for (const GgufOutput& out : outputs) ++counts_[gguf_traits(out.type).name];
    return outputs;
  }

  GgufExport result() const {
    GgufExport result;
    for (const auto& [name, count] : counts_) result.types.emplace_back(name, count);
    for (const auto& [unfit, count] : unfit_) {
      result.notes.push_back(message(count, count == 1 ? " tensor is" : " tensors are", " written as ",
                                     gguf_traits(unfit.type).name, ", because rows of ", unfit.columns,
                                     " numbers are no multiple of ", unfit.block));
    }
    if (program_.window > 0) result.notes.push_back(note_of_window(program_));
    return result;
  }

 private:
  GgufOutput output(const GgufWeight& weight) {
    const Shape shape = weight.shape();
    GgufType type = wanted_type(weight, types_);
    const uint64_t block = gguf_traits(type).block_values;
    const bool falls_back = !fits(type, shape);
    while (!fits(type, shape)) type = fallback_of(type);
    if (falls_back) ++unfit_[{shape.back(), block, type}];
    const uint64_t width = permuted_width(weight, head_width_);
    return {weight.name, type, shape, [&weight, width](const GgufSink& sink) { write_rows(weight, width, sink); }};
  }

  const GgufProgram& program_;
  uint64_t head_width_;
  const TypeRow& types_;
  std::map<std::string, uint64_t> counts_;
  std::map<Unfit, uint64_t> unfit_;  // -> tensors
};

std::string source_name(const Artifact& artifact) {
  for (const auto& [key, value] : task_fields(artifact)) {
    if (key == "source") return value;
  }
  return {};
}

}  // namespace

GgufExport export_gguf(const Artifact& artifact, GgufExportType type, const std::filesystem::path& output) {
  const std::string& file = artifact.file().path();
  check_intact(artifact);
  const TypeRow& types = kTypes[type];
  const Task task = stored_task(artifact);
  const GgufArchitectureRow& row = gguf_architecture_of(task, file);
  const GgufProgram program = read_gguf_program(artifact, row);
  std::vector<float> factors;
  GgufFields fields = gguf_model_fields(program, row, task, file, factors);
  fields.merge(gguf_tokenizer_fields(stored_tokenizer(artifact), program.find("token_embd.weight")->shape()[0], file));
  fields["general.file_type"] = types.file_type;
  const std::string name = source_name(artifact);
  if (!name.empty()) fields["general.name"] = name;
  const GgufWeight* q = program.find("blk.0.attn_q.weight");
  const uint64_t head_width = q == nullptr ? 0 : q->shape()[0] / program.heads;
  Exporter exporter(program, head_width, types);
  const uint64_t bytes = write_gguf(output, fields, exporter.outputs(factors));
  GgufExport result = exporter.result();
  result.bytes = bytes;
  result.architecture = row.name;
  return result;
}

}  // namespace lathe
