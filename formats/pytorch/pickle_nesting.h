#pragma once
// The shape of what a pickle holds: whatever walks it later relies on these bounds.

#include <string_view>

#include "formats/pytorch/pickle_value.h"

namespace lathe {

/// Throws Error{malformed} when a container that the root leads to contains itself, Error{limit} when containers are
/// nested deeper than `max_depth`.
void check_nesting(const PickleGraph& graph, uint32_t max_depth, std::string_view where);

}  // namespace lathe
