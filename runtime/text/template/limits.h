#pragma once
// How much a template may ask for, and the time that it is told. A template comes with a model, so it is as little
// trusted as any other byte of a file.

#include <cstddef>
#include <cstdint>

namespace lathe::jinja {

inline constexpr size_t kMaxTemplateBytes = size_t{1} << 20;  // templates of today's models are below 30 KiB
inline constexpr uint32_t kMaxSyntaxDepth = 200;              // of expressions and statements in each other
inline constexpr uint32_t kMaxValueDepth = 64;                // of lists and dicts in each other
inline constexpr uint32_t kMaxRange = 100'000;                // of range(), as in Jinja's sandbox
inline constexpr size_t kBytesPerStep = 16;  // what is written or compared at the price of one step of evaluation

/// What rendering may take; going beyond is Error{limit}. The steps bound time and memory alike, because every value
/// that is made is paid for with steps.
struct Limits {
  uint64_t steps = 20'000'000;           // a second or two
  size_t text_bytes = size_t{16} << 20;  // of the output, and of any one text on the way to it
  uint32_t call_depth = 400;             // of expressions, statements and macros that wait for each other
};

/// A moment as strftime_now() writes it; the local time of whoever renders.
struct Moment {
  int year = 1970;
  int month = 1;  // 1 to 12
  int day = 1;    // 1 to 31
  int hour = 0, minute = 0, second = 0;
};

}  // namespace lathe::jinja
