// The command `compress`: finds the subcommand, and turns whatever goes wrong into a message and an exit code.

#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <new>

#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/options.h"
#include "cli/terminal/signals.h"
#include "cli/text.h"
#include "compress/job/stop.h"
#include "compress/job/version.h"

namespace lathe::cli {
namespace {

std::string overview() {
  std::vector<std::vector<std::string>> rows;
  for (const Command& command : commands()) rows.push_back({message("compress ", command.name), command.summary});
  rows.insert(rows.begin(), {"compress MODEL", "compress a checkpoint; its options are below"});
  return message("Lathe ", std::string(kLatheVersion),
                 ": compresses models and proves what was gained.\n\nCommands ('compress COMMAND --help' explains "
                 "each; 'compress --version'):\n",
                 table(rows, "ll"), "\n");
}

// A word that names no file and is spelled almost like a command was meant as the command, not as a model.
void check_spelling(const std::string& word) {
  std::error_code ignored;
  if (word.starts_with('-') || word.find('/') != std::string::npos || std::filesystem::exists(word, ignored)) return;
  std::vector<std::string> names;
  for (const Command& command : commands()) names.emplace_back(command.name);
  const std::string guess = nearest(word, names);
  if (!guess.empty()) {
    fail(Errc::usage, message("unknown command '", word, "', did you mean '", guess,
                              "'? (there is no model folder of that name either)"));
  }
}

int dispatch(std::vector<std::string> args) {
  if (args.empty()) {
    fail(Errc::usage, "expected a command or a model folder; 'compress --help' explains");
  }
  const std::string first = args.front();
  if (first == "--version") {
    write_stdout("lathe " + std::string(kLatheVersion) + "\n");
    return kExitDone;
  }
  if (first == "--help" || first == "-h" || first == "help") {
    write_stdout(overview());
    return compress_command({"--help"});
  }
  for (const Command& command : commands()) {
    if (first == command.name) return command.run({args.begin() + 1, args.end()});
  }
  check_spelling(first);
  return compress_command(args);
}

int report_error(int code, const char* kind, const std::string& text, bool json) {
  std::fprintf(stderr, "compress: error: %s\n", text.c_str());
  if (json) {
    try {
      write_json(Json::object({{"error", Json::object({{"code", code}, {"kind", kind}, {"message", text}})}}));
    } catch (const Error&) {
      // Standard output is gone; the message is on stderr and the exit code says the rest.
    }
  }
  return code;
}

int guarded_main(const std::vector<std::string>& args, bool json) {
  try {
    return dispatch(args);
  } catch (const ResumableStop& stop) {
    return report_error(kExitInterrupted, errc_name(stop.code()), stop.what(), json);
  } catch (const Error& error) {
    const bool stopped = error.code() == Errc::interrupted;
    return report_error(stopped ? interrupted_exit_code() : exit_code(error.code()), errc_name(error.code()),
                        error.what(), json);
  } catch (const std::bad_alloc&) {
    return report_error(kExitInternal, "out_of_memory", "not enough memory", json);
  } catch (const std::filesystem::filesystem_error& error) {
    return report_error(kExitIo, "io", error.what(), json);
  } catch (const std::exception& error) {
    return report_error(kExitInternal, "internal", message("internal: ", error.what()), json);
  }
}

}  // namespace
}  // namespace lathe::cli

int main(int argc, char** argv) {
  // A fixed bound keeps glibc from raising it: large blocks then go back to the system when they are freed.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  const std::vector<std::string> args(argv + std::min(argc, 1), argv + argc);
  const bool json = std::find(args.begin(), args.end(), "--json") != args.end();
  lathe::cli::install_signal_handlers(json);
  return lathe::cli::guarded_main(args, json);
}
