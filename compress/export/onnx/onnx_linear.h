#pragma once
// Linear ops as operators of ONNX.

#include <map>
#include <string>

#include "compress/export/onnx/onnx_graph.h"
#include "formats/artifact/encoding.h"
#include "formats/artifact/named_values.h"

namespace lathe {

/// How linear weights with integers are written, and with them embedding tables. Others are f32.
enum class OnnxExportType {
  f32,           // what they decode to
  int8,          // integers and a scale for each row, which become f32 before the product
  int8_dynamic,  // the same, and inputs are rounded to 8 bits, token by token, for a product of integers
};
inline constexpr NamedValues<OnnxExportType, 3> kOnnxExportTypes = {
    {{OnnxExportType::f32, "f32"}, {OnnxExportType::int8, "int8"}, {OnnxExportType::int8_dynamic, "int8-dynamic"}}};

/// A weight and the name that it has in the artifact.
struct NamedWeight {
  std::string name;
  EncodedTensor tensor;
};

/// What a linear op reads: [batch, sequence, width], or [batch, width] without tokens.
struct LinearInput {
  std::string name;
  bool has_tokens = true;
};

/// Adds x W^T to a graph, without the bias. The planes of all weights outlive the graph.
class LinearWriter {
 public:
  explicit LinearWriter(OnnxGraph& graph) : graph_(graph) {}

  /// Returns the name of the product, which is `wanted` or begins with it. A type of integers is for weights that have
  /// them.
  std::string product(const LinearInput& x, const NamedWeight& weight, OnnxExportType type, const std::string& wanted);

 private:
  // An input of 8 bits as a matrix: x is about scale * (integers - zero), with a scale and a zero for each row.
  struct Rounded {
    std::string integers;  // u8 [rows, width]
    std::string scale;     // f32 [rows, 1]
    std::string zero;      // a whole number, f32 [rows, 1]
    std::string shape;     // batch and sequence, where there are tokens
  };

  std::string weights_alone(const std::string& x, const NamedWeight& weight, const std::string& wanted);
  std::string of_integers(const LinearInput& x, const NamedWeight& weight, const std::string& wanted);
  const Rounded& rounded(const LinearInput& x, uint64_t width);

  OnnxGraph& graph_;
  std::map<std::string, Rounded> rounded_;  // by the name of the input, which several layers may read
};

}  // namespace lathe
