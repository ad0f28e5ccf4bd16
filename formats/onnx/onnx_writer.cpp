#include "formats/onnx/onnx_writer.h"

#include "formats/artifact/atomic_file.h"
#include "formats/artifact/named_values.h"
#include "formats/onnx/protobuf.h"
#include "formats/text.h"

namespace lathe {
namespace {

// The numbers of the fields that are written, by message.
namespace model_field {
constexpr uint32_t kIrVersion = 1, kProducer = 2, kProducerVersion = 3, kDocumentation = 6, kGraph = 7, kOpset = 8,
                   kProperty = 14;
}
namespace graph_field {
constexpr uint32_t kNode = 1, kName = 2, kTensor = 5, kInput = 11, kOutput = 12;
}
namespace node_field {
constexpr uint32_t kInput = 1, kOutput = 2, kName = 3, kOp = 4, kAttribute = 5;
}
namespace attribute_field {
constexpr uint32_t kName = 1, kNumber = 2, kInteger = 3, kIntegers = 8, kType = 20;
}
namespace tensor_field {
constexpr uint32_t kDimension = 1, kType = 2, kName = 8, kRaw = 9;
}
// Of ValueInfoProto, and of what its type is made of: TypeProto, TypeProto.Tensor, TensorShapeProto and its Dimension.
namespace value_field {
constexpr uint32_t kName = 1, kType = 2;
constexpr uint32_t kTensorType = 1;
constexpr uint32_t kElementType = 1, kShape = 2;
constexpr uint32_t kDimension = 1;
constexpr uint32_t kSize = 1, kSizeName = 2;
}  // namespace value_field
namespace opset_field {
constexpr uint32_t kDomain = 1, kVersion = 2;
}
namespace property_field {
constexpr uint32_t kKey = 1, kValue = 2;
}

// AttributeProto.AttributeType.
constexpr int64_t kNumberAttribute = 1, kIntegerAttribute = 2, kIntegersAttribute = 7;

struct TypeRow {
  OnnxType type;
  const char* name;
  uint64_t bytes;
};
constexpr TypeRow kTypes[] = {{OnnxType::f32, "f32", 4}, {OnnxType::u8, "u8", 1},   {OnnxType::i8, "int8", 1},
                              {OnnxType::i32, "i32", 4}, {OnnxType::i64, "i64", 8}, {OnnxType::boolean, "boolean", 1}};

const TypeRow& row_of(OnnxType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row;
  }
  fail(Errc::internal, message("type ", static_cast<int>(type), " of ONNX has no row"));
}

/// The parts of a model as messages; `path` names the file in errors.
class Serializer {
 public:
  explicit Serializer(std::string path) : path_(std::move(path)) {}

  /// What comes before the graph.
  ProtobufMessage head(const OnnxModel& model) const {
    ProtobufMessage out, opset;
    out.integer(model_field::kIrVersion, kOnnxIrVersion);
    text(out, model_field::kProducer, model.producer);
    text(out, model_field::kProducerVersion, model.producer_version);
    text(out, model_field::kDocumentation, model.documentation);
    opset.text(opset_field::kDomain, "");
    opset.integer(opset_field::kVersion, kOnnxOpset);
    out.message(model_field::kOpset, opset);
    for (const auto& [key, value] : model.properties) {
      ProtobufMessage property;
      text(property, property_field::kKey, key);
      text(property, property_field::kValue, value);
      out.message(model_field::kProperty, property);
    }
    return out;
  }

  /// The graph but for its tensors.
  ProtobufMessage graph(const OnnxModel& model) const {
    ProtobufMessage out;
    for (const OnnxNode& one : model.nodes) out.message(graph_field::kNode, node(one));
    text(out, graph_field::kName, model.name);
    for (const OnnxValue& input : model.inputs) out.message(graph_field::kInput, value(input));
    for (const OnnxValue& output : model.outputs) out.message(graph_field::kOutput, value(output));
    return out;
  }

  /// A tensor up to its elements, and before it what the graph says of a field of its size.
  ProtobufMessage tensor_head(const OnnxTensor& tensor) const {
    ProtobufMessage inner, out;
    for (const uint64_t dimension : tensor.shape) {
      inner.integer(tensor_field::kDimension, static_cast<int64_t>(dimension));
    }
    inner.integer(tensor_field::kType, static_cast<int64_t>(tensor.type));
    text(inner, tensor_field::kName, tensor.name);
    inner.begin_bytes(tensor_field::kRaw, tensor.bytes());
    out.begin_bytes(graph_field::kTensor, checked_add(inner.size(), tensor.bytes(), tensor.name));
    out.append(inner);
    return out;
  }

 private:
  void text(ProtobufMessage& out, uint32_t field, const std::string& value) const {
    if (!is_utf8(value)) fail(Errc::malformed, message(path_, ": text ", printable(value), " is not UTF-8"));
    out.text(field, value);
  }

