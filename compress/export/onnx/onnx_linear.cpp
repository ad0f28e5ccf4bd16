#include "compress/export/onnx/onnx_linear.h"

#include <limits>

#include "compress/export/onnx/onnx_weights.h"

namespace lathe {

std::string LinearWriter::product(const std::string& x, const NamedWeight& weight, OnnxExportType type,
                                  const std::string& wanted) {
  if (type == OnnxExportType::int8) return weights_alone(x, weight, wanted);
  if (type == OnnxExportType::int8_dynamic) return of_integers(x, weight, wanted);
  return graph_.node("MatMul", {x, graph_.tensor(f32_transposed(weight.name, weight.tensor))}, wanted);
}

std::string LinearWriter::weights_alone(const std::string& x, const NamedWeight& weight, const std::string& wanted) {
  const std::string integers = graph_.tensor(int8_transposed(weight.name, weight.tensor));
  const std::string scales = graph_.tensor(row_scales(weight.name + "/scale", weight.tensor));
  const std::string decoded =
      graph_.node("DequantizeLinear", {integers, scales}, weight.name + "/decoded", {{"axis", int64_t{1}}});
  return graph_.node("MatMul", {x, decoded}, wanted);
}

std::string LinearWriter::of_integers(const std::string& x, const NamedWeight& weight, const std::string& wanted) {
  const Rounded input = rounded(x);
  const std::string integers = graph_.tensor(int8_transposed(weight.name, weight.tensor));
  const std::string scales = graph_.tensor(row_scales(weight.name + "/scale", weight.tensor));
  const std::string sums = graph_.tensor(row_sums(weight.name + "/sum", weight.tensor));
  const std::string whole = graph_.node("MatMulInteger", {input.integers, integers}, wanted + "/integers");
  const std::string number =
      graph_.node("Cast", {whole}, wanted + "/number", {{"to", static_cast<int64_t>(OnnxType::f32)}});
  const std::string shift = graph_.node("Mul", {input.zero, sums}, wanted + "/shift");
  const std::string centered = graph_.node("Sub", {number, shift}, wanted + "/centered");
  const std::string scale = graph_.node("Mul", {input.scale, scales}, wanted + "/scale");
  return graph_.node("Mul", {centered, scale}, wanted);
}

const LinearWriter::Rounded& LinearWriter::rounded(const std::string& x) {
  const auto [at, is_new] = rounded_.try_emplace(x);
  if (!is_new) return at->second;
  constexpr float kSteps = 255;
  const std::string zero = graph_.number(0), steps = graph_.number(kSteps);
  const auto extreme = [&](const char* reduce, const char* with_zero, const char* name) {
    const std::string found =
        graph_.node(reduce, {x}, message(x, "/", name, "_found"), {{"axes", std::vector<int64_t>{-1}}});
    return graph_.node(with_zero, {found, zero}, message(x, "/", name));
  };
  const std::string low = extreme("ReduceMin", "Min", "low");
  const std::string high = extreme("ReduceMax", "Max", "high");
  const std::string range = graph_.node("Sub", {high, low}, x + "/range");
  const std::string step = graph_.node("Div", {range, steps}, x + "/step");
  // A row of zeros has no range; the smallest normal number keeps its quotients zero.
  const std::string scale = graph_.node("Max", {step, graph_.number(std::numeric_limits<float>::min())}, x + "/scale");
  const std::string back = graph_.node("Div", {low, scale}, x + "/back");
  const std::string zero_point = graph_.node("Round", {graph_.node("Neg", {back}, x + "/forth")}, x + "/zero");
  const std::string scaled = graph_.node("Div", {x, scale}, x + "/scaled");
  const std::string shifted =
      graph_.node("Add", {graph_.node("Round", {scaled}, x + "/round"), zero_point}, x + "/shifted");
  const std::string clipped = graph_.node("Clip", {shifted, zero, steps}, x + "/clipped");
  const std::string integers = graph_.node("Cast", {clipped}, x + "/u8", {{"to", static_cast<int64_t>(OnnxType::u8)}});
  at->second = {integers, scale, zero_point};
  return at->second;
}

}  // namespace lathe
