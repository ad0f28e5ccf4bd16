#pragma once
// The subcommands. A new one is a file in commands/, and a declaration and a row in commands.cpp.

#include <span>
#include <string>
#include <vector>

namespace lathe::cli {

struct Command {
  const char* name;
  const char* summary;  // for the list of commands in --help
  /// Takes the arguments after the command's name and returns the exit code. Errors are thrown as lathe::Error.
  int (*run)(const std::vector<std::string>& args);
};
/// In the order of --help.
std::span<const Command> commands();

/// The main command, which has no name: compress MODEL. The list of commands in --help is followed by its own help.
int compress_command(const std::vector<std::string>& args);

}  // namespace lathe::cli
