#include "formats/artifact/named_values.h"

#include <catch2/catch.hpp>

namespace lathe {
namespace {

enum class Fruit : uint8_t { apple, pear, plum };
constexpr NamedValues<Fruit, 3> kFruits = {
    {{Fruit::apple, "apple"}, {Fruit::pear, "pear", "pyrus"}, {Fruit::plum, "plum"}}};

// What makes a table with a row too few or too many not compile.
static_assert(is_enumerator<Fruit, Fruit::plum>());
static_assert(is_enumerator<Fruit, static_cast<Fruit>(0)>());
static_assert(!is_enumerator<Fruit, static_cast<Fruit>(3)>());
static_assert(kFruits.find("pear") == Fruit::pear);

}  // namespace

TEST_CASE("every value of an enumeration has its name", "[formats][named_values]") {
  CHECK(std::string(kFruits.name(Fruit::plum)) == "plum");
  CHECK(std::string(kFruits.stored(Fruit::plum)) == "plum");
  CHECK(std::string(kFruits.stored(Fruit::pear)) == "pyrus");
  CHECK(kFruits.list(", ") == "apple, pear, plum");
}

TEST_CASE("a name is found exactly or not at all", "[formats][named_values]") {
  CHECK(kFruits.find("apple") == Fruit::apple);
  for (const char* name : {"", "Apple", "app", "pyrus", "apple "}) CHECK_FALSE(kFruits.find(name).has_value());
}

TEST_CASE("values that do not count from 0 have names too", "[formats][named_values]") {
  static constexpr NamedValue<int> kRows[] = {{8, "eight"}, {16, "sixteen"}};
  constexpr std::span<const NamedValue<int>> kAll = kRows;
  CHECK(find_value(kAll, "sixteen") == 16);
  CHECK(find_name(kAll, 8) == std::string("eight"));
  CHECK(find_name(kAll, 9) == nullptr);
}

}  // namespace lathe
