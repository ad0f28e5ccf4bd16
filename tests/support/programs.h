#pragma once
// Small programs for the tests of the program's rules and of its section in a file.

#include "formats/artifact/program.h"

namespace lathe::test {

/// table -> words -> hidden -> norm -> attended -> pooled: one op of each kind that an encoder cannot do without.
inline Program encoder_program() {
  Program p;
  p.weights = {"table", "w", "b", "gamma", "beta"};
  p.add_value("words", RowKind::tokens, 8);
  p.add_value("hidden", RowKind::tokens, 4);
  p.add_value("norm", RowKind::tokens, 4);
  p.add_value("attended", RowKind::tokens, 4);
  p.add_value("pooled", RowKind::sequences, 4);
  p.ops.push_back({ops::Embedding{}, {}, {0}, 0});
  p.ops.push_back({ops::Linear{}, {0}, {1, 2}, 1});
  p.ops.push_back({ops::LayerNorm{1e-5f}, {1}, {3, 4}, 2});
  p.ops.push_back({ops::Attention{AttentionMask::full, 2, 2, 0}, {2, 2, 2}, {}, 3});
  p.ops.push_back({ops::Pool{}, {3}, {}, 4});
  p.outputs = {4};
  return p;
}

inline Shape shape_in_encoder(const std::string& weight) {
  if (weight == "table") return {10, 8};
  if (weight == "w") return {4, 8};
  return {4};
}

}  // namespace lathe::test
