#pragma once
// Writes ONNX models (onnx.proto of onnx.ai), tensor by tensor, so that memory holds one weight at a time.

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "formats/artifact/bytes.h"
#include "formats/artifact/tensor.h"

namespace lathe {

/// Types of elements; the numbers are TensorProto.DataType.
enum class OnnxType : uint8_t { f32 = 1, u8 = 2, i8 = 3, i32 = 6, i64 = 7, boolean = 9 };
const char* onnx_type_name(OnnxType type);
uint64_t onnx_type_bytes(OnnxType type);

using OnnxSink = std::function<void(Bytes bytes)>;

/// A constant of the graph.
struct OnnxTensor {
  std::string name;
  OnnxType type = OnnxType::f32;
  Shape shape;  // row-major; without dimensions it is one number
  /// Gives the sink the elements in order, little-endian, in as many pieces as it likes. Called once.
  std::function<void(const OnnxSink& sink)> write;

  uint64_t bytes() const;
};

using OnnxAttribute = std::variant<int64_t, float, std::vector<int64_t>>;

/// An operator of the default domain.
struct OnnxNode {
  std::string op;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<std::pair<std::string, OnnxAttribute>> attributes = {};
};

/// An input or output of the graph. A dimension is a number, or a name where it is known when the model runs.
struct OnnxValue {
  std::string name;
  OnnxType type = OnnxType::f32;
  std::vector<std::variant<int64_t, std::string>> shape;
};

struct OnnxModel {
  std::string producer;
  std::string producer_version;
  std::string name;           // of the graph
  std::string documentation;  // for people
  std::vector<std::pair<std::string, std::string>> properties;
  std::vector<OnnxNode> nodes;  // each behind those that it reads from
  std::vector<OnnxTensor> tensors;
  std::vector<OnnxValue> inputs;
  std::vector<OnnxValue> outputs;
};

/// The set of operators that models are written for: the first with LayerNormalization.
inline constexpr int64_t kOnnxOpset = 17;
/// The version of the file format that came with it.
inline constexpr int64_t kOnnxIrVersion = 8;
/// Readers of protocol buffers refuse messages of 2 GiB.
inline constexpr uint64_t kMaxOnnxBytes = (uint64_t{1} << 31) - 1;

/// The size of the file that write_onnx makes of the model. Throws Error{limit} naming `file`, the size and the bound
/// when it is above kMaxOnnxBytes.
uint64_t onnx_file_bytes(const OnnxModel& model, const std::string& file);

/// Through AtomicFile: `path` holds either what it held before or the whole file, whose bytes follow from the model.
/// Returns the size of the file. Throws the errors of AtomicFile and of onnx_file_bytes; Error{malformed} for a text
/// that is not UTF-8; Error{internal} when a tensor's bytes are not those of its shape.
uint64_t write_onnx(const std::filesystem::path& path, const OnnxModel& model);

}  // namespace lathe
