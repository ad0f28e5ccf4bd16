#include "cli/text.h"

#include <catch2/catch.hpp>

namespace lathe::cli {

TEST_CASE("a table aligns its columns and leaves no blanks at line ends", "[cli][text]") {
  CHECK(table({{"name", "size", "x"}, {"a", "1,000", ""}}, "lrl") == "  name   size  x\n  a     1,000\n");
}

}  // namespace lathe::cli
