#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "tests/runtime/cpu/kernels/kernel_fixtures.h"

namespace lathe::kernels {
namespace {

template <class Kernel>
void check_names(std::span<const Kernel* const> kernels, std::set<std::string>& names) {
  for (const Kernel* kernel : kernels) {
    const std::string name = kernel->name;
    INFO(name);
    CHECK(name.find(std::string("_") + isa_name(kernel->isa)) != std::string::npos);
    CHECK(names.insert(name).second);
  }
}

template <class Kernel>
bool best_first(std::span<const Kernel* const> kernels) {
  return std::is_sorted(kernels.begin(), kernels.end(), [](const auto* a, const auto* b) { return a->isa > b->isa; });
}

}  // namespace

TEST_CASE("kernel names are unique and tell the instruction set", "[runtime][kernels]") {
  std::set<std::string> names;
  check_names(integer_linear_kernels(), names);
  check_names(float_linear_kernels(), names);
  check_names(row_kernels(), names);
}

TEST_CASE("the registries go from the best instruction set to generic", "[runtime][kernels]") {
  CHECK(best_first(integer_linear_kernels()));
  CHECK(best_first(float_linear_kernels()));
  CHECK(best_first(row_kernels()));
  CHECK(integer_linear_kernels().back()->isa == Isa::generic);
  CHECK(float_linear_kernels().back()->isa == Isa::generic);
  CHECK(row_kernels().back()->isa == Isa::generic);
}

TEST_CASE("every format has a generic kernel that takes any group", "[runtime][kernels]") {
  const int8_t integer = 0;
  const uint8_t group_scale = 1;
  for (const auto format : {IntegerFormat::int8_dense, IntegerFormat::int8_bitmask, IntegerFormat::int4_dense,
                            IntegerFormat::int4_bitmask}) {
    const bool int4 = format == IntegerFormat::int4_dense || format == IntegerFormat::int4_bitmask;
    const IntegerWeight weight{&integer, 1, 1, int4 ? &group_scale : nullptr, int4 ? size_t{7} : size_t{0}};
    const auto all = integer_linear_kernels();
    CHECK(std::any_of(all.begin(), all.end(), [&](const auto* kernel) {
      return kernel->isa == Isa::generic && kernel->format == format && kernel->supports(weight);
    }));
  }
}

TEST_CASE("a vbmi2 kernel stands before the kernel that needs less", "[runtime][kernels]") {
  bool seen_plain[4] = {};
  for (const auto* kernel : integer_linear_kernels()) {
    if (kernel->isa != Isa::avx512vnni) continue;
    bool& plain = seen_plain[static_cast<size_t>(kernel->format)];
    if (kernel->needs_vbmi2) CHECK_FALSE(plain);
    if (!kernel->needs_vbmi2) plain = true;
  }
  CHECK(std::all_of(std::begin(seen_plain), std::end(seen_plain), [](bool plain) { return plain; }));
}

}  // namespace lathe::kernels
