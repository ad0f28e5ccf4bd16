#include "formats/onnx/protobuf.h"

#include <catch2/catch.hpp>
#include <limits>

namespace lathe {
namespace {

std::vector<int> bytes_of(const ProtobufMessage& message) {
  std::vector<int> bytes;
  for (const std::byte byte : message.bytes()) bytes.push_back(std::to_integer<int>(byte));
  return bytes;
}

// Bytes are worked out by hand from the description of the wire format: a tag is field * 8 + wire type.
using Expected = std::vector<int>;

TEST_CASE("integers are varints of seven bits, the lowest first", "[formats][onnx]") {
  const auto written = [](uint32_t field, int64_t value) {
    ProtobufMessage out;
    out.integer(field, value);
    return bytes_of(out);
  };
  CHECK(written(1, 0) == Expected{0x08, 0x00});
  CHECK(written(1, 127) == Expected{0x08, 0x7f});
  CHECK(written(1, 128) == Expected{0x08, 0x80, 0x01});
  CHECK(written(1, 150) == Expected{0x08, 0x96, 0x01});
  CHECK(written(1, 300) == Expected{0x08, 0xac, 0x02});
  CHECK(written(15, 1) == Expected{0x78, 0x01});
  CHECK(written(16, 1) == Expected{0x80, 0x01, 0x01});
  CHECK(written(20, 7) == Expected{0xa0, 0x01, 0x07});
}

TEST_CASE("negative integers take ten bytes", "[formats][onnx]") {
  ProtobufMessage out;
  out.integer(3, -1);
  CHECK(bytes_of(out) == Expected{0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01});
  ProtobufMessage lowest;
  lowest.integer(3, std::numeric_limits<int64_t>::min());
  CHECK(bytes_of(lowest) == Expected{0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01});
}

TEST_CASE("numbers are four bytes, texts and messages have their length before them", "[formats][onnx]") {
  ProtobufMessage inner;
  inner.number(2, 1.0f);
  CHECK(bytes_of(inner) == Expected{0x15, 0x00, 0x00, 0x80, 0x3f});
  ProtobufMessage out;
  out.text(4, "Add");
  out.text(1, "");
  out.message(5, inner);
  CHECK(bytes_of(out) == Expected{0x22, 0x03, 'A', 'd', 'd', 0x0a, 0x00, 0x2a, 0x05, 0x15, 0x00, 0x00, 0x80, 0x3f});
  CHECK(out.size() == 14);
}

TEST_CASE("bytes that follow later are announced by their length", "[formats][onnx]") {
  ProtobufMessage out, head;
  head.integer(1, 2);
  out.begin_bytes(9, 70000);
  out.append(head);
  CHECK(bytes_of(out) == Expected{0x4a, 0xf0, 0xa2, 0x04, 0x08, 0x02});
}

}  // namespace
}  // namespace lathe
