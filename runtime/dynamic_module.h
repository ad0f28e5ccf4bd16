#pragma once
// Parts of Lathe that are loaded at run time, so that a program starts without the libraries that they need.

#include <string>

namespace lathe {

/// The function `entry` of the module `file` ("lathe-training.so"), which stands beside the program in a build tree and
/// in the library folder of an installation. The module is never unloaded. Throws Error{unsupported} that ends with
/// `remedy` when the module is not there, and with the reason when it cannot be loaded.
void* load_module_function(const std::string& file, const char* entry, const std::string& remedy);

}  // namespace lathe
