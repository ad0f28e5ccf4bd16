#pragma once
// Runs the built command and keeps what it said.

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "tests/support/paths.h"
#include "tests/support/temp_dir.h"

namespace lathe::test {

struct CommandResult {
  int code = -1;  // as a shell shows it: 128 plus the signal when a signal ended it
  std::string out;
  std::string err;
};

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A word for the shell.
inline std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// `arguments` is shell text after the program's name; it may redirect standard input. `before` stands in front of
/// the program: variables, or a command that pipes into it.
inline CommandResult run_program(const std::string& program, const std::string& arguments,
                                 const std::string& before = "") {
  const TempDir dir;
  const std::string command =
      before + " " + quoted(program) + " " + arguments + " > " + quoted(dir / "out") + " 2> " + quoted(dir / "err");
  const int status = std::system(command.c_str());
  if (status == -1) throw std::runtime_error("cannot run " + command);
  CommandResult result;
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = read_text(dir / "out");
  result.err = read_text(dir / "err");
  return result;
}

/// The built command.
inline CommandResult run_compress(const std::string& arguments, const std::string& before = "") {
  return run_program(test::command_path(), arguments, before);
}

}  // namespace lathe::test
