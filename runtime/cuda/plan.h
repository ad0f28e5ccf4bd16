#pragma once
// A program turned into what the device does: steps in order, and a place in memory for every value.

#include <array>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "formats/artifact/program.h"
#include "runtime/cuda/weights.h"

namespace lathe::cuda {

inline constexpr size_t kRowKinds = 3;

struct GatherStep {
  WeightView table;
  Stream stream = Stream::tokens;
};

/// Rounds the input into the quantized rows; writes no value.
struct QuantizeStep {
  InputBits bits = InputBits::eight;
};

/// A linear layer and the activation after it. With an integer weight it reads the quantized rows. A second input of
/// the step is added to the result.
struct LinearStep {
  WeightView weight;
  const float* bias = nullptr;
  Activation activation = {};
  InputBits bits = InputBits::eight;
};

/// Layer norm of the first input, or of the sum of both where there are two.
struct LayerNormStep {
  const float* gamma = nullptr;
  const float* beta = nullptr;
  float epsilon = 0;
};

struct RmsNormStep {
  const float* gamma = nullptr;
  float epsilon = 0;
  uint32_t heads = 1;
};

struct ElementwiseStep {
  Combine combine = Combine::add;
  Activation activation = {};
};

struct NormalizeStep {
  float epsilon = 0;
};

struct RopeStep {
  const float* frequencies = nullptr;
  uint32_t pairs = 0;
  uint32_t heads = 1;
  RopePairs order = RopePairs::halves;
};

struct AttentionStep {
  uint32_t heads = 1;
  uint32_t kv_heads = 1;
  uint32_t head_width = 0;
  bool causal = false;
  uint32_t window = 0;
  size_t layer = 0;  // how many attentions come before
};

struct PoolStep {
  Pooling pooling = Pooling::mean;
};

using StepKind = std::variant<GatherStep, QuantizeStep, LinearStep, LayerNormStep, RmsNormStep, ElementwiseStep,
                              NormalizeStep, RopeStep, AttentionStep, PoolStep>;

struct Step {
  StepKind kind;
  std::array<uint32_t, 3> inputs = {kNone, kNone, kNone};  // values
  uint32_t output = kNone;                                 // a value
  RowKind rows = RowKind::tokens;                          // how many rows it works on
  std::optional<InputBits> rounds = {};                    // also rounds its output into the quantized rows
  /// A rope of queries, after which come that of the keys and the attention that alone reads both.
  bool leads_to_attention = false;
};

/// The memories that values lie in: one for each kind of rows, and one for values of tokens that come after all
/// attention and pooling, which is small where only the last token of each sequence is wanted.
inline constexpr size_t kMemories = kRowKinds + 1;
inline constexpr size_t kLateTokens = kRowKinds;
/// How many rows each memory has.
using MemoryRows = std::array<size_t, kMemories>;

struct ValuePlace {
  RowKind rows = RowKind::tokens;
  uint32_t width = 0;
  size_t memory = 0;
  size_t offset = 0;  // in floats for each row of the memory
};

struct Plan {
  std::vector<Step> steps;
  std::vector<ValuePlace> values;  // of each value of the program
  std::vector<uint32_t> inputs;    // the program's, as are the outputs
  std::vector<uint32_t> outputs;
  std::array<size_t, kMemories> row_width{};  // floats for each row of a memory
  std::vector<AttentionStep> attentions;      // in order
  size_t quantized_stride = 0;                // bytes of a quantized row
  bool wide = false;                          // some layer rounds its inputs to 16 bits
  size_t expanded_bytes = 0;                  // of the largest weight that is expanded for many rows
  size_t rowwise_from = 0;                    // from this step on no attention or pooling follows
  std::vector<uint32_t> values_across;        // values of tokens that are written before that step and needed after it
  bool late_outputs = false;                  // all outputs with a row for each token are written there
};

/// `program` is valid and every weight that it names is in `weights`. Throws Error{unsupported} for heads that are too
/// wide for the kernels.
Plan make_plan(const Program& program, const WeightStore& weights);

}  // namespace lathe::cuda
