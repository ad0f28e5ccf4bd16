#pragma once
// One function for each subcommand; main.cpp has the table. Arguments are those after the command's name. The result
// is the exit code; errors are thrown as lathe::Error.

#include <string>
#include <vector>

namespace lathe::cli {

/// The main command: compress MODEL. Also called for `--help` alone, after the list of subcommands.
int compress_command(const std::vector<std::string>& args);

int inspect_command(const std::vector<std::string>& args);
int run_command(const std::vector<std::string>& args);
int eval_command(const std::vector<std::string>& args);
int bench_command(const std::vector<std::string>& args);
int compare_command(const std::vector<std::string>& args);
int export_command(const std::vector<std::string>& args);
int verify_command(const std::vector<std::string>& args);
int train_command(const std::vector<std::string>& args);

}  // namespace lathe::cli
