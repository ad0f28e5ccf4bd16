#include "compress/pipeline/group_store.h"

#include <algorithm>
#include <string>

namespace lathe {
namespace {

// "compression-0012"
std::string group_name(size_t index) {
  constexpr size_t kDigits = 4;
  const std::string number = std::to_string(index);
  return "compression-" + std::string(kDigits - std::min(kDigits, number.size()), '0') + number;
}

}  // namespace

std::optional<std::vector<FinishedLayer>> GroupStore::restore() {
  const std::string name = group_name(next_);
  const std::optional<std::string> facts = tensors_.find(name);
  if (!facts) return std::nullopt;
  ++next_;
  return parse_finished(*facts, name);
}

std::vector<FinishedLayer> GroupStore::keep(FinishedGroup group) {
  tensors_.put(group_name(next_++), group.tensors, finished_text(group.layers));
  return std::move(group.layers);
}

}  // namespace lathe
