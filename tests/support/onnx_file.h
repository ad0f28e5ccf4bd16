#pragma once
// A reader of ONNX files for tests, written from the wire format and apart from the writer.

#include <algorithm>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "formats/artifact/bytes.h"
#include "formats/artifact/mapped_file.h"

namespace lathe::test {

/// One field of a message: a number, or bytes.
struct ProtoField {
  uint64_t number = 0;
  std::string bytes;
};
using ProtoFields = std::multimap<uint32_t, ProtoField>;

inline uint64_t take_varint(std::string_view& bytes) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes.at(0));
    bytes.remove_prefix(1);
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
}

inline ProtoFields parse_message(std::string_view bytes) {
  ProtoFields fields;
  while (!bytes.empty()) {
    const uint64_t tag = take_varint(bytes);
    ProtoField field;
    if (tag % 8 == 0) {
      field.number = take_varint(bytes);
    } else if (tag % 8 == 2 || tag % 8 == 5) {
      const uint64_t size = tag % 8 == 5 ? 4 : take_varint(bytes);
      if (size > bytes.size()) throw std::runtime_error("a field is longer than its message");
      field.bytes = bytes.substr(0, size);
      bytes.remove_prefix(size);
    } else {
      throw std::runtime_error("a wire type that ONNX does not use");
    }
    fields.emplace(static_cast<uint32_t>(tag / 8), field);
  }
  return fields;
}

inline std::string proto_text(const ProtoFields& fields, uint32_t field) {
  const auto found = fields.find(field);
  return found == fields.end() ? std::string() : found->second.bytes;
}
inline uint64_t proto_number(const ProtoFields& fields, uint32_t field) { return fields.find(field)->second.number; }
inline std::vector<std::string> proto_texts(const ProtoFields& fields, uint32_t field) {
  std::vector<std::string> texts;
  for (auto [at, end] = fields.equal_range(field); at != end; ++at) texts.push_back(at->second.bytes);
  return texts;
}

struct OnnxFileNode {
  std::string op;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, ProtoFields> attributes;
};

struct OnnxFileTensor {
  uint64_t type = 0;
  std::vector<uint64_t> shape;
  std::string raw;

  template <class T>
  std::vector<T> values() const {
    std::vector<T> out(raw.size() / sizeof(T));
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = load_le<T>(reinterpret_cast<const std::byte*>(raw.data()) + i * sizeof(T));
    }
    return out;
  }
};

/// "f32[batch, 32]" for each input and output, with the type's number for other types than f32.
inline std::string onnx_value_text(const ProtoFields& value) {
  const ProtoFields tensor = parse_message(proto_text(parse_message(proto_text(value, 2)), 1));
  std::string text = proto_number(tensor, 1) == 1 ? "f32[" : std::to_string(proto_number(tensor, 1)) + "[";
  for (const std::string& bytes : proto_texts(parse_message(proto_text(tensor, 2)), 1)) {
    const ProtoFields dimension = parse_message(bytes);
    if (text.back() != '[') text += ", ";
    text += dimension.contains(2) ? proto_text(dimension, 2) : std::to_string(proto_number(dimension, 1));
  }
  return text + "]";
}

struct OnnxFile {
  ProtoFields model;
  std::vector<OnnxFileNode> nodes;
  std::map<std::string, OnnxFileTensor> tensors;
  std::vector<std::pair<std::string, std::string>> inputs, outputs;  // name and type

  explicit OnnxFile(const std::filesystem::path& path) {
    const MappedFile file(path);
    const Bytes bytes = file.bytes();
    model = parse_message({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    const ProtoFields graph = parse_message(proto_text(model, 7));
    for (const std::string& text : proto_texts(graph, 1)) {
      const ProtoFields fields = parse_message(text);
      OnnxFileNode node{proto_text(fields, 4), proto_texts(fields, 1), proto_texts(fields, 2), {}};
      for (const std::string& attribute : proto_texts(fields, 5)) {
        const ProtoFields parsed = parse_message(attribute);
        node.attributes[proto_text(parsed, 1)] = parsed;
      }
      nodes.push_back(node);
    }
    for (const std::string& text : proto_texts(graph, 5)) {
      const ProtoFields fields = parse_message(text);
      OnnxFileTensor tensor{proto_number(fields, 2), {}, proto_text(fields, 9)};
      for (auto [at, end] = fields.equal_range(1); at != end; ++at) tensor.shape.push_back(at->second.number);
      if (!tensors.emplace(proto_text(fields, 8), tensor).second) throw std::runtime_error("a tensor is there twice");
    }
    for (auto [field, values] : {std::pair{11u, &inputs}, std::pair{12u, &outputs}}) {
      for (const std::string& text : proto_texts(graph, field)) {
        const ProtoFields value = parse_message(text);
        values->emplace_back(proto_text(value, 1), onnx_value_text(value));
      }
    }
  }

  /// How many nodes there are of a kind.
  size_t count(std::string_view op) const {
    return static_cast<size_t>(
        std::count_if(nodes.begin(), nodes.end(), [&](const OnnxFileNode& node) { return node.op == op; }));
  }
  const OnnxFileNode& writer_of(const std::string& value) const {
    for (const OnnxFileNode& node : nodes) {
      if (std::find(node.outputs.begin(), node.outputs.end(), value) != node.outputs.end()) return node;
    }
    throw std::runtime_error("no node writes " + value);
  }
};

}  // namespace lathe::test
