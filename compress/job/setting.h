#pragma once
// One row for each thing that a recipe can be asked. The row says how the command line reads and explains it, which
// values are valid, what it needs to have an effect, and how it stands in the recipe's JSON.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "formats/artifact/error.h"
#include "formats/artifact/named_values.h"
#include "formats/json.h"

namespace lathe {

/// Headings of the help under which settings stand.
enum class SettingGroup { methods, recovery, recovery_details, calibration, running };
inline constexpr NamedValues<SettingGroup, 5> kSettingGroups = {
    {{SettingGroup::methods, "What to do"},
     {SettingGroup::recovery, "Recovery"},
     {SettingGroup::recovery_details, "Recovery, in detail"},
     {SettingGroup::calibration, "Calibration"},
     {SettingGroup::running, "Running"}}};

/// What is wrong with a value, in words that follow the name of the option; empty when nothing is.
using Fault = std::string;

/// All of `text` as an integer or a number in [minimum, maximum]; `value` is written only without a fault.
Fault read_integer(std::string_view text, uint64_t minimum, uint64_t maximum, uint64_t& value);
Fault read_number(std::string_view text, double minimum, double maximum, double& value);
/// The fault of a value outside its bounds: "0, must be in [1, 64]".
Fault out_of_bounds(uint64_t value, uint64_t minimum, uint64_t maximum);
Fault out_of_bounds(double value, double minimum, double maximum);
/// The fault of a word that is not among `choices`, "layer|global".
Fault not_one_of(std::string_view text, std::string_view choices);

/// What a setting needs to have an effect.
template <class Owner>
struct Need {
  std::string what = {};                          // "--distill FILE"; follows "does nothing without"
  std::function<bool(const Owner&)> is_met = {};  // null: it always has an effect
};

template <class Owner>
struct Setting {
  std::string name;  // of the option, without dashes
  std::string meta;  // stands for the value in the help, such as "N"; empty for a flag
  std::string help;  // "{}" stands for the value of the owner: the default
  SettingGroup group = SettingGroup::methods;
  std::string key = {};  // in the recipe's JSON; empty: it is not written there
  Need<Owner> need = {};
  bool repeatable = false;

  std::function<Fault(Owner&, const std::string& text)> read = {};
  std::function<Fault(const Owner&)> check = {};  // of a value that code has set, or null: every value is valid
  std::function<Json(const Owner&)> json = {};
  std::function<std::string(const Owner&)> show = {};  // the value for the help; null: the help has no "{}"
  std::function<bool(const Owner&)> is_written = {};   // to the JSON; null: always

