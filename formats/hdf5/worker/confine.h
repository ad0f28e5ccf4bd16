#pragma once
// What the worker may still do once it has opened its files.

namespace lathe::hdf5 {

/// From now on this process can read and write what it has open and ask for memory, and nothing else: opening a file,
/// a connection or a process fails as if it were not permitted. Throws Error{unsupported} where the system cannot do
/// that.
void confine();

}  // namespace lathe::hdf5
