#pragma once
// Temporary files that leave nothing behind, however the process ends.

#include <string>

namespace lathe {

/// $TMPDIR, else /var/tmp, which is on disk where /tmp may be memory.
std::string spill_folder();

/// Opens a new file without a name, for reading and writing; what is written to it is gone when it is closed. Returns
/// its descriptor, or -1 with errno set.
int open_unnamed_file(const std::string& folder);

}  // namespace lathe
