#pragma once
// Storages and tensors out of the arguments that a pickle has for them.

#include <span>
#include <string_view>

#include "formats/pytorch/pickle_value.h"

namespace lathe {

/// The storage of a persistent id, ("storage", class, key, location, number of elements), and None in
/// the legacy form. The key is fit to be the name
/// of a record. `where` says file and byte. Throws Error{malformed} for anything else.
PickleStorage read_storage_id(const PickleGraph& graph, const PickleValue& id, std::string_view where);

/// The tensor that the function `maker` makes of its arguments, which lies inside its storage. `maker` has one of the
/// roles tensor, tensor_v2, tensor_v3 and tensor_other_layout, and takes that many arguments. Throws Error{malformed};
/// Error{unsupported} for more than kMaxRank dimensions.
PickleTensor read_tensor_call(const PickleGraph& graph, const PickleGlobal& maker,
                              std::span<const PickleValue> arguments, std::string_view where);

}  // namespace lathe
