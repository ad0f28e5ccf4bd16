#include "formats/pytorch/zip_directory.h"

#include <catch2/catch.hpp>

#include "formats/pytorch/zip_member.h"
#include "tests/formats/expect_error.h"
#include "tests/support/zip_builder.h"

namespace lathe {
namespace {

using test::expect_error;
using test::little_endian;
using test::ZipBuilder;
using test::ZipPart;

constexpr const char* kPath = "some/archive.pt";

Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }
ZipDirectory read(const std::string& file) { return read_zip_directory(bytes_of(file), kPath); }

ZipBuilder two_members() {
  ZipBuilder zip;
  zip.add("a/first", "0123456789");
  zip.add("a/second", "abc");
  return zip;
}

/// Two members, changed.
template <class Change>
std::string changed(Change change) {
  ZipBuilder zip = two_members();
  change(zip);
  return zip.build();
}

struct BadZip {
  const char* name;
  std::string file;
  Errc code;
  std::vector<std::string> parts;  // besides the path
};

void expect_all_refused(const std::vector<BadZip>& cases) {
  test::expect_all_refused(cases, kPath, [](const BadZip& bad) { read(bad.file); });
}

std::string inflated(const ZipBuilder& zip, const std::string& name) {
  const std::string file = zip.build();
  const ZipDirectory directory = read(file);
  const ZipMember* member = directory.find(name);
  REQUIRE(member != nullptr);
  std::string out(member->bytes, '?');
  inflate_member(*member, bytes_of(file), kPath, std::as_writable_bytes(std::span(out)));
  check_crc(*member, bytes_of(out), kPath);
  return out;
}

TEST_CASE("members of a zip archive are found by their names", "[formats][pytorch][zip]") {
  ZipBuilder zip = two_members();
  for (const bool has_zip64 : {true, false}) {
    for (const bool is_wide : {true, false}) {
      zip.has_zip64 = has_zip64;
      zip.comment = has_zip64 ? "" : "made by a test";
      zip.parts[1].is_wide = is_wide;
      zip.parts[1].extra = is_wide ? "" : "\xcd\xab\2" + std::string(2, '\0') + "x";  // somebody's own field
      const std::string file = zip.build();
      const ZipDirectory directory = read(file);
      REQUIRE(directory.members.size() == 2);
      CHECK(directory.find("a/third") == nullptr);
      const ZipMember* second = directory.find("a/second");
      REQUIRE(second != nullptr);
      CHECK_FALSE(second->is_deflated);
      CHECK(second->bytes == 3);
      const Bytes data = stored_data(*second, bytes_of(file));
      CHECK(std::string_view(reinterpret_cast<const char*>(data.data()), data.size()) == "abc");
      check_crc(*second, data, kPath);
    }
  }
}

TEST_CASE("an archive without members is one", "[formats][pytorch][zip]") {
  CHECK(read(ZipBuilder().build()).members.empty());
}

TEST_CASE("every truncation of a zip archive is an error", "[formats][pytorch][zip]") {
  const std::string file = two_members().build();
  for (size_t size = 0; size < file.size(); ++size) {
    INFO("first " << size << " bytes");
    expect_error(Errc::malformed, {kPath, "truncated"}, [&] { read(file.substr(0, size)); });
  }
}

TEST_CASE("a zip archive whose directory does not hold together is refused", "[formats][pytorch][zip]") {
  expect_all_refused({
      {"case 117: no central directory", "PK\3\4" + std::string(500, 'x'), Errc::malformed, {"the file is truncated"}},
      {"case 118: bytes before the archive",
       changed([](ZipBuilder& zip) {
         zip.prefix = "#!/bin/sh\n";
         zip.has_zip64 = false;
       }),
       Errc::malformed,
       {"10 bytes stand before the archive"}},
      {"case 118: bytes before an archive with a zip64 record",
       changed([](ZipBuilder& zip) { zip.prefix = "#!/bin/sh\n"; }),
       Errc::malformed,
       {"bytes stand before the archive"}},
      {"case 118: bytes before the first member",
       changed([](ZipBuilder& zip) {
         zip.prefix = "0123456789";
         for (ZipPart& part : zip.parts) part.header = 10;
         zip.parts[1].header = 10 + 30 + 7 + 10;
         zip.directory_begin = 10 + 30 + 7 + 10 + 30 + 8 + 3;
         zip.has_zip64 = false;
       }),
       Errc::malformed,
       {"10 bytes stand before the first member"}},
      {"case 119: a comment that is an end of its own",
       changed([](ZipBuilder& zip) { zip.comment = "PK\5\6" + std::string(18, '\0'); }),
       Errc::malformed,
       {"two end of central directory records"}},
  });
}

TEST_CASE("a directory whose place or size cannot be is refused", "[formats][pytorch][zip]") {
  expect_all_refused({
      {"case 120: the zip64 locator points behind the file",
       changed([](ZipBuilder& zip) { zip.end64_place = 1 << 20; }),
       Errc::malformed,
       {"zip64 locator points to byte 1048576"}},
      {"case 120: the zip64 locator points to something else",
       changed([](ZipBuilder& zip) { zip.end64_place = 0; }),
       Errc::malformed,
       {"zip64 locator points to byte 0"}},
      {"case 120: the zip64 locator points to 2^64-1",
       changed([](ZipBuilder& zip) { zip.end64_place = ~uint64_t{0}; }),
       Errc::malformed,
       {"18446744073709551615"}},
      {"the zip64 record is of another size",
       changed([](ZipBuilder& zip) { zip.end64_bytes = 45; }),
       Errc::malformed,
       {"45 bytes, expected 44"}},
      {"several disks", changed([](ZipBuilder& zip) { zip.disks = 2; }), Errc::unsupported, {"several parts"}},
      {"the directory begins behind the file",
       changed([](ZipBuilder& zip) { zip.directory_begin = 1 << 20; }),
       Errc::malformed,
       {"from byte 1048576"}},
      {"the directory's size wraps",
       changed([](ZipBuilder& zip) { zip.directory_bytes = ~uint64_t{0}; }),
       Errc::malformed,
       {"18446744073709551615"}},
      {"more members than fit the directory",
       changed([](ZipBuilder& zip) { zip.member_count = 100; }),
       Errc::malformed,
       {"100 members", "room for 2"}},
      {"fewer members than the directory has",
       changed([](ZipBuilder& zip) { zip.member_count = 1; }),
       Errc::malformed,
       {"bytes follow the last record"}},
      {"the short record contradicts the zip64 record",
       changed([](ZipBuilder& zip) { zip.member_count = 0x10002; }),
       Errc::malformed,
       {"contradicts"}},
      {"case 106: a name twice",
       changed([](ZipBuilder& zip) { zip.parts[1].name = "a/first"; }),
       Errc::malformed,
       {"member a/first", "twice"}},
  });
}

/// Two members, the second one changed.
template <class Change>
std::string second(Change change) {
  return changed([&](ZipBuilder& zip) { change(zip.parts[1]); });
}

TEST_CASE("a member that is not what the directory says is refused", "[formats][pytorch][zip]") {
  expect_all_refused({
      {"case 111: overlapping members",
       second([](ZipPart& part) {
         part.header = 0;
         part.local_name = "unused";
         part.name = "a/first";
       }),
       Errc::malformed,
       {"overlaps"}},
      {"case 111: data that runs into the next member",
       changed([](ZipBuilder& zip) { zip.parts[0].bytes = zip.parts[0].stored_bytes = 12; }),
       Errc::malformed,
       {"member a/second overlaps member a/first"}},
      {"case 112: another name in the local header",
       second([](ZipPart& part) { part.local_name = "a/other."; }),
       Errc::malformed,
       {"member a/second is called a/other."}},
      {"case 112: another method in the local header",
       second([](ZipPart& part) { part.local_method = 8; }),
       Errc::malformed,
       {"compression method 8", "0 in the directory"}},
      {"case 113: encrypted", second([](ZipPart& part) { part.flags = 1; }), Errc::unsupported, {"encrypted"}},
      {"case 113: strongly encrypted",
       second([](ZipPart& part) { part.flags = 0x41; }),
       Errc::unsupported,
       {"encrypted"}},
      {"case 114: another method",
       second([](ZipPart& part) { part.method = 99; }),
       Errc::unsupported,
       {"member a/second", "method 99"}},
  });
}

TEST_CASE("a member that does not fit the file is refused", "[formats][pytorch][zip]") {
  expect_all_refused({
      {"case 115: a stored member of two sizes",
       second([](ZipPart& part) { part.bytes = 4; }),
       Errc::malformed,
       {"stored with 3 bytes", "4"}},
      {"case 115: larger than the file",
       second([](ZipPart& part) { part.bytes = part.stored_bytes = 1000; }),
       Errc::malformed,
       {"1000 bytes", "the central directory begins"}},
      {"case 115: a size that wraps",
       second([](ZipPart& part) {
         part.is_wide = true;
         part.bytes = part.stored_bytes = ~uint64_t{0};
       }),
       Errc::malformed,
       {"18446744073709551615 bytes"}},
      {"case 116: a local header behind the file",
       second([](ZipPart& part) { part.header = 1 << 20; }),
       Errc::malformed,
       {"local header is at byte 1048576"}},
      {"case 116: a local header that is none",
       second([](ZipPart& part) { part.header = 3; }),
       Errc::malformed,
       {"expected a local header", "byte 3"}},
      {"a zip64 field that is missing",
       second([](ZipPart& part) {
         part.bytes = part.stored_bytes = 0xffffffff;
         part.extra = "\1" + std::string(1, '\0') + "\4" + std::string(5, '\0');
       }),
       Errc::malformed,
       {"zip64 field has 4 bytes, expected 16"}},
      {"no zip64 field where one is needed",
       second([](ZipPart& part) { part.header = 0xffffffff; }),
       Errc::malformed,
       {"zip64 field has 0 bytes, expected 8"}},
      {"an extra field that is longer than its place",
       second([](ZipPart& part) {
         part.header = 0xffffffff;
         part.extra = "\7" + std::string(1, '\0') + "\x50" + std::string(1, '\0');
       }),
       Errc::malformed,
       {"an extra field has 80 bytes"}},
  });
}

TEST_CASE("deflated members come out as they went in", "[formats][pytorch][zip]") {
  ZipBuilder zip;
  const std::string long_text(100'000, 'x');
  zip.add_deflated("a/long", long_text);
  zip.add_deflated("a/empty", "");
  ZipPart& zeros = zip.add("a/zeros", test::deflate_zeros(1000));
  zeros.method = 8;
  zeros.bytes = 1 + 258 * 1000;
  zeros.crc = test::crc32_of(std::string(*zeros.bytes, '\0'));
  CHECK(inflated(zip, "a/long") == long_text);
  CHECK(inflated(zip, "a/empty").empty());
  CHECK(inflated(zip, "a/zeros") == std::string(258'001, '\0'));
}

TEST_CASE("a deflated member that is not what the directory says is refused", "[formats][pytorch][zip]") {
  ZipBuilder zip;
  ZipPart& part = zip.add_deflated("a/text", "0123456789");
  SECTION("case 110: a bomb beyond the limit") {
    part.bytes = kMaxDeflatedBytes + 1;
    expect_error(Errc::limit, {kPath, "member a/text", "67108865 bytes", "67108864"}, [&] { read(zip.build()); });
  }
  SECTION("case 110: a bomb that hides its size") {
    part.data = test::deflate_zeros(100'000);
    part.bytes = 1000;
    expect_error(Errc::malformed, {kPath, "member a/text", "162503 compressed bytes for 1000"},
                 [&] { inflated(zip, "a/text"); });
  }
  SECTION("case 115: more bytes than it should have") {
    part.bytes = 9;
    expect_error(Errc::malformed, {kPath, "member a/text", "9 bytes"}, [&] { inflated(zip, "a/text"); });
  }
  SECTION("case 115: fewer bytes than it should have") {
    part.bytes = 11;
    expect_error(Errc::malformed, {kPath, "member a/text", "11 bytes", "10 written"}, [&] { inflated(zip, "a/text"); });
  }
  SECTION("bytes behind its end") {
    part.data += "x";
    expect_error(Errc::malformed, {kPath, "member a/text", "1 compressed bytes left"},
                 [&] { inflated(zip, "a/text"); });
  }
  SECTION("far more compressed bytes than it can need") {
    part.data += std::string(5000, 'x');
    expect_error(Errc::malformed, {kPath, "member a/text", "compressed bytes for 10"},
                 [&] { inflated(zip, "a/text"); });
  }
  SECTION("cut off") {
    part.data.resize(8);
    expect_error(Errc::malformed, {kPath, "member a/text", "not valid deflate data"}, [&] { inflated(zip, "a/text"); });
  }
  SECTION("no deflate data") {
    part.data = "\xff\xff\xff";
    expect_error(Errc::malformed, {kPath, "member a/text", "not valid deflate data"}, [&] { inflated(zip, "a/text"); });
  }
  SECTION("case 107: another checksum") {
    part.crc = 12345;
    expect_error(Errc::malformed, {kPath, "member a/text", "CRC-32", "expected 12345", "damaged"},
                 [&] { inflated(zip, "a/text"); });
  }
  SECTION("case 108: no checksum") {
    part.crc = 0;
    CHECK(inflated(zip, "a/text") == "0123456789");
  }
}

}  // namespace
}  // namespace lathe
