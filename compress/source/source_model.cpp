#include "compress/source/source_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "compress/source/architectures.h"
#include "formats/artifact/named_values.h"
#include "formats/huggingface/hf_tokenizer.h"
#include "formats/source.h"
#include "formats/text.h"
#include "runtime/text/chat.h"

namespace lathe {
namespace {

// One pass over the checkpoint: a NaN or infinity would spread silently through every method.
void check_finite(const Checkpoint& checkpoint, const std::string& name) {
  const TensorView tensor = checkpoint.tensor(name);
  uint64_t bad = 0;
  uint64_t first = 0;
  const std::vector<float> values = to_f32(tensor, name);
  for (uint64_t i = values.size(); i > 0; --i) {
    if (std::isfinite(values[i - 1])) continue;
    ++bad;
    first = i - 1;
  }
  checkpoint.release(name);
  if (bad != 0) {
    fail(Errc::malformed, message(checkpoint.where(name), ": tensor ", name, " has ", bad,
                                  " values that are not finite, the first at index ", first, ": ", values[first]));
  }
}

void check_nothing_left_over(const Checkpoint& checkpoint, const Architecture& architecture, SourceModel& model) {
  const std::set<std::string> used(model.program.weights.begin(), model.program.weights.end());
  std::vector<std::string> ignored;
  for (const std::string& name : checkpoint.names()) {
    if (used.contains(name)) continue;
    if (!architecture.is_ignorable(name, model.task)) {
      fail(Errc::malformed,
           message(checkpoint.where(name), ": tensor ", name, " ", shape_text(checkpoint.tensor(name).shape),
                   " is not part of the ", architecture.model_type, " model that the config describes"));
    }
    ignored.push_back(name);
  }
  if (ignored.empty()) return;
  std::string list;
  for (const std::string& name : ignored) list += (list.empty() ? "" : ", ") + name;
  const bool logits = model.task.classifies() || model.task.generates();
  const char* output = logits ? "the logits do" : "the text vector does";
  model.notes.push_back(message("left out, because ", output, " not depend on them: ", list));
}

Encoding source_encoding(DType type) {
  if (type == DType::f16) return {ValueType::f16, Sparsity::dense, 0};
  if (type == DType::bf16) return {ValueType::bf16, Sparsity::dense, 0};
  return {};
}

void check_model(SourceModel& model) {
  const std::string where = model.path.string();
  const auto shape_of = [&](const std::string& name) { return model.weight(name).shape; };
  validate(model.program, shape_of, where);
  if (model.task.generates()) model.tokenizer.max_length = model.task.context;
  for (const Op& op : model.program.ops) {
    const auto* embedding = op.as<ops::Embedding>();
    if (embedding == nullptr) continue;
    const uint64_t rows = shape_of(model.program.weights[op.weights[0]])[0];
    if (embedding->stream == Stream::tokens) check_vocabulary_fits(model.tokenizer, rows, where);
    if (embedding->stream == Stream::positions) {
      model.tokenizer.max_length = std::min<uint32_t>(model.tokenizer.max_length, static_cast<uint32_t>(rows));
    }
  }
  for (const std::string& name : model.program.weights) {
    if (!model.derived.contains(name)) check_finite(*model.checkpoint, name);
  }
}

/// What a template may name, of a model that came without one.
void name_special_tokens(TokenizerSpec& spec) {
  const std::pair<const char*, uint32_t> tokens[] = {
      {"bos_token", spec.begin_id}, {"eos_token", spec.end_id}, {"pad_token", spec.pad_id}};
  for (const auto& [name, id] : tokens) {
    if (id < spec.vocabulary.size()) spec.chat_variables.push_back({name, spec.vocabulary[id]});
  }
}

}  // namespace

EncodedTensor SourceModel::weight(const std::string& name) const {
  if (const auto own = derived.find(name); own != derived.end()) return own->second.view();
  const TensorView tensor = checkpoint->tensor(name);
  if (tensor.dtype != DType::f64) {
    EncodedTensor encoded{source_encoding(tensor.dtype), tensor.shape, {}};
    encoded.planes[static_cast<size_t>(Plane::values)] = tensor.bytes;
    return encoded;
  }
  EncodedBuffer& buffer = converted_[name];
  if (buffer.shape.empty()) buffer = f32_buffer(tensor.shape, to_f32(tensor, name));
  return buffer.view();
}

uint64_t SourceModel::parameters() const {
  const std::set<std::string> constant = constant_weights(program);
  uint64_t total = 0;
  for (const std::string& name : program.weights) {
    if (!constant.contains(name)) total += element_count(weight(name).shape, name);
  }
  return total;
}

void SourceModel::release(const std::string& name) const {
  if (!derived.contains(name)) checkpoint->release(name);
}

uint64_t SourceModel::source_bytes() const {
  uint64_t total = 0;
  for (const SourceFile& file : checkpoint->files()) total += file.bytes;
  return total;
}

SourceModel open_source(const std::filesystem::path& path, bool allow_requantize) {
  const std::unique_ptr<Source> source = open_source_files(path, {allow_requantize});
  SourceModel model;
  model.name = source->name();
  model.path = path;
  const Architecture& architecture = detect_architecture(source->config());
  model.checkpoint = source->checkpoint();
  architecture.build({*model.checkpoint, source->config(), source->sentence_transformer()}, model);
  check_nothing_left_over(*model.checkpoint, architecture, model);
  model.tokenizer = source->tokenizer();
  for (const std::string& note : source->notes()) model.notes.push_back(note);
  for (const std::string& warning : model.checkpoint->warnings()) model.notes.push_back(warning);
  check_model(model);
  return model;
}

void settle_chat_template(const std::optional<std::string>& replacement, SourceModel& model) {
  TokenizerSpec& spec = model.tokenizer;
  if (replacement) {
    if (spec.kind != TokenizerKind::byte_bpe) fail(Errc::usage, "a chat template is for models that generate text");
    spec.chat_template = *replacement;
    spec.chat = replacement->empty() ? ChatForm::none : ChatForm::jinja;
    if (replacement->empty()) spec.chat_variables.clear();
    if (spec.chat_variables.empty() && !replacement->empty()) name_special_tokens(spec);
  }
  check_chat_template(spec, message(model.path.string(), ": chat template"));
}

const char* role_name(WeightRole role) {
  constexpr NamedValues<WeightRole, 4> kNames = {{{WeightRole::linear, "linear"},
                                                  {WeightRole::embedding, "embedding"},
                                                  {WeightRole::head, "head"},
                                                  {WeightRole::other, "other"}}};
  return kNames.name(role);
}

std::map<std::string, WeightRole> weight_roles(const Program& program) {
  std::map<std::string, WeightRole> roles;
  const auto is_head = [&](const Op& op) {
    const auto& outputs = program.outputs;
    return program.values[op.output].rows == RowKind::tokens &&
           std::find(outputs.begin(), outputs.end(), op.output) != outputs.end();
  };
  for (const Op& op : program.ops) {
    for (size_t slot = 0; slot < op.weights.size(); ++slot) {
      if (op.weights[slot] == kNone) continue;
      WeightRole role = WeightRole::other;
      if (slot == 0 && op.is<ops::Linear>()) role = is_head(op) ? WeightRole::head : WeightRole::linear;
      if (slot == 0 && op.is<ops::Embedding>()) role = WeightRole::embedding;
      WeightRole& known = roles.try_emplace(program.weights[op.weights[slot]], role).first->second;
      if (known != WeightRole::embedding) known = role;
    }
  }
  return roles;
}

std::set<std::string> constant_weights(const Program& program) {
  std::set<std::string> names;
  for (const Op& op : program.ops) {
    if (op.is<ops::Rope>()) names.insert(program.weights[op.weights[0]]);
  }
  return names;
}

}  // namespace lathe
