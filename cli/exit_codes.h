#pragma once
// The numbers with which `compress` ends; docs/cli.md explains them.

#include "formats/artifact/error.h"

namespace lathe::cli {

inline constexpr int kExitDone = 0;
inline constexpr int kExitInternal = 1;
inline constexpr int kExitGateMissed = 2;  // the work is done, and a bound that the user gave is missed
inline constexpr int kExitUsage = 64;
inline constexpr int kExitMalformed = 65;
inline constexpr int kExitNoInput = 66;
inline constexpr int kExitUnsupported = 69;
inline constexpr int kExitCannotCreate = 73;
inline constexpr int kExitIo = 74;
inline constexpr int kExitInterrupted = 75;
inline constexpr int kExitBadRecipe = 78;
inline constexpr int kExitSignalBase = 128;  // plus the number of the signal

/// The exit code of an error.
int exit_code(Errc code) noexcept;

}  // namespace lathe::cli
