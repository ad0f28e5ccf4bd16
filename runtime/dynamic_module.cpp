#include "runtime/dynamic_module.h"

#include <dlfcn.h>

#include <filesystem>

#include "formats/artifact/error.h"

namespace lathe {
namespace {

std::filesystem::path find_module(const std::string& file, const std::string& remedy) {
  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const std::filesystem::path& place : {folder / file, folder / "../" LATHE_LIBRARY_FOLDER "/lathe" / file}) {
    if (std::filesystem::exists(place, ignored)) return place;
  }
  fail(Errc::unsupported,
       message(file, " is not beside this program in ", folder.string(), " or in its library folder: ", remedy));
}

}  // namespace

void* load_module_function(const std::string& file, const char* entry, const std::string& remedy) {
  const std::filesystem::path path = find_module(file, remedy);
  // Never closed: a library's threads and registrations outlive what it made.
  void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) {
    fail(Errc::unsupported, message(path.string(), ": the module cannot be loaded: ", ::dlerror()));
  }
  void* function = ::dlsym(module, entry);
  if (function == nullptr) {
    fail(Errc::unsupported,
         message(path.string(), ": the module has no function ", entry, "; it may belong to another version of Lathe"));
  }
  return function;
}

}  // namespace lathe
