#include "compress/source/architectures/rope_frequencies.h"

#include <cmath>
#include <numbers>

#include "formats/text.h"

namespace lathe::architectures_detail {
namespace {

constexpr double kMaxTheta = 1e12;
constexpr double kMaxFactor = 1e6;
constexpr uint64_t kMaxContext = uint64_t{1} << 24;

using Frequencies = std::vector<float>;

void keep(const ConfigFile&, Frequencies&) {}

double factor_of(const ConfigFile& config) {
  return config.number({"rope_scaling.factor", "rope_parameters.factor"}, 1e-3, kMaxFactor);
}

void scale_linearly(const ConfigFile& config, Frequencies& frequencies) {
  const auto factor = static_cast<float>(factor_of(config));
  for (float& frequency : frequencies) frequency /= factor;
}

// Long waves are stretched by the factor, short ones kept, and between the two bounds there is a ramp.
void scale_as_llama3(const ConfigFile& config, Frequencies& frequencies) {
  const auto factor = static_cast<float>(factor_of(config));
  const double low =
      config.number({"rope_scaling.low_freq_factor", "rope_parameters.low_freq_factor"}, 1e-3, kMaxFactor);
  const double high =
      config.number({"rope_scaling.high_freq_factor", "rope_parameters.high_freq_factor"}, 1e-3, kMaxFactor);
  const auto context = static_cast<double>(config.integer(
      {"rope_scaling.original_max_position_embeddings", "rope_parameters.original_max_position_embeddings"}, 1,
      kMaxContext));
  if (high <= low) {
    config.fail_field(Errc::malformed,
                      config.has({"rope_scaling.high_freq_factor"}) ? "rope_scaling.high_freq_factor"
                                                                    : "rope_parameters.high_freq_factor",
                      message("must be above low_freq_factor ", low));
  }
  for (float& frequency : frequencies) {
    const float wave = static_cast<float>(2 * std::numbers::pi) / frequency;
    if (wave < static_cast<float>(context / high)) continue;
    if (wave > static_cast<float>(context / low)) {
      frequency /= factor;
      continue;
    }
    const float smooth =
        (static_cast<float>(context) / wave - static_cast<float>(low)) / static_cast<float>(high - low);
    frequency = (1 - smooth) * frequency / factor + smooth * frequency;
  }
}

struct Scaling {
  std::string_view name;
  void (*apply)(const ConfigFile&, Frequencies&);
};
constexpr Scaling kScalings[] = {{"default", keep}, {"linear", scale_linearly}, {"llama3", scale_as_llama3}};

void apply_scaling(const ConfigFile& config, Frequencies& frequencies) {
  const std::string type = config.text(
      {"rope_scaling.rope_type", "rope_scaling.type", "rope_parameters.rope_type", "rope_parameters.type"}, "default");
  for (const Scaling& scaling : kScalings) {
    if (scaling.name == type) return scaling.apply(config, frequencies);
  }
  fail(Errc::unsupported, message(config.path(), ": rope_type is \"", printable(type, 40),
                                  "\", supported are default, linear and llama3"));
}

}  // namespace

RopeConfig read_rope(const ConfigFile& config, uint64_t head_width) {
  RopeConfig rope;
  rope.theta = config.number({"rope_theta", "rope_parameters.rope_theta"}, 1, kMaxTheta, 10000);
  const double share = config.number({"partial_rotary_factor", "rope_parameters.partial_rotary_factor"}, 0, 1, 1);
  const auto turned = static_cast<uint64_t>(static_cast<double>(head_width) * share);
  if (turned < 2 || turned % 2 != 0) {
    fail(Errc::malformed, message(config.path(), ": rope turns ", turned, " of the ", head_width,
                                  " numbers of a head, which are not pairs"));
  }
  const auto base = static_cast<float>(rope.theta);
  for (uint64_t i = 0; i < turned; i += 2) {
    rope.frequencies.push_back(1.0f / std::pow(base, static_cast<float>(i) / static_cast<float>(turned)));
  }
  apply_scaling(config, rope.frequencies);
  return rope;
}

}  // namespace lathe::architectures_detail
