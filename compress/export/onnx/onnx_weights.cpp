#include "compress/export/onnx/onnx_weights.h"

#include <numeric>

namespace lathe {
namespace {

void decode_row_to(const EncodedTensor& tensor, uint64_t row, uint64_t start, float* out) {
  decode_row(tensor, row, start, out);
}
void decode_row_to(const EncodedTensor& tensor, uint64_t row, uint64_t start, int8_t* out) {
  decode_row_integers(tensor, row, start, out);
}

/// Gives `use` every row.
template <class T, class Use>
void each_row(const EncodedTensor& tensor, const Use& use) {
  const std::vector<uint64_t> starts = row_starts(tensor);
  std::vector<T> values(tensor.cols());
  for (uint64_t row = 0; row < tensor.rows(); ++row) {
    decode_row_to(tensor, row, starts[row], values.data());
    use(row, values);
  }
}

template <class T>
OnnxTensor plain(const std::string& name, OnnxType type, const EncodedTensor& tensor) {
  return {name, type, tensor.shape, [tensor](const OnnxSink& sink) {
            each_row<T>(tensor, [&](uint64_t, const std::vector<T>& values) { sink(as_bytes_of(values)); });
          }};
}

/// Holds the whole weight while it is written.
template <class T>
OnnxTensor transposed(const std::string& name, OnnxType type, const EncodedTensor& tensor) {
  return {name, type, {tensor.cols(), tensor.rows()}, [tensor](const OnnxSink& sink) {
            const uint64_t rows = tensor.rows();
            std::vector<T> all(rows * tensor.cols());
            each_row<T>(tensor, [&](uint64_t row, const std::vector<T>& values) {
              for (size_t i = 0; i < values.size(); ++i) all[i * rows + row] = values[i];
            });
            sink(as_bytes_of(all));
          }};
}

}  // namespace

OnnxTensor f32_constant(const std::string& name, const EncodedTensor& tensor) {
  return plain<float>(name, OnnxType::f32, tensor);
}
OnnxTensor f32_transposed(const std::string& name, const EncodedTensor& tensor) {
  return transposed<float>(name, OnnxType::f32, tensor);
}
OnnxTensor int8_constant(const std::string& name, const EncodedTensor& tensor) {
  return plain<int8_t>(name, OnnxType::i8, tensor);
}
OnnxTensor int8_transposed(const std::string& name, const EncodedTensor& tensor) {
  return transposed<int8_t>(name, OnnxType::i8, tensor);
}

OnnxTensor row_scales(const std::string& name, const EncodedTensor& tensor) {
  return {name, OnnxType::f32, {tensor.rows()}, [tensor](const OnnxSink& sink) {
            std::vector<float> scales(tensor.rows());
            for (uint64_t row = 0; row < scales.size(); ++row) scales[row] = row_scale(tensor, row);
            sink(as_bytes_of(scales));
          }};
}

OnnxTensor row_sums(const std::string& name, const EncodedTensor& tensor) {
  return {name, OnnxType::f32, {tensor.rows()}, [tensor](const OnnxSink& sink) {
            std::vector<float> sums(tensor.rows());
            each_row<int8_t>(tensor, [&](uint64_t row, const std::vector<int8_t>& values) {
              sums[row] = static_cast<float>(std::accumulate(values.begin(), values.end(), int64_t{0}));
            });
            sink(as_bytes_of(sums));
          }};
}

bool has_integers(const EncodedTensor& tensor) { return value_codec(tensor.encoding.values).integer; }

}  // namespace lathe
