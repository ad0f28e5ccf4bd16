#pragma once
// What a model computes for token sequences.

#include <vector>

#include "runtime/session.h"

namespace lathe::test {

/// The one output of a program: a row for each token, or for each sequence where the program or the options say so.
inline std::vector<float> model_outputs(const Model& model, const TokenBatch& batch, const RunOptions& options = {},
                                        size_t threads = 1) {
  const Value& output = model.program().values[model.program().outputs.at(0)];
  const bool each_token = output.rows == RowKind::tokens && !options.last_only;
  std::vector<float> values((each_token ? batch.tokens() : batch.sequences()) * output.shape.size());
  float* const places[] = {values.data()};
  Session(model, threads).run(batch, {}, places, options);
  return values;
}

/// Sequences as a batch.
inline TokenBatch batch_of(const std::vector<std::vector<int32_t>>& sequences) {
  TokenBatch batch;
  for (const auto& sequence : sequences) batch.add(sequence);
  return batch;
}

}  // namespace lathe::test
