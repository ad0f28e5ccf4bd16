#include "cli/exit_codes.h"

#include <array>

namespace lathe::cli {
namespace {

struct Row {
  Errc code;
  int exit_code;
};

constexpr std::array kExitCodes = {
    Row{Errc::internal, kExitInternal},          Row{Errc::usage, kExitUsage},
    Row{Errc::malformed, kExitMalformed},        Row{Errc::limit, kExitMalformed},
    Row{Errc::no_input, kExitNoInput},           Row{Errc::unsupported, kExitUnsupported},
    Row{Errc::cannot_create, kExitCannotCreate}, Row{Errc::io, kExitIo},
    Row{Errc::bad_recipe, kExitBadRecipe},       Row{Errc::interrupted, kExitInterrupted},
};

}  // namespace

int exit_code(Errc code) noexcept {
  for (const Row& row : kExitCodes) {
    if (row.code == code) return row.exit_code;
  }
  return kExitInternal;
}

}  // namespace lathe::cli
