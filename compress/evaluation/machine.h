#pragma once
// The machine that this process runs on.

#include <cstdint>

#include "compress/facts/report_facts.h"

namespace lathe {

/// What this process runs on.
Machine this_machine();
/// Largest resident set of this process so far, in bytes.
uint64_t peak_resident_bytes();

}  // namespace lathe
