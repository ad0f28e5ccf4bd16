#include "compress/report/visible_text.h"

#include <catch2/catch.hpp>

namespace lathe::reporting {

TEST_CASE("text that is too wide loses its middle and no half of a character", "[compress][report]") {
  CHECK(shortened("abcdefg", 7, "...") == "abcdefg");
  CHECK(shortened("abcdefghij", 7, "...") == "ab...ij");
  CHECK(shortened("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f", 3, ".") == "\xc3\xa4.\xc3\x9f");
  CHECK(text_width("\xc3\xa4\xc3\xb6x") == 3);
}

TEST_CASE("text in HTML is neither markup nor control characters", "[compress][report]") {
  CHECK(html_text("a < b & \"c\"") == "a &lt; b &amp; &quot;c&quot;");
  CHECK(html_text("line\nend\x01") == "line\nend\xef\xbf\xbd");
  CHECK(html_text("\xff") == "\xef\xbf\xbd");
}

}  // namespace lathe::reporting
