#include "formats/text.h"

#include <catch2/catch.hpp>

namespace lathe {
namespace {

TEST_CASE("well-formed UTF-8 is told from everything else", "[formats][text]") {
  for (const char* good : {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "x\xe2\x82\xacy"}) {
    INFO(printable(good));
    CHECK(is_utf8(good));
  }
  for (const char* bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xe2\x82",
        "\xe2\x82\x41", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "ab\xfe"}) {
    INFO(printable(bad));
    CHECK_FALSE(is_utf8(bad));
  }
}

TEST_CASE("UTF-8 accepts exactly the code points that are not surrogates", "[formats][text]") {
  size_t accepted = 0;
  for (uint32_t code = 0x800; code < 0x10000; ++code) {
    const std::string bytes = {static_cast<char>(0xe0 | (code >> 12)), static_cast<char>(0x80 | ((code >> 6) & 0x3f)),
                               static_cast<char>(0x80 | (code & 0x3f))};
    const bool is_surrogate = code >= 0xd800 && code < 0xe000;
    REQUIRE(is_utf8(bytes) == !is_surrogate);
    accepted += is_utf8(bytes) ? 1 : 0;
  }
  CHECK(accepted == 0x10000 - 0x800 - 0x800);
}

TEST_CASE("printable text has no control characters and a bounded length", "[formats][text]") {
  CHECK(printable("plain \xc3\xa9") == "plain \xc3\xa9");
  CHECK(printable(std::string_view("a\0\n\x7f\xff", 5)) == "a\\x00\\x0a\\x7f\\xff");
  CHECK(printable(std::string(100, 'x'), 10) == "xxxxxxxxxx... (100 bytes)");
  CHECK(printable(std::string(10, 'x'), 10) == "xxxxxxxxxx");
  CHECK(printable("xxx\xc3\xa9", 4) == "xxx\xc3\xa9");
}

}  // namespace
}  // namespace lathe
