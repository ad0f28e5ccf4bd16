#include "compress/export/onnx/onnx_graph.h"

#include <utility>

namespace lathe {
namespace {

template <class T>
OnnxTensor constant(OnnxType type, Shape shape, const std::vector<T>& values) {
  return {"constant", type, std::move(shape), [values](const OnnxSink& sink) { sink(as_bytes_of(values)); }};
}

}  // namespace

std::string OnnxGraph::unique(const std::string& wanted) {
  std::string name = wanted;
  for (size_t i = 2; name.empty() || !names_.insert(name).second; ++i) name = message(wanted, "_", i);
  return name;
}

void OnnxGraph::claim(const std::string& name) {
  if (!names_.insert(name).second) fail(Errc::internal, "the name " + name + " of a graph is taken");
}

void OnnxGraph::input(const OnnxValue& value) {
  claim(value.name);
  model_.inputs.push_back(value);
}

void OnnxGraph::declare_output(const OnnxValue& value) {
  claim(value.name);
  model_.outputs.push_back(value);
}

void OnnxGraph::set_output(const std::string& output, const std::string& value) {
  model_.nodes.push_back({"Identity", {value}, {output}});
}

std::string OnnxGraph::node(const std::string& op, std::vector<std::string> inputs, const std::string& wanted,
                            std::vector<std::pair<std::string, OnnxAttribute>> attributes) {
  std::string name = unique(wanted);
  model_.nodes.push_back({op, std::move(inputs), {name}, std::move(attributes)});
  return name;
}

std::string OnnxGraph::tensor(OnnxTensor tensor) {
  tensor.name = unique(tensor.name);
  model_.tensors.push_back(std::move(tensor));
  return model_.tensors.back().name;
}

std::string OnnxGraph::shared(const std::string& key, OnnxTensor tensor) {
  const auto [at, is_new] = shared_.try_emplace(key);
  if (is_new) at->second = this->tensor(std::move(tensor));
  return at->second;
}

std::string OnnxGraph::number(float value) {
  return shared(message("f", value), constant<float>(OnnxType::f32, {}, {value}));
}

std::string OnnxGraph::integer(int64_t value) {
  return shared(message("i", value), constant<int64_t>(OnnxType::i64, {}, {value}));
}

std::string OnnxGraph::integers(const std::vector<int64_t>& values) {
  std::string key = "l";
  for (const int64_t value : values) key += message(" ", value);
  return shared(key, constant(OnnxType::i64, {values.size()}, values));
}

}  // namespace lathe
