#pragma once
// Where the tests find recorded data and the command: known to the build, and to one file of the tests alone.

#include <filesystem>
#include <string>

namespace lathe::test {

/// NAME below the root of the source tree.
std::filesystem::path source_path(const std::filesystem::path& name);
/// tests/data/NAME in the source tree.
std::filesystem::path data_path(const std::filesystem::path& name);
/// The program `compress` of this build.
std::string command_path();

}  // namespace lathe::test
