#include "tests/support/paths.h"

namespace lathe::test {

std::filesystem::path source_path(const std::filesystem::path& name) {
  return std::filesystem::path(LATHE_TEST_SOURCE).parent_path() / name;
}

std::filesystem::path data_path(const std::filesystem::path& name) { return source_path("tests/data") / name; }

std::string command_path() { return LATHE_COMPRESS_BINARY; }

}  // namespace lathe::test
