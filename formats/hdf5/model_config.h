#pragma once
// The description of a model that Keras stores beside its weights.

#include <string>
#include <string_view>

namespace lathe {

/// Looks at the JSON text, which is never evaluated. Throws Error{unsupported} naming `what` when a layer is code
/// (class Lambda). Returns a sentence when the text is not strict JSON, which does not concern the weights, else
/// nothing.
std::string check_keras_config(std::string_view text, const std::string& what);

}  // namespace lathe
