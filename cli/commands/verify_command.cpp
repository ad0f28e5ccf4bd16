// compress verify FILE: reads every byte of an artifact.

#include <cstdio>

#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/options.h"
#include "cli/text.h"
#include "compress/facts/facts_json.h"
#include "compress/facts/number_text.h"
#include "formats/artifact/artifact.h"
#include "runtime/text/chat.h"
#include "runtime/text/tokenizer.h"

namespace lathe::cli {
namespace {

// Checks what opening does not: checksums, padding, and sections that only some commands read.
std::vector<std::string> find_faults(const Artifact& artifact) {
  std::vector<std::string> faults = artifact.verify();
  const auto attempt = [&](const auto& check) {
    try {
      check();
    } catch (const Error& error) {
      faults.emplace_back(error.what());
    }
  };
  const std::string& path = artifact.file().path();
  const Bytes tokenizer = artifact.section(layout::Section::tokenizer);
  if (!tokenizer.empty()) {
    attempt([&] {
      const Tokenizer read(decode_tokenizer(tokenizer, path));
      check_chat_template(read.spec(), message(path, ": chat template"));
    });
  }
  const std::pair<layout::Section, const char*> texts[] = {{layout::Section::recipe, "recipe"},
                                                           {layout::Section::provenance, "provenance"},
                                                           {layout::Section::results, "results"}};
  for (const auto& [which, name] : texts) {
    const std::string text = artifact.section_text(which);
    if (!text.empty()) attempt([&, section = name] { parse_json(text, message(path, ": ", section)); });
  }
  return faults;
}

}  // namespace

int verify_command(const std::vector<std::string>& args) {
  std::vector<std::string> files;
  bool json = false;
  bool quiet = false;
  Options options("compress verify", "FILE",
                  "Checks the structure of an artifact and the checksum of every plane. Exit code 0: intact; "
                  "65: damaged, each fault on a line of standard output.");
  options.flag("json", "one JSON object on standard output", json)
      .flag("quiet,q", "no output, the exit code says it", quiet)
      .operands(1, 1, files);
  if (!options.parse(args)) return kExitDone;

  const Artifact artifact = Artifact::open(files[0]);
  const std::vector<std::string> faults = find_faults(artifact);
  const uint64_t size = artifact.file().bytes().size();
  if (json) {
    write_json(Json::object({{"schema", kJsonSchema},
                             {"command", "verify"},
                             {"file", files[0]},
                             {"bytes", size},
                             {"intact", faults.empty()},
                             {"faults", strings_json(faults)}}));
  } else if (!quiet) {
    std::string text;
    for (const std::string& fault : faults) text += files[0] + ": " + fault + "\n";
    if (faults.empty()) {
      text =
          message(files[0], ": intact (", count_text(artifact.tensors().size()), " tensors, ", bytes_text(size), ")\n");
    }
    write_stdout(text);
  }
  if (faults.empty()) return kExitDone;
  std::fprintf(stderr, "compress: error: %s: %zu fault%s found\n", files[0].c_str(), faults.size(),
               faults.size() == 1 ? "" : "s");
  return kExitMalformed;
}

}  // namespace lathe::cli
