#pragma once
// Being stopped without losing what was done.

#include "formats/artifact/error.h"

namespace lathe {

/// Stopped, and the state is kept: the same call goes on from there.
class ResumableStop : public Error {
 public:
  explicit ResumableStop(const std::string& message) : Error(Errc::interrupted, message) {}
};

}  // namespace lathe
