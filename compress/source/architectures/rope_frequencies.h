#pragma once
// The frequencies of rotary position embeddings (Su et al., 2021) that a config asks for.

#include <vector>

#include "formats/huggingface/hf_config.h"

namespace lathe::architectures_detail {

struct RopeConfig {
  double theta = 0;
  std::vector<float> frequencies;  // radians a token, one for each pair
};

/// rope_theta with rope_scaling, or rope_parameters, of kind default, linear or llama3; partial_rotary_factor leaves
/// the end of each head as it is. Computed in f32 as transformers does. Throws Error{unsupported} naming another kind.
RopeConfig read_rope(const ConfigFile& config, uint64_t head_width);

}  // namespace lathe::architectures_detail
