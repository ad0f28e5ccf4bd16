#pragma once
// Sharing memory between values that do not live at the same time.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lathe {

/// When a value is needed, in steps of whatever is planned. Both ends count.
struct Lifetime {
  uint32_t value = 0;
  size_t first = SIZE_MAX;
  size_t last = 0;

  void touch(size_t time);
};

/// Gives each value an offset such that values that live at the same time do not overlap; the first gap that fits is
/// taken. `widths` and `offsets` are by value. Returns how much a row needs in all.
size_t assign_offsets(std::vector<Lifetime> lifetimes, const std::vector<size_t>& widths, std::vector<size_t>& offsets);

}  // namespace lathe