  /// It stands in the JSON only where `condition` holds, so that a recipe without it keeps its bytes.
  Setting written_if(std::function<bool(const Owner&)> condition) && {
    is_written = std::move(condition);
    return std::move(*this);
  }
};

/// An integer in [minimum, maximum]. The default may lie outside: it then stands for "not given".
template <class Owner, class Integer>
Setting<Owner> integer_setting(Setting<Owner> row, Integer Owner::*member, uint64_t minimum, uint64_t maximum) {
  row.read = [=](Owner& owner, const std::string& text) {
    uint64_t value = 0;
    Fault fault = read_integer(text, minimum, maximum, value);
    if (fault.empty()) {
      if constexpr (std::is_integral_v<Integer>) {
        owner.*member = static_cast<Integer>(value);
      } else {
        owner.*member = static_cast<typename Integer::value_type>(value);
      }
    }
    return fault;
  };
  row.check = [=](const Owner& owner) {
    if (owner.*member == Owner().*member) return Fault();
    uint64_t value = 0;
    if constexpr (std::is_integral_v<Integer>) {
      value = owner.*member;
    } else {
      value = *(owner.*member);
    }
    return value >= minimum && value <= maximum ? Fault() : out_of_bounds(value, minimum, maximum);
  };
  if constexpr (std::is_integral_v<Integer>) {
    row.json = [=](const Owner& owner) { return Json(owner.*member); };
    row.show = [=](const Owner& owner) { return message(owner.*member); };
  } else {
    row.json = [=](const Owner& owner) { return owner.*member ? Json(*(owner.*member)) : Json(); };
  }
  return row;
}

/// A number in [minimum, maximum]. The default may lie outside: it then stands for "not given".
template <class Owner>
Setting<Owner> number_setting(Setting<Owner> row, double Owner::*member, double minimum, double maximum) {
  row.read = [=](Owner& owner, const std::string& text) { return read_number(text, minimum, maximum, owner.*member); };
  row.check = [=](const Owner& owner) {
    const double value = owner.*member;
    const bool valid = value == Owner().*member || (value >= minimum && value <= maximum);  // not so for NaN
    return valid ? Fault() : out_of_bounds(value, minimum, maximum);
  };
  row.json = [=](const Owner& owner) { return Json(owner.*member); };
  row.show = [=](const Owner& owner) { return message(owner.*member); };
  return row;
}

/// One of the values that have a name.
template <class Owner, class Value>
Setting<Owner> choice_setting(Setting<Owner> row, Value Owner::*member, std::span<const NamedValue<Value>> names) {
  row.meta = join_names(names, "|");
  row.read = [=](Owner& owner, const std::string& text) {
    const std::optional<Value> value = find_value(names, text);
    if (value) owner.*member = *value;
    return value ? Fault() : not_one_of(text, join_names(names, "|"));
  };
  row.json = [=](const Owner& owner) {
    for (const NamedValue<Value>& each : names) {
      if (each.value == owner.*member) return Json(each.stored != nullptr ? each.stored : each.name);
    }
    return Json();
  };
  row.show = [=](const Owner& owner) { return std::string(find_name(names, owner.*member)); };
  return row;
}

template <class Owner>
Setting<Owner> flag_setting(Setting<Owner> row, bool Owner::*member) {
  row.read = [=](Owner& owner, const std::string&) {
    owner.*member = true;
    return Fault();
  };
  row.json = [=](const Owner& owner) { return Json(owner.*member); };
  return row;
}

/// The path of a file or folder. JSON has the last part alone: bytes do not depend on the folders of a machine.
template <class Owner>
Setting<Owner> path_setting(Setting<Owner> row, std::string Owner::*member) {
  row.read = [=](Owner& owner, const std::string& text) {
    owner.*member = text;
    return Fault();
  };
  row.json = [=](const Owner& owner) { return Json(std::filesystem::path(owner.*member).filename().string()); };
  return row;
}

/// The setting of a part as one of the whole. Only the whole's own settings stand in its JSON.
template <class Whole, class Part>
Setting<Whole> setting_of_whole(const Setting<Part>& part, Part Whole::*member) {
  Setting<Whole> row{part.name, part.meta, part.help, part.group};
  row.repeatable = part.repeatable;
  row.read = [=](Whole& whole, const std::string& text) { return part.read(whole.*member, text); };
  if (part.need.is_met) {
    row.need = {part.need.what, [=](const Whole& whole) { return part.need.is_met(whole.*member); }};
  }
  if (part.check) row.check = [=](const Whole& whole) { return part.check(whole.*member); };
  if (part.show) row.show = [=](const Whole& whole) { return part.show(whole.*member); };
  return row;
}

/// Throws Error{bad_recipe} naming setting, value and bound for the first value that is not valid.
template <class Owner>
void check_settings(const std::vector<Setting<Owner>>& settings, const Owner& owner) {
  for (const Setting<Owner>& setting : settings) {
    const Fault fault = setting.check ? setting.check(owner) : Fault();
    if (!fault.empty()) fail(Errc::bad_recipe, message(setting.name, ": ", fault));
  }
}

/// Those with a key as one JSON object, in the order of the rows.
template <class Owner>
Json settings_json(const std::vector<Setting<Owner>>& settings, const Owner& owner) {
  Json json = Json::object();
  for (const Setting<Owner>& setting : settings) {
    if (setting.key.empty() || (setting.is_written && !setting.is_written(owner))) continue;
    json.set(setting.key, setting.json(owner));
  }
  return json;
}

}  // namespace lathe
