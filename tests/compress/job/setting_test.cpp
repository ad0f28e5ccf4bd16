#include "compress/job/setting.h"

#include <catch2/catch.hpp>
#include <limits>

#include "tests/formats/expect_error.h"

namespace lathe {
namespace {

enum class Speed { slow, fast };
constexpr NamedValues<Speed, 2> kSpeeds = {{{Speed::slow, "slow"}, {Speed::fast, "fast", "at_full_speed"}}};

struct Engine {
  uint32_t wheels = 4;
  std::optional<uint32_t> seats;
  double load = 0;  // 0: not given
  Speed speed = Speed::slow;
  bool loud = false;
  std::string manual;
};
struct Car {
  Engine engine;
};

std::vector<Setting<Engine>> settings() {
  return {
      integer_setting<Engine>({"wheels", "N", "how many (default {})", SettingGroup::methods, "wheels"},
                              &Engine::wheels, 2, 8),
      integer_setting<Engine>({"seats", "N", "how many", SettingGroup::methods, "seats"}, &Engine::seats, 1, 9),
      number_setting<Engine>({"load", "X", "tons", SettingGroup::methods, "load"}, &Engine::load, 0.5, 2),
      choice_setting<Engine>({"speed", "", "how fast", SettingGroup::methods, "speed"}, &Engine::speed, kSpeeds.rows()),
      flag_setting<Engine>({"loud", "", "with noise", SettingGroup::methods, "loud"}, &Engine::loud)
          .written_if([](const Engine& engine) { return engine.loud; }),
      path_setting<Engine>({"manual", "FILE", "a book", SettingGroup::methods, "manual"}, &Engine::manual),
  };
}

Fault read(Engine& engine, const std::string& name, const std::string& text) {
  for (const Setting<Engine>& setting : settings()) {
    if (setting.name == name) return setting.read(engine, text);
  }
  return "there is no such setting";
}

}  // namespace

TEST_CASE("a setting reads its text into its member", "[compress][setting]") {
  Engine engine;
  CHECK(read(engine, "wheels", "6").empty());
  CHECK(read(engine, "seats", "5").empty());
  CHECK(read(engine, "load", "1.25").empty());
  CHECK(read(engine, "speed", "fast").empty());
  CHECK(read(engine, "loud", "").empty());
  CHECK(read(engine, "manual", "/a/b.txt").empty());
  CHECK(engine.wheels == 6);
  CHECK(engine.seats == 5u);
  CHECK(engine.load == 1.25);
  CHECK(engine.speed == Speed::fast);
  CHECK(engine.loud);
  CHECK(to_text(settings_json(settings(), engine)) ==
        R"({"wheels": 6, "seats": 5, "load": 1.25, "speed": "at_full_speed", "loud": true, "manual": "b.txt"})");
}

TEST_CASE("text outside the bounds is a fault with the bounds and changes nothing", "[compress][setting]") {
  Engine engine;
  CHECK(read(engine, "wheels", "9") == "\"9\" is not an integer in [2, 8]");
  CHECK(read(engine, "seats", "-1") == "\"-1\" is not an integer in [1, 9]");
  CHECK(read(engine, "load", "0") == "\"0\" is not a number in [0.5, 2.0]");
  CHECK(read(engine, "load", "nan") == "\"nan\" is not a number in [0.5, 2.0]");
  CHECK(read(engine, "speed", "at_full_speed") == "\"at_full_speed\" is not one of slow|fast");
  CHECK(to_text(settings_json(settings(), engine)) == to_text(settings_json(settings(), Engine())));
}

TEST_CASE("values that code sets are within the bounds or the default", "[compress][setting]") {
  CHECK_NOTHROW(check_settings(settings(), Engine()));
  Engine engine;
  engine.wheels = 1;
  test::expect_error(Errc::bad_recipe, {"wheels: 1, must be in [2, 8]"}, [&] { check_settings(settings(), engine); });
  engine = {};
  engine.seats = 10;
  test::expect_error(Errc::bad_recipe, {"seats: 10"}, [&] { check_settings(settings(), engine); });
  engine = {};
  engine.load = std::numeric_limits<double>::quiet_NaN();
  test::expect_error(Errc::bad_recipe, {"load"}, [&] { check_settings(settings(), engine); });
}

TEST_CASE("a setting of a part is a setting of the whole", "[compress][setting]") {
  Car car;
  const Setting<Car> wheels = setting_of_whole(settings()[0], &Car::engine);
  CHECK(wheels.show(car) == "4");
  CHECK(wheels.read(car, "8").empty());
  CHECK(car.engine.wheels == 8);
  CHECK(wheels.check(car).empty());
  CHECK(wheels.key.empty());
}

}  // namespace lathe
