// lathe-hdf5: the one program that uses libhdf5. It is started by Lathe for one file at a time, within limits, and
// nothing that it says is trusted (docs/decisions/0014-hdf5-in-a-process-of-its-own.md).

#include <hdf5.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <new>
#include <string_view>

#include "formats/hdf5/worker/files.h"
#include "formats/json.h"

namespace {

using namespace lathe;

constexpr std::array<std::pair<std::string_view, void (*)()>, 2> kJobs = {
    {{"read", hdf5::read_file}, {"write", hdf5::write_file}}};

int report(Errc code, const std::string& text) {
  const std::string line = to_text(Json::object({{"code", errc_name(code)}, {"message", text}}));
  return ::write(hdf5::kReport, line.data(), line.size()) == static_cast<ssize_t>(line.size()) ? 1 : 2;
}

int run(std::string_view job) {
  const auto found = std::find_if(kJobs.begin(), kJobs.end(), [&](const auto& known) { return known.first == job; });
  if (found == kJobs.end()) return report(Errc::usage, "this program is started by Lathe");
  H5PLset_loading_state(0);                     // no plug-ins, which are code
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // reasons are asked for, not printed
  H5Lunregister(H5L_TYPE_EXTERNAL);             // links into other files cannot be followed, whatever leads to them
  try {
    found->second();
    return 0;
  } catch (const Error& error) {
    return report(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return report(Errc::limit, "it needs more memory than a file of its size may");
  }
}

}  // namespace

int main(int argc, char** argv) {
  // Without the clean-up of the library, which has been seen to run forever after a damaged file.
  ::_exit(run(argc == 2 ? argv[1] : ""));
}
