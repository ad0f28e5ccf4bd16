#pragma once
// Where a student's hidden values correspond to its teacher's.

#include <cstdint>

namespace lathe {

/// Two values, by their ids in the student's and in the teacher's program, that should agree.
struct MatchedValue {
  uint32_t student = 0;
  uint32_t teacher = 0;
};

}  // namespace lathe
