#include "compress/export/onnx/onnx_linear.h"

#include <limits>

#include "compress/export/onnx/onnx_weights.h"

namespace lathe {

std::string LinearWriter::product(const LinearInput& x, const NamedWeight& weight, OnnxExportType type,
                                  const std::string& wanted) {
  if (type == OnnxExportType::int8) return weights_alone(x.name, weight, wanted);
  if (type == OnnxExportType::int8_dynamic) return of_integers(x, weight, wanted);
  return graph_.node("MatMul", {x.name, graph_.tensor(f32_transposed(weight.name, weight.tensor))}, wanted);
}

std::string LinearWriter::weights_alone(const std::string& x, const NamedWeight& weight, const std::string& wanted) {
  const std::string integers = graph_.tensor(int8_transposed(weight.name, weight.tensor));
  const std::string scales = graph_.tensor(row_scales(weight.name + "/scale", weight.tensor));
  const std::string decoded =
      graph_.node("DequantizeLinear", {integers, scales}, weight.name + "/decoded", {{"axis", int64_t{1}}});
  return graph_.node("MatMul", {x, decoded}, wanted);
}

// Products of integers, then scale * (x integers - zero) * (W integers) * row scale. The rows of tokens stand in one
// matrix meanwhile, because QuantizeLinear takes a scale for each index of one axis.
std::string LinearWriter::of_integers(const LinearInput& x, const NamedWeight& weight, const std::string& wanted) {
  const Rounded input = rounded(x, weight.tensor.cols());
  const std::string integers = graph_.tensor(int8_transposed(weight.name, weight.tensor));
  const std::string scales = graph_.tensor(row_scales(weight.name + "/scale", weight.tensor));
  const std::string sums = graph_.tensor(row_sums(weight.name + "/sum", weight.tensor));
  const std::string whole = graph_.node("MatMulInteger", {input.integers, integers}, wanted + "/integers");
  const std::string number =
      graph_.node("Cast", {whole}, wanted + "/number", {{"to", static_cast<int64_t>(OnnxType::f32)}});
  const std::string shift = graph_.node("Mul", {input.zero, sums}, wanted + "/shift");
  const std::string centered = graph_.node("Sub", {number, shift}, wanted + "/centered");
  const std::string scale = graph_.node("Mul", {input.scale, scales}, wanted + "/scale");
  if (!x.has_tokens) return graph_.node("Mul", {centered, scale}, wanted);
  const std::string rows = graph_.node("Mul", {centered, scale}, wanted + "/matrix");
  const std::string width = graph_.integers({static_cast<int64_t>(weight.tensor.rows())});
  const std::string shape = graph_.node("Concat", {input.shape, width}, wanted + "/shape", {{"axis", int64_t{0}}});
  return graph_.node("Reshape", {rows, shape}, wanted);
}

const LinearWriter::Rounded& LinearWriter::rounded(const LinearInput& x, uint64_t width) {
  const auto [at, is_new] = rounded_.try_emplace(x.name);
  Rounded& out = at->second;
  if (!is_new) return out;
  constexpr float kSteps = 255;
  const std::string zero = graph_.number(0);
  const auto add = [&](const char* op, std::vector<std::string> inputs, const char* name,
                       std::vector<std::pair<std::string, OnnxAttribute>> attributes = {}) {
    return graph_.node(op, std::move(inputs), message(x.name, "/", name), std::move(attributes));
  };
  std::string matrix = x.name;
  if (x.has_tokens) {
    out.shape = add("Shape", {x.name}, "shape", {{"start", int64_t{0}}, {"end", int64_t{2}}});
    matrix = add("Reshape", {x.name, graph_.integers({-1, static_cast<int64_t>(width)})}, "matrix");
  }
  const std::vector<std::pair<std::string, OnnxAttribute>> last = {{"axes", std::vector<int64_t>{1}}};
  const std::string low = add("Min", {add("ReduceMin", {matrix}, "lowest", last), zero}, "low");
  const std::string high = add("Max", {add("ReduceMax", {matrix}, "highest", last), zero}, "high");
  const std::string step = add("Div", {add("Sub", {high, low}, "range"), graph_.number(kSteps)}, "step");
  // A row of zeros has no range; the smallest normal number keeps its quotients zero.
  out.scale = add("Max", {step, graph_.number(std::numeric_limits<float>::min())}, "scale");
  out.zero = add("Round", {add("Neg", {add("Div", {low, out.scale}, "back")}, "forth")}, "zero");
  const std::string flat = graph_.integers({-1});
  const std::string scales = add("Reshape", {out.scale, flat}, "scales");
  const std::string zeros = add("Reshape", {out.zero, flat}, "zeros");
  const std::string whole = add("Cast", {zeros}, "whole_zeros", {{"to", static_cast<int64_t>(OnnxType::u8)}});
  out.integers = add("QuantizeLinear", {matrix, scales, whole}, "u8", {{"axis", int64_t{0}}});
  return out;
}

}  // namespace lathe
