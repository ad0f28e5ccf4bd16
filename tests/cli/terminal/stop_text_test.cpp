#include <catch2/catch.hpp>

#include "cli/generate.h"
#include "tests/formats/expect_error.h"

namespace lathe::cli {

TEST_CASE("text is shown up to the first of the stop texts, however it is cut into pieces", "[cli]") {
  const std::string text = "one two three";
  for (size_t size = 1; size <= text.size(); ++size) {
    StopText stop({"three", "wo t", "zzz"});
    std::string shown;
    for (size_t at = 0; at < text.size(); at += size) shown += stop.add(text.substr(at, size));
    CHECK(shown == "one t");
    CHECK(stop.found());
    CHECK(stop.add("more").empty());
    CHECK(stop.finish().empty());
  }
}

TEST_CASE("what only might begin a stop text is held back until it is known", "[cli]") {
  StopText stop({"abab!"});
  CHECK(stop.add("xaba").size() == 1);  // "x"
  CHECK(stop.add("bab") == "ab");       // "abab" may still begin it
  CHECK(stop.add("?") == "abab?");
  CHECK(stop.add("ab").empty());
  CHECK(stop.finish() == "ab");
  CHECK_FALSE(stop.found());
}

TEST_CASE("without stop texts every piece is shown at once, and an empty one is refused", "[cli]") {
  StopText stop({});
  CHECK(stop.add("anything") == "anything");
  CHECK(stop.finish().empty());
  test::expect_error(Errc::usage, {"--stop"}, [] { StopText({"a", ""}); });
}

}  // namespace lathe::cli
