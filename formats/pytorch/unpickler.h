#pragma once
// Reads the pickles that torch.save writes (protocol 2 of pickletools.py), as data: a small part of the opcodes, and
// the names of pickle_globals.h. Nothing is ever called, imported or evaluated.

#include <string_view>

#include "formats/pytorch/pickle_value.h"

namespace lathe {

inline constexpr uint64_t kMaxPickleBytes = uint64_t{256} << 20;
inline constexpr uint64_t kMaxPickleEntries = 16'000'000;  // of the stack, the memo, and all containers together
inline constexpr uint64_t kMaxPickleText = uint64_t{64} << 20;
inline constexpr uint32_t kMaxPickleDepth = 256;

/// `where` names file and record for messages. Memory is bounded by a multiple of the pickle's size. Throws
/// Error{malformed} for bytes that are no such pickle or contradict themselves, Error{unsupported} for other protocols
/// and names, Error{limit} beyond the limits above; messages say the byte.
PickleGraph unpickle(std::string_view pickle, std::string_view where);
/// The pickle that the bytes begin with; that of the graph is as long as it is.
PickleGraph unpickle_first(std::string_view bytes, std::string_view where);

}  // namespace lathe
