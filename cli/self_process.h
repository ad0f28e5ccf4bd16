#pragma once
// Runs this program again for measurements that need a fresh process.

#include <string>
#include <vector>

namespace lathe::cli {

/// Runs this program with `args` and returns its standard output. It shares our stderr and ends when we end. Throws
/// Error{internal} when it cannot be started or its exit code is not 0.
std::string output_of_self(const std::vector<std::string>& args);

}  // namespace lathe::cli
