#include "formats/artifact/error.h"

namespace lathe {

const char* errc_name(Errc code) noexcept {
  switch (code) {
    case Errc::internal:
      return "internal";
    case Errc::usage:
      return "usage";
    case Errc::malformed:
      return "malformed";
    case Errc::limit:
      return "limit";
    case Errc::no_input:
      return "no_input";
    case Errc::unsupported:
      return "unsupported";
    case Errc::cannot_create:
      return "cannot_create";
    case Errc::io:
      return "io";
    case Errc::bad_recipe:
      return "bad_recipe";
    case Errc::interrupted:
      return "interrupted";
  }
  return "unknown";
}

void fail(Errc code, const std::string& message) { throw Error(code, message); }

}  // namespace lathe
