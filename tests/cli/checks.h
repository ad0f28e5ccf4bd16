#pragma once
// What a command promises: its exit code, its messages, its JSON.

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "formats/json.h"
#include "tests/cli/command.h"

namespace lathe::test {

/// The standard output of a command that ended with that code.
inline Json json_of(const CommandResult& result, int code = 0) {
  INFO(result.err);
  REQUIRE(result.code == code);
  return parse_json(result.out, "standard output");
}

/// The command must end with that code, say nothing on standard output, and give an error that contains every part.
inline void expect_failure(const std::string& arguments, int code, const std::vector<std::string>& parts) {
  const CommandResult result = run_compress(arguments);
  INFO("compress " << arguments << "\nstderr: " << result.err);
  CHECK(result.code == code);
  CHECK(result.out.empty());
  CHECK_THAT(result.err, Catch::Matchers::StartsWith("compress: error: "));
  for (const std::string& part : parts) CHECK_THAT(result.err, Catch::Matchers::Contains(part));
}

}  // namespace lathe::test
