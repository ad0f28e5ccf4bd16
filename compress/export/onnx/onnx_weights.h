#pragma once
// Weights of an artifact as constants of an ONNX graph.

#include "formats/artifact/encoding.h"
#include "formats/onnx/onnx_writer.h"

namespace lathe {

/// What the artifact decodes a weight to, in its shape. The planes of the tensor outlive the constant, here and below.
OnnxTensor f32_constant(const std::string& name, const EncodedTensor& tensor);
/// The same with rows and columns swapped, as MatMul wants a linear weight: [columns, rows].
OnnxTensor f32_transposed(const std::string& name, const EncodedTensor& tensor);

/// The integers of an integer encoding before the row scale, which all fit an int8; masked ones are 0.
OnnxTensor int8_constant(const std::string& name, const EncodedTensor& tensor);
OnnxTensor int8_transposed(const std::string& name, const EncodedTensor& tensor);
/// The scale of each row: [rows].
OnnxTensor row_scales(const std::string& name, const EncodedTensor& tensor);
/// The sum of the integers of each row, as f32: [rows].
OnnxTensor row_sums(const std::string& name, const EncodedTensor& tensor);

bool has_integers(const EncodedTensor& tensor);

}  // namespace lathe
