#pragma once
// The wire format of protocol buffers (protobuf.dev/programming-guides/encoding), as far as writing needs it.

#include <cstdint>
#include <string_view>
#include <vector>

#include "formats/artifact/bytes.h"

namespace lathe {

/// The fields of one message, in the order in which they are added.
class ProtobufMessage {
 public:
  /// An integer, boolean or enumeration; negative numbers as their two's complement of 64 bits.
  void integer(uint32_t field, int64_t value);
  void number(uint32_t field, float value);
  void text(uint32_t field, std::string_view value);
  void message(uint32_t field, const ProtobufMessage& value);
  /// What comes before a field of so many bytes, which the caller writes behind it.
  void begin_bytes(uint32_t field, uint64_t size);
  /// The fields of another message, without anything around them.
  void append(const ProtobufMessage& fields) { out_.append(fields.bytes()); }

  const std::vector<std::byte>& bytes() const { return out_.bytes(); }
  uint64_t size() const { return out_.bytes().size(); }

 private:
  void varint(uint64_t value);

  ByteWriter out_;
};

}  // namespace lathe
