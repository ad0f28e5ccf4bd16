#pragma once
// An error is a promise: its code, and what its message names.

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "formats/artifact/error.h"

namespace lathe::test {

/// `action` must throw lathe::Error with this code and a message that contains every part.
template <class Action>
void expect_error(Errc code, const std::vector<std::string>& parts, Action action) {
  try {
    action();
  } catch (const Error& error) {
    INFO("message: " << error.what());
    CHECK(std::string(errc_name(error.code())) == errc_name(code));
    for (const std::string& part : parts) CHECK_THAT(error.what(), Catch::Matchers::Contains(part));
    return;
  }
  FAIL_CHECK("no error, expected " << errc_name(code));
}

}  // namespace lathe::test
