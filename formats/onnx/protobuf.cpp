#include "formats/onnx/protobuf.h"

namespace lathe {
namespace {

// The wire types, which stand in the lowest three bits of a field's tag.
constexpr uint64_t kVarint = 0, kLengthDelimited = 2, kFourBytes = 5;

uint64_t tag(uint32_t field, uint64_t wire_type) { return uint64_t{field} << 3 | wire_type; }

}  // namespace

void ProtobufMessage::varint(uint64_t value) {
  for (; value >= 0x80; value >>= 7) out_.write(static_cast<uint8_t>(value | 0x80));
  out_.write(static_cast<uint8_t>(value));
}

void ProtobufMessage::integer(uint32_t field, int64_t value) {
  varint(tag(field, kVarint));
  varint(static_cast<uint64_t>(value));
}

void ProtobufMessage::number(uint32_t field, float value) {
  varint(tag(field, kFourBytes));
  out_.write(value);
}

void ProtobufMessage::begin_bytes(uint32_t field, uint64_t size) {
  varint(tag(field, kLengthDelimited));
  varint(size);
}

void ProtobufMessage::text(uint32_t field, std::string_view value) {
  begin_bytes(field, value.size());
  out_.append(std::as_bytes(std::span(value)));
}

void ProtobufMessage::message(uint32_t field, const ProtobufMessage& value) {
  begin_bytes(field, value.size());
  out_.append(value.bytes());
}

}  // namespace lathe
