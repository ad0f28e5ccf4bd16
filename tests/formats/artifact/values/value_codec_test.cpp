#include "formats/artifact/values/value_codec.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace lathe {
namespace {

std::vector<float> reloaded(const ValueCodec& codec, const std::vector<float>& values) {
  std::vector<std::byte> packed(values.size() * codec.bits / 8);
  codec.store_floats(values.data(), values.size(), packed.data());
  std::vector<float> out(values.size());
  codec.load_floats(packed.data(), values.size(), out.data());
  return out;
}

}  // namespace

TEST_CASE("every value type stands at its number in the table and has a name of its own", "[formats][artifact]") {
  std::set<std::string> names;
  for (size_t i = 0; i < value_codecs().size(); ++i) {
    const ValueCodec& codec = *value_codecs()[i];
    CHECK(static_cast<size_t>(codec.type) == i);
    CHECK(&value_codec(codec.type) == &codec);
    CHECK(names.insert(codec.name).second);
    CHECK((codec.nearest != nullptr) == !codec.integer);
    CHECK((codec.load_integers != nullptr) == codec.integer);
  }
  CHECK(names.size() >= 5);
}

TEST_CASE("floating-point types give back what they hold, and round to it", "[formats][artifact]") {
  const std::vector<float> values = {0.0f,  1.0f,  -1.5f,    0.1f,      -0.3333f, 65504.0f,
                                     1e-6f, 6e-8f, 3.14159f, -2.71828f, 1e5f,     -3e38f};
  for (const ValueCodec* codec : value_codecs()) {
    if (codec->integer) continue;
    INFO(codec->name);
    std::vector<float> rounded;
    for (const float value : values) rounded.push_back(codec->nearest(value));
    CHECK(reloaded(*codec, rounded) == rounded);
    for (size_t i = 0; i < values.size(); ++i) {
      CHECK(codec->nearest(rounded[i]) == rounded[i]);
      CHECK(std::isfinite(rounded[i]));
    }
    CHECK_FALSE(std::signbit(codec->nearest(-0.0f)));
    CHECK(std::isfinite(codec->nearest(std::numeric_limits<float>::max())));
  }
}

TEST_CASE("integer types give back every integer that fits their bits, at even and odd places", "[formats][artifact]") {
  for (const ValueCodec* codec : value_codecs()) {
    if (!codec->integer) continue;
    INFO(codec->name);
    const int half = 1 << (codec->bits - 1);
    CHECK(codec->lowest >= -half);
    CHECK(codec->highest == half - 1);
    for (const int extra : {0, 1, 2}) {
      std::vector<int8_t> values(static_cast<size_t>(extra), 3);
      for (int value = -half; value < half; ++value) values.push_back(static_cast<int8_t>(value));
      values.push_back(-1);
      std::vector<std::byte> packed((values.size() * codec->bits + 7) / 8);
      codec->store_integers(values.data(), values.size(), packed.data());
      std::vector<int8_t> out(values.size());
      codec->load_integers(packed.data(), values.size(), out.data());
      CHECK(out == values);
    }
  }
}

}  // namespace lathe
