// Loads the training engine at run time, so that only a command that trains needs LibTorch.

#include <dlfcn.h>

#include <filesystem>

#include "compress/training/training.h"

namespace lathe {
namespace {

constexpr const char* kModule = "lathe-training.so";
constexpr const char* kEntry = "lathe_make_training_engine";

// The module stands beside the program in a build tree, and in the library folder of an installation.
std::filesystem::path find_module() {
  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const std::filesystem::path& place :
       {folder / kModule, folder / "../" LATHE_LIBRARY_FOLDER "/lathe" / kModule}) {
    if (std::filesystem::exists(place, ignored)) return place;
  }
  fail(Errc::unsupported, message("training needs ", kModule, ", which is not beside this program in ", folder.string(),
                                  " or in its library folder: build Lathe with LibTorch (without -DLATHE_TORCH=OFF)"));
}

}  // namespace

std::unique_ptr<TrainingEngine> load_training_engine(TrainingDevice device) {
  const std::filesystem::path path = find_module();
  // Never closed: LibTorch's threads and registrations outlive every engine.
  void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr)
    fail(Errc::unsupported, message(path.string(), ": the module cannot be loaded: ", ::dlerror()));
  void* entry = ::dlsym(module, kEntry);
  if (entry == nullptr)
    fail(Errc::unsupported, message(path.string(), ": the module has no function ", kEntry,
                                    "; it may belong to another version of Lathe"));
  const auto make = reinterpret_cast<TrainingEngine* (*)(TrainingDevice)>(entry);
  return std::unique_ptr<TrainingEngine>(make(device));
}

}  // namespace lathe
