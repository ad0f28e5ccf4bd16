#include "compress/source/architectures.h"

#include <algorithm>
#include <array>

namespace lathe {

// Each stands in its own file of architectures/.
namespace architectures_detail {
extern const Architecture kBert, kLlama, kMistral, kQwen2, kQwen3, kGpt2;
}

namespace {

using namespace architectures_detail;
const std::array<Architecture, 6> kArchitectures = {kBert, kLlama, kMistral, kQwen2, kQwen3, kGpt2};

struct ActivationName {
  std::string_view name;
  ActivationFunction activation;
};
constexpr std::array<ActivationName, 8> kActivationNames = {{{"gelu", ActivationFunction::gelu},
                                                             {"gelu_new", ActivationFunction::gelu_tanh},
                                                             {"gelu_pytorch_tanh", ActivationFunction::gelu_tanh},
                                                             {"gelu_fast", ActivationFunction::gelu_tanh},
                                                             {"relu", ActivationFunction::relu},
                                                             {"silu", ActivationFunction::silu},
                                                             {"swish", ActivationFunction::silu},
                                                             {"tanh", ActivationFunction::tanh}}};

}  // namespace

std::span<const Architecture> architectures() { return kArchitectures; }

const Architecture& detect_architecture(const ConfigFile& config) {
  const std::string type = config.model_type();
  std::vector<std::string_view> supported;
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.model_type == type) return architecture;
    supported.push_back(architecture.model_type);
  }
  config.fail_model_type(supported);
}

void require_tensor(const Checkpoint& checkpoint, const std::string& name, const Shape& shape) {
  const TensorView tensor = float_tensor(checkpoint, name);
  if (tensor.shape != shape) {
    fail(Errc::malformed, message(checkpoint.where(name), ": tensor ", name, " has shape ", shape_text(tensor.shape),
                                  ", the config asks for ", shape_text(shape)));
  }
}

ActivationFunction read_activation(const ConfigFile& config, ConfigFile::Names names) {
  const std::string wanted = config.text(names);
  for (const ActivationName& row : kActivationNames) {
    if (row.name == wanted) return row.activation;
  }
  config.fail_field(Errc::unsupported, *names.begin(),
                    "expected gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu, silu, swish or tanh");
}

}  // namespace lathe