  ProtobufMessage node(const OnnxNode& node) const {
    ProtobufMessage out;
    for (const std::string& input : node.inputs) text(out, node_field::kInput, input);
    for (const std::string& output : node.outputs) text(out, node_field::kOutput, output);
    text(out, node_field::kName, node.outputs.front());
    text(out, node_field::kOp, node.op);
    for (const auto& [name, value] : node.attributes) {
      ProtobufMessage attribute;
      text(attribute, attribute_field::kName, name);
      std::visit([&](const auto& v) { put(attribute, v); }, value);
      out.message(node_field::kAttribute, attribute);
    }
    return out;
  }

  static void put(ProtobufMessage& out, float value) {
    out.number(attribute_field::kNumber, value);
    out.integer(attribute_field::kType, kNumberAttribute);
  }
  static void put(ProtobufMessage& out, int64_t value) {
    out.integer(attribute_field::kInteger, value);
    out.integer(attribute_field::kType, kIntegerAttribute);
  }
  static void put(ProtobufMessage& out, const std::vector<int64_t>& values) {
    for (const int64_t value : values) out.integer(attribute_field::kIntegers, value);
    out.integer(attribute_field::kType, kIntegersAttribute);
  }

  ProtobufMessage value(const OnnxValue& value) const {
    ProtobufMessage shape, tensor, type, out;
    for (const auto& dimension : value.shape) {
      ProtobufMessage size;
      if (const int64_t* number = std::get_if<int64_t>(&dimension)) {
        size.integer(value_field::kSize, *number);
      } else {
        text(size, value_field::kSizeName, std::get<std::string>(dimension));
      }
      shape.message(value_field::kDimension, size);
    }
    tensor.integer(value_field::kElementType, static_cast<int64_t>(value.type));
    tensor.message(value_field::kShape, shape);
    type.message(value_field::kTensorType, tensor);
    text(out, value_field::kName, value.name);
    out.message(value_field::kType, type);
    return out;
  }

  std::string path_;
};

/// The model but for the elements of its tensors.
struct Parts {
  ProtobufMessage head;
  ProtobufMessage graph_begin;  // the tag of the graph and its size
  ProtobufMessage graph;
  std::vector<ProtobufMessage> tensors;
  uint64_t size = 0;  // of the whole file
};

Parts serialize(const OnnxModel& model, const std::string& file) {
  const Serializer serializer(file);
  Parts parts{serializer.head(model), {}, serializer.graph(model), {}, 0};
  uint64_t graph_bytes = parts.graph.size();
  for (const OnnxTensor& tensor : model.tensors) {
    parts.tensors.push_back(serializer.tensor_head(tensor));
    graph_bytes = checked_add(graph_bytes, checked_add(parts.tensors.back().size(), tensor.bytes(), file), file);
  }
  parts.graph_begin.begin_bytes(model_field::kGraph, graph_bytes);
  parts.size = checked_add(parts.head.size() + parts.graph_begin.size(), graph_bytes, file);
  if (parts.size > kMaxOnnxBytes) {
    fail(Errc::limit, message(file, ": the model takes ", parts.size, " bytes, an ONNX file at most ", kMaxOnnxBytes));
  }
  return parts;
}

void write_tensor(const OnnxTensor& tensor, const std::string& path, AtomicFile& file) {
  const uint64_t end = file.size() + tensor.bytes();
  tensor.write([&](Bytes bytes) { file.append(bytes); });
  if (file.size() == end) return;
  fail(Errc::internal, message(path, ": tensor ", tensor.name, " gave ", file.size() + tensor.bytes() - end, " of ",
                               tensor.bytes(), " bytes"));
}

}  // namespace

const char* onnx_type_name(OnnxType type) { return row_of(type).name; }
uint64_t onnx_type_bytes(OnnxType type) { return row_of(type).bytes; }

uint64_t OnnxTensor::bytes() const { return checked_mul(element_count(shape, name), onnx_type_bytes(type), name); }

uint64_t onnx_file_bytes(const OnnxModel& model, const std::string& file) { return serialize(model, file).size; }

uint64_t write_onnx(const std::filesystem::path& path, const OnnxModel& model) {
  const Parts parts = serialize(model, path.string());
  AtomicFile file(path);
  file.append(parts.head.bytes());
  file.append(parts.graph_begin.bytes());
  file.append(parts.graph.bytes());
  for (size_t i = 0; i < model.tensors.size(); ++i) {
    file.append(parts.tensors[i].bytes());
    write_tensor(model.tensors[i], path.string(), file);
  }
  if (file.size() != parts.size) {
    fail(Errc::internal, message(path.string(), ": has ", file.size(), " bytes instead of ", parts.size));
  }
  file.commit();
  return file.size();
}

}  // namespace lathe
