#pragma once
// The kinds of ops that a program is made of, each a small struct that holds its attributes. The op table
// (formats/artifact/op_table.cpp) has one row for each of them.

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "formats/artifact/named_values.h"

namespace lathe {

// The numbers of these enumerations are in files: they never change, and new ones are added at the end.
enum class Stream : uint32_t { tokens = 0, positions = 1, segments = 2 };
/// How many bits the inputs of a linear op with integer weights are rounded to, token by token.
enum class InputBits : uint32_t { eight = 0, sixteen = 1 };
/// Which tokens of its sequence a token sees: all of them, or itself and those before it.
enum class AttentionMask : uint32_t { full = 0, causal = 1 };
enum class ActivationFunction : uint32_t { gelu = 0, gelu_tanh = 1, relu = 2, silu = 3, tanh = 4 };
enum class Pooling : uint32_t { mean = 0, first = 1, max = 2 };
/// Which elements i < n of a head make a pair, with n pairs: (i, i + n), or (2 i, 2 i + 1).
enum class RopePairs : uint32_t { halves = 0, neighbours = 1 };

inline constexpr NamedValues<ActivationFunction, 5> kActivations = {{{ActivationFunction::gelu, "gelu"},
                                                                     {ActivationFunction::gelu_tanh, "gelu_tanh"},
                                                                     {ActivationFunction::relu, "relu"},
                                                                     {ActivationFunction::silu, "silu"},
                                                                     {ActivationFunction::tanh, "tanh"}}};
inline constexpr NamedValues<Pooling, 3> kPoolings = {
    {{Pooling::mean, "mean"}, {Pooling::first, "first"}, {Pooling::max, "max"}}};

namespace ops {

/// The row of the table that each token's number in `stream` names. Weights: table [n, width].
struct Embedding {
  Stream stream = Stream::tokens;
  bool operator==(const Embedding&) const = default;
};

/// x W^T + b, with the numbers of a row in their order as x. Weights: W [outputs, inputs], then b [outputs] or kNone.
struct Linear {
  InputBits input_bits = InputBits::eight;
  bool operator==(const Linear&) const = default;
};

/// (x - mean) / sqrt(variance + epsilon) * gamma + beta. Weights: gamma [width], beta [width].
struct LayerNorm {
  float epsilon = 0;
  bool operator==(const LayerNorm&) const = default;
};

/// softmax(q k^T / sqrt(head width)) v within each sequence. Inputs: q, k, v. Head h of q reads head
/// h / (heads / kv_heads) of k and v.
struct Attention {
  AttentionMask mask = AttentionMask::full;
  uint32_t heads = 0;
  uint32_t kv_heads = 0;  // with a full mask as many as heads
  uint32_t window = 0;    // causal mask only: how many tokens a token sees at most, itself included; 0: no limit
  bool operator==(const Attention&) const = default;
};

/// The function of each element.
struct Activation {
  ActivationFunction function = ActivationFunction::gelu;
  bool operator==(const Activation&) const = default;
};

/// inputs[0] + inputs[1], element by element.
struct Add {
  bool operator==(const Add&) const = default;
};

/// One row for each sequence from the rows of its tokens.
struct Pool {
  Pooling pooling = Pooling::mean;
  bool operator==(const Pool&) const = default;
};

/// x / max(|x|_2, epsilon).
struct Normalize {
  float epsilon = 0;
  bool operator==(const Normalize&) const = default;
};

/// x / sqrt(mean(x^2) + epsilon) * gamma for each of `heads` equal parts of the row; 0 heads mean the whole row.
/// Weights: gamma [width of a part].
struct RmsNorm {
  float epsilon = 0;
  uint32_t heads = 0;
  bool operator==(const RmsNorm&) const = default;
};

/// inputs[0] * inputs[1], element by element.
struct Multiply {
  bool operator==(const Multiply&) const = default;
};

/// Each pair of each head turned by position * frequency; the elements of a head that are in no pair stay as they are.
/// Weights: frequencies [pairs], in radians a token.
struct Rope {
  RopePairs pairs = RopePairs::halves;
  uint32_t heads = 0;
  bool operator==(const Rope&) const = default;
};

}  // namespace ops

/// The kind of an op and its attributes. The index of an alternative is the number of the kind in files: the order
/// never changes, and new kinds are added at the end.
using Attributes = std::variant<ops::Embedding, ops::Linear, ops::LayerNorm, ops::Attention, ops::Activation, ops::Add,
                                ops::Pool, ops::Normalize, ops::RmsNorm, ops::Multiply, ops::Rope>;
inline constexpr size_t kOpKinds = std::variant_size_v<Attributes>;

inline constexpr uint32_t kNone = 0xffffffffu;  // an absent weight

struct Op {
  Attributes attributes;
  std::vector<uint32_t> inputs;   // indices into Program::values
  std::vector<uint32_t> weights;  // indices into Program::weights, or kNone
  uint32_t output = 0;            // index into Program::values, written by this op alone

  template <class Kind>
  bool is() const {
    return std::holds_alternative<Kind>(attributes);
  }
  /// The attributes of that kind, or null for an op of another kind.
  template <class Kind>
  const Kind* as() const {
    return std::get_if<Kind>(&attributes);
  }
  template <class Kind>
  Kind* as() {
    return std::get_if<Kind>(&attributes);
  }
  bool has_weight(size_t slot) const { return slot < weights.size() && weights[slot] != kNone; }

  bool operator==(const Op&) const = default;
};

}  // namespace lathe
