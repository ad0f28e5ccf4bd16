#include "compress/evaluation/machine.h"

#include <sys/utsname.h>

#include <charconv>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

#include "compress/job/version.h"
#include "runtime/executor.h"

namespace lathe {
namespace {

#if defined(__clang__)
constexpr const char* kCompiler = "Clang ";
#else
constexpr const char* kCompiler = "GCC ";
#endif

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// What follows "key :" on the first line of that key in a file of /proc; empty when there is none.
std::string proc_field(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (colon == line.npos || trimmed(std::string_view(line).substr(0, colon)) != key) continue;
    return std::string(trimmed(std::string_view(line).substr(colon + 1)));
  }
  return {};
}

/// __VERSION__ of Clang already starts with words; the name is added where it does not.
std::string compiler() {
  const std::string version = __VERSION__;
  const bool bare = !version.empty() && version.front() >= '0' && version.front() <= '9';
  return bare ? kCompiler + version : version;
}

}  // namespace

Machine this_machine() {
  Machine machine;
  machine.cpu = proc_field("/proc/cpuinfo", "model name");
  machine.cores = std::thread::hardware_concurrency();
  machine.isa = instruction_set_of(Device::cpu);
  utsname system{};
  if (::uname(&system) == 0) {
    machine.system = std::string(system.sysname) + " " + system.release + " " + system.machine;
  }
  machine.version = kLatheVersion;
  machine.compiler = compiler();
  return machine;
}

uint64_t peak_resident_bytes() {
  const std::string field = proc_field("/proc/self/status", "VmHWM");
  uint64_t kibibytes = 0;
  std::from_chars(field.data(), field.data() + field.size(), kibibytes);
  return kibibytes * 1024;
}

}  // namespace lathe
