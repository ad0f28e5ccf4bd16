#pragma once
// Random numbers that are the same everywhere.

#include <cstdint>

namespace lathe {

/// A small generator with a fixed algorithm (splitmix64: Steele, Lea and Flood, 2014), so that the same seed gives the
/// same bytes everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next();
  /// In [0, bound).
  uint64_t below(uint64_t bound);
  /// In [0, 1).
  double uniform();

 private:
  uint64_t state_;
};

}  // namespace lathe
