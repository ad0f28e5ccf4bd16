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

/// Each case, in a section of its own, must be refused by read(case), with its code and a message that contains its
/// parts and the path. A case has `name`, `parts` and `code`.
template <class Case, class Read>
void expect_all_refused(const std::vector<Case>& cases, const std::string& path, const Read& read) {
  for (const Case& bad : cases) {
    DYNAMIC_SECTION(bad.name) {
      std::vector<std::string> parts = bad.parts;
      parts.push_back(path);
      expect_error(bad.code, parts, [&] { read(bad); });
    }
  }
}

}  // namespace lathe::test
