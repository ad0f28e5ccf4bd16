#include "compress/facts/weight_facts.h"

#include <array>
#include <limits>
#include <string_view>
#include <variant>

#include "formats/artifact/error.h"

namespace lathe {
namespace {

// One member of WeightFacts in JSON.
struct WeightField {
  std::string_view name;  // the key
  std::variant<std::string WeightFacts::*, uint64_t WeightFacts::*, double WeightFacts::*,
               std::optional<double> WeightFacts::*, std::vector<uint64_t> WeightFacts::*,
               std::vector<std::string> WeightFacts::*>
      member;
  // Whether the results section of an artifact holds it. The other members follow from the stored tensors.
  bool in_results = false;
};

constexpr bool kInResults = true;
constexpr std::array<WeightField, 11> kFields = {{{"name", &WeightFacts::name, kInResults},
                                                  {"shape", &WeightFacts::shape},
                                                  {"role", &WeightFacts::role},
                                                  {"encoding", &WeightFacts::encoding},
                                                  {"bytes", &WeightFacts::bytes},
                                                  {"sparsity", &WeightFacts::sparsity},
                                                  {"bits_per_weight", &WeightFacts::bits_per_weight},
                                                  {"method", &WeightFacts::method, kInResults},
                                                  {"loss", &WeightFacts::loss, kInResults},
                                                  {"loss_uncorrected", &WeightFacts::loss_uncorrected, kInResults},
                                                  {"fallbacks", &WeightFacts::fallbacks, kInResults}}};

template <typename Value>
Json to_json(const Value& value) {
  return Json(value);
}
Json to_json(const std::optional<double>& value) { return value ? Json(*value) : Json(); }
template <typename Element>
Json to_json(const std::vector<Element>& values) {
  Json array = Json::array();
  for (const Element& value : values) array.push(value);
  return array;
}

void read(const Json& json, const std::string& what, std::string& out) { out = json.as_string(what); }
void read(const Json& json, const std::string& what, uint64_t& out) { out = json.as_u64(what); }
void read(const Json& json, const std::string& what, double& out) { out = json.as_f64(what); }
// JSON has no number that is not finite: it is written as null.
void read(const Json& json, const std::string& what, std::optional<double>& out) {
  out = json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.as_f64(what);
}
template <typename Element>
void read(const Json& json, const std::string& what, std::vector<Element>& out) {
  out.clear();
  for (const Json& item : json.items(what)) read(item, what, out.emplace_back());
}

template <typename Value>
bool is_unknown(const Value&) {
  return false;
}
bool is_unknown(const std::optional<double>& value) { return !value; }
bool is_unknown(const std::vector<std::string>& values) { return values.empty(); }

// Without what is unknown; of `only_results`, those fields alone.
Json known_json(const WeightFacts& facts, bool only_results) {
  Json json = Json::object();
  for (const WeightField& field : kFields) {
    if (only_results && !field.in_results) continue;
    std::visit(
        [&](auto member) {
          if (!is_unknown(facts.*member)) json.set(field.name, to_json(facts.*member));
        },
        field.member);
  }
  return json;
}

}  // namespace

Json weight_json(const WeightFacts& facts) {
  Json json = Json::object();
  for (const WeightField& field : kFields) {
    std::visit([&](auto member) { json.set(field.name, to_json(facts.*member)); }, field.member);
  }
  return json;
}

Json known_weight_json(const WeightFacts& facts) { return known_json(facts, false); }

Json weight_result_json(const WeightFacts& facts) { return known_json(facts, true); }

WeightFacts parse_weight(const Json& json, const std::string& where) {
  WeightFacts facts;
  for (const WeightField& field : kFields) {
    std::visit(
        [&](auto member) {
          if (is_unknown(facts.*member) && json.find(field.name) == nullptr) return;
          read(json.at(field.name, where), message(where, ": ", field.name), facts.*member);
        },
        field.member);
  }
  return facts;
}

void merge_weight_result(const Json& json, const std::string& where, WeightFacts& facts) {
  for (const WeightField& field : kFields) {
    const Json* value = field.in_results ? json.find(field.name) : nullptr;
    if (value == nullptr) continue;
    std::visit([&](auto member) { read(*value, message(where, ": ", field.name), facts.*member); }, field.member);
  }
}

}  // namespace lathe
