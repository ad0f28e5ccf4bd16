#include "runtime/model.h"

#include <algorithm>

namespace lathe {

bool is_causal(const Program& program) {
  bool attends = false;
  for (const Op& op : program.ops) {
    const auto* attention = op.as<ops::Attention>();
    if (attention == nullptr) continue;
    if (attention->mask != AttentionMask::causal) return false;
    attends = true;
  }
  return attends;
}

Model::Model(Program program, const WeightLookup& weights, const std::string& where, const MakeExecutor& make)
    : program_(std::move(program)), is_causal_(lathe::is_causal(program_)) {
  const ShapeOf shape_of = [&](const std::string& name) { return weights(name).shape; };
  validate(program_, shape_of, where);
  reads_samples_ = lathe::reads_samples(program_);
  for (const Op& op : program_.ops) {
    const auto* embedding = op.as<ops::Embedding>();
    if (embedding == nullptr) continue;
    size_t& bound = bound_of(embedding->stream);
    bound = std::min<size_t>(bound, shape_of(program_.weights[op.weights[0]])[0]);
  }
  executor_ = make(program_, weights);
}

size_t& Model::bound_of(Stream stream) {
  switch (stream) {  // a stream that is missing here does not compile
    case Stream::tokens:
      return vocabulary_size_;
    case Stream::positions:
      return max_tokens_;
    case Stream::segments:
      return segment_kinds_;
  }
  fail(Errc::internal, "an embedding has a stream that does not exist");
}

Model Model::open(const std::filesystem::path& path, Device device) { return open(path, executor_maker(device)); }

Model Model::open(const std::filesystem::path& path, const MakeExecutor& make) {
  auto artifact = std::make_unique<Artifact>(Artifact::open(path));
  const auto lookup = [&](const std::string& name) { return artifact->tensor(name).tensor; };
  Model model(artifact->program(), lookup, artifact->file().path(), make);
  model.artifact_ = std::move(artifact);
  return model;
}

Model Model::build(Program program, const WeightLookup& weights, const std::string& where, Device device) {
  return Model(std::move(program), weights, where, executor_maker(device));
}

Model Model::build(Program program, const WeightLookup& weights, const std::string& where, const MakeExecutor& make) {
  return Model(std::move(program), weights, where, make);
}

}  // namespace lathe
