// Loads the training engine, so that only who trains needs LibTorch.

#include <dlfcn.h>

#include <filesystem>

#include "compress/training/training.h"

namespace lathe {
namespace {

constexpr const char* kModule = "lathe-training.so";
constexpr const char* kEntry = "lathe_make_training_engine";

// Beside the program, as it is built, or in the library folder, as it is installed.
std::filesystem::path find_module() {
  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const std::filesystem::path& place :
       {folder / kModule, folder / "../" LATHE_LIBRARY_FOLDER "/lathe" / kModule}) {
    if (std::filesystem::exists(place, ignored)) return place;
  }
  fail(Errc::unsupported, message("training needs ", kModule, ", which is not beside this program in ", folder.string(),
                                  ": build Lathe with LibTorch (without -DLATHE_TORCH=OFF)"));
}

}  // namespace

std::unique_ptr<TrainingEngine> load_training_engine(TrainingDevice device) {
  const std::filesystem::path path = find_module();
  // Never closed: LibTorch's threads and registrations outlive every engine.
  void* module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) fail(Errc::unsupported, message(path.string(), ": cannot be loaded: ", ::dlerror()));
  void* entry = ::dlsym(module, kEntry);
  if (entry == nullptr) fail(Errc::unsupported, message(path.string(), ": has no ", kEntry, ": another version?"));
  const auto make = reinterpret_cast<TrainingEngine* (*)(TrainingDevice)>(entry);
  return std::unique_ptr<TrainingEngine>(make(device));
}

}  // namespace lathe
