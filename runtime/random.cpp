#include "runtime/random.h"

namespace lathe {

uint64_t Random::next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// The bias of a plain remainder is below 2^-32 for the bounds used here.
uint64_t Random::below(uint64_t bound) { return next() % bound; }

double Random::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

}  // namespace lathe
