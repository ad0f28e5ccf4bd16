#include "compress/source/task.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "formats/text.h"
#include "runtime/generation.h"

namespace lathe {
namespace {

using layout::Section;

Pooling pooling_named(const std::string& name, const Artifact& artifact) {
  if (const auto pooling = kPoolings.find(name)) return *pooling;
  fail(Errc::malformed, message(artifact.file().path(), ": task: pooling \"", printable(name), "\" is not known"));
}

uint32_t whole_number(const std::string& value, const std::string& key, const Artifact& artifact) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) {
    fail(Errc::malformed, message(artifact.file().path(), ": task: ", key, " \"", printable(value),
                                  "\" is not a whole number below 2^32"));
  }
  return number;
}

double positive_number(const std::string& value, const std::string& key, const Artifact& artifact) {
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || !(number >= 0) || !std::isfinite(number)) {
    fail(Errc::malformed,
         message(artifact.file().path(), ": task: ", key, " \"", printable(value), "\" is not a number of at least 0"));
  }
  return number;
}

void check_generator(const Program& program, const Artifact& artifact) {
  if (is_generator(program)) return;
  fail(Errc::malformed, message(artifact.file().path(), ": task: is for ", kGenerationTask,
                                ", but the program does not give logits for each token with causal attention"));
}

}  // namespace

void check_labels(const std::vector<std::string>& labels, const std::string& where) {
  std::set<std::string_view> seen;
  for (const std::string& label : labels) {
    const auto refuse = [&](const std::string& why) {
      fail(Errc::malformed, message(where, ": label \"", printable(label), "\" ", why));
    };
    if (label.empty()) refuse("is empty");
    if (label.size() > kMaxLabelBytes) refuse(message("is longer than ", kMaxLabelBytes, " bytes"));
    if (!is_utf8(label)) refuse("is not UTF-8");
    const auto is_control = [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; };
    if (std::any_of(label.begin(), label.end(), is_control)) refuse("has control characters");
    if (!seen.insert(label).second) refuse("appears twice");
  }
}

std::string task_text(const Task& task, const std::string& source) {
  if (task.generates()) {
    std::string text = message("kind=", task.kind, "\ndimension=", task.dimension, "\narchitecture=", task.architecture,
                               "\ncontext=", task.context, "\n");
    if (task.rope_theta > 0) text += message("rope_theta=", task.rope_theta, "\n");
    return text + message("source=", source, "\n");
  }
  std::string text =
      message("kind=", task.kind, "\ndimension=", task.dimension, "\npooling=", kPoolings.name(task.pooling),
              "\nnormalize=", task.normalize ? 1 : 0, "\nsource=", source, "\n");
  for (size_t i = 0; i < task.labels.size(); ++i) text += message("label.", i, "=", task.labels[i], "\n");
  return text;
}

std::vector<std::pair<std::string, std::string>> task_fields(const Artifact& artifact) {
  std::vector<std::pair<std::string, std::string>> fields;
  const std::string text = artifact.section_text(Section::task);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.empty()) continue;
    const size_t equals = line.find('=');
    if (equals == std::string::npos || equals == 0 || !is_utf8(line)) {
      fail(Errc::malformed, message(artifact.file().path(), ": task: line \"", printable(line), "\" is not key=value"));
    }
    fields.emplace_back(line.substr(0, equals), line.substr(equals + 1));
  }
  return fields;
}

Task stored_task(const Artifact& artifact) {
  const Program& program = artifact.program();
  Task task;
  task.kind = kEmbeddingTask;
  task.dimension = program.values[program.outputs[0]].shape.size();
  for (const auto& [key, value] : task_fields(artifact)) {
    if (key == "kind") task.kind = value;
    if (key == "pooling") task.pooling = pooling_named(value, artifact);
    if (key == "normalize") task.normalize = value == "1";
    if (key == "architecture") task.architecture = value;
    if (key == "context") task.context = whole_number(value, key, artifact);
    if (key == "rope_theta") task.rope_theta = positive_number(value, key, artifact);
    if (key == message("label.", task.labels.size())) task.labels.push_back(value);
  }
  if (task.generates()) check_generator(program, artifact);
  if (task.classifies()) {
    const std::string where = artifact.file().path() + ": task";
    check_labels(task.labels, where);
    if (task.labels.size() != task.dimension) {
      fail(Errc::malformed, message(where, ": has ", task.labels.size(), " labels from label.0 on, the program gives ",
                                    task.dimension, " numbers for a text"));
    }
  }
  return task;
}

TokenizerSpec stored_tokenizer(const Artifact& artifact) {
  const Bytes section = artifact.section(Section::tokenizer);
  if (section.empty()) {
    fail(Errc::unsupported, artifact.file().path() + ": has no tokenizer, so it cannot read text");
  }
  return decode_tokenizer(section, artifact.file().path());
}

}  // namespace lathe
