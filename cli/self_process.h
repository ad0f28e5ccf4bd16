#pragma once
// Running this program again, for what only a fresh process can measure.

#include <string>
#include <vector>

namespace lathe::cli {

/// Standard output of this program run with `args`; its stderr is ours. It ends when we do. Throws Error{internal}
/// when it cannot be started or ends with another code than 0.
std::string output_of_self(const std::vector<std::string>& args);

}  // namespace lathe::cli
