#pragma once
// What the architectures of decoders have in common: the tensors of the head.

#include <string>
#include <vector>

#include "compress/source/architectures.h"

namespace lathe::architectures_detail {

/// The tensor with the weights of the head: `table` where the config ties both, else `head`. A checkpoint that has a
/// tied head all the same must have equal bytes in both, otherwise Error{malformed}; it is then hidden.
std::string head_weight(SourceModel& model, const std::string& table, const std::string& head, bool tied);

/// Takes tensors that are used up out of the model's checkpoint.
void hide_tensors(SourceModel& model, const std::vector<std::string>& names);

}  // namespace lathe::architectures_detail
