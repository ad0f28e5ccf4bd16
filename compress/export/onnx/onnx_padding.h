#pragma once
// What the inputs of an exported graph say of its tokens: where they stand, and which of them are padding.

#include <functional>
#include <string>

#include "compress/export/onnx/onnx_graph.h"
#include "formats/artifact/ops.h"

namespace lathe {

/// Declares the inputs and adds, once each and when they are asked for, the values that follow from them. `graph`
/// outlives it.
class OnnxPadding {
 public:
  /// With `has_segments` there is an input token_type_ids.
  OnnxPadding(OnnxGraph& graph, bool has_segments);

  /// The ids [batch, sequence] that an embedding looks up.
  std::string ids(Stream stream);
  /// 1 for a token and 0 for padding, as f32: [batch, sequence, 1].
  const std::string& column();
  /// The same as booleans.
  const std::string& is_token();
  /// How many tokens each text has, as f32: [batch, 1].
  const std::string& lengths();
  /// What is added to the scores of attention: 0 for a token, the lowest number for padding. [batch, 1, 1, sequence].
  const std::string& bias();

 private:
  const std::string& once(std::string& name, const std::function<std::string()>& make);
  const std::string& numbers();
  std::string positions();

  OnnxGraph& graph_;
  std::string numbers_, column_, is_token_, lengths_, bias_, positions_;
};

}  // namespace lathe
