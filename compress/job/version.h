#pragma once

namespace lathe {

/// Of the program and of everything it writes; project(VERSION) in CMakeLists.txt carries the same number.
inline constexpr const char* kLatheVersion = "0.1.0";

}  // namespace lathe
