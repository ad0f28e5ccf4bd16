#include "runtime/value_offsets.h"

#include <algorithm>

namespace lathe {

void Lifetime::touch(size_t time) {
  first = std::min(first, time);
  last = std::max(last, time);
}

size_t assign_offsets(std::vector<Lifetime> lifetimes, const std::vector<size_t>& widths,
                      std::vector<size_t>& offsets) {
  std::sort(lifetimes.begin(), lifetimes.end(), [](const Lifetime& x, const Lifetime& y) { return x.first < y.first; });
  size_t total = 0;
  std::vector<Lifetime> live;
  for (const Lifetime& wanted : lifetimes) {
    std::erase_if(live, [&](const Lifetime& other) { return other.last < wanted.first; });
    std::sort(live.begin(), live.end(),
              [&](const Lifetime& x, const Lifetime& y) { return offsets[x.value] < offsets[y.value]; });
    size_t offset = 0;
    for (const Lifetime& other : live) {
      if (offset + widths[wanted.value] <= offsets[other.value]) break;
      offset = std::max(offset, offsets[other.value] + widths[other.value]);
    }
    offsets[wanted.value] = offset;
    total = std::max(total, offset + widths[wanted.value]);
    live.push_back(wanted);
  }
  return total;
}

}  // namespace lathe
