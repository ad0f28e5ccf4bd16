#pragma once
// A model as a straight line of operations over named values. An architecture is the one place that knows a model's
// name; everything after it sees only this.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "formats/artifact/bytes.h"
#include "formats/artifact/tensor.h"

namespace lathe {

// The numbers of these enumerations are in files: they never change, they only grow.
enum class OpKind : uint16_t {
  embedding = 0,   // rows of weights[0] picked by a stream                       weights: table [n, width]
  linear = 1,      // x W^T + b                                                   weights: W [out, in], b [out] or none
  layer_norm = 2,  // (x - mean) / sqrt(var + epsilon) * gamma + beta             weights: gamma, beta
  attention = 3,   // softmax(q k^T / sqrt(head width)) v within each sequence    inputs: q, k, v
                   // Head h of q reads head h / (heads / kv_heads) of k and v.
  activation = 4,  // element by element
  add = 5,         // inputs[0] + inputs[1]
  pool = 6,        // one row for each sequence
  normalize = 7,   // x / max(|x|_2, epsilon)
  rms_norm = 8,    // x / sqrt(mean(x^2) + epsilon) * gamma, of each of the op's heads for itself
                   // (heads 0: of the whole row)                                weights: gamma [width of a head]
  multiply = 9,    // inputs[0] * inputs[1], element by element
  rope = 10,       // each pair of each head turned by position * frequency      weights: frequencies [pairs]
                   // (radians a token); what lies beyond the pairs stays
};
inline constexpr size_t kOpKinds = 11;

enum class Stream : uint32_t { tokens = 0, positions = 1, segments = 2 };
enum class Activation : uint32_t { gelu = 0, gelu_tanh = 1, relu = 2, silu = 3, tanh = 4 };
enum class Pooling : uint32_t { mean = 0, first = 1, max = 2 };
/// causal: a token sees itself and those before it, the last `window` of them where that is not 0.
enum class Attention : uint32_t { full = 0, causal = 1 };
/// Which elements i < n make a pair, with n pairs: (i, i + n), or (2 i, 2 i + 1).
enum class RopePairs : uint32_t { halves = 0, neighbours = 1 };
enum class RowKind : uint8_t { tokens = 0, sequences = 1 };

inline constexpr uint32_t kNone = 0xffffffffu;  // an absent weight

/// A matrix of f32 that the program computes or is given: one row for each token or each sequence of the batch.
struct Value {
  std::string name;
  RowKind rows = RowKind::tokens;
  uint32_t width = 0;

  bool operator==(const Value&) const = default;
};

/// What a linear op with integer weights rounds its inputs to, token by token.
enum class InputBits : uint32_t { eight = 0, sixteen = 1 };

/// `mode` is the Stream, InputBits, Activation, Pooling, Attention or RopePairs of the kinds that have one.
struct Op {
  OpKind kind = OpKind::add;
  std::vector<uint32_t> inputs;   // indices into Program::values
  std::vector<uint32_t> weights;  // indices into Program::weights, or kNone
  uint32_t output = 0;            // index into Program::values, written by this op alone
  uint32_t mode = 0;
  uint32_t heads = 0;
  float epsilon = 0;
  uint32_t kv_heads = 0;  // causal attention only; otherwise 0, which means as many as heads
  uint32_t window = 0;    // causal attention only

  bool operator==(const Op&) const = default;
};

struct Program {
  std::vector<std::string> weights;  // names; the tensors stand in the artifact's directory
  std::vector<Value> values;
  std::vector<Op> ops;
  std::vector<uint32_t> inputs;   // values that the caller provides (empty for a whole model: it reads token ids)
  std::vector<uint32_t> outputs;  // values that the caller gets

  bool operator==(const Program&) const = default;

  uint32_t add_weight(std::string name);
  uint32_t add_value(std::string name, RowKind rows, uint32_t width);
};

struct OpTraits {
  OpKind kind;
  const char* name;
  uint32_t inputs;
  uint32_t min_weights;
  uint32_t max_weights;
  uint32_t modes;  // how many values `mode` may take
};
const OpTraits& op_traits(OpKind kind);
const char* activation_name(Activation activation);
const char* pooling_name(Pooling pooling);

/// The shape of the weight of that name; throws when there is none.
using ShapeOf = std::function<Shape(const std::string& weight)>;

/// Checks that every index is in range, each value is written once and before it is read, and all widths agree with
/// the weights. Throws Error{malformed} naming `where`, the op, the field and the bound.
void validate(const Program& program, const ShapeOf& shape_of, const std::string& where);

std::vector<std::byte> encode_program(const Program& program);
/// Structure only; validate() still has to be called. Throws Error{malformed} naming file and field.
Program decode_program(Bytes section, const std::string& file);

/// A part of a program, with values and weights renumbered.
struct ProgramSlice {
  Program program;
  std::vector<uint32_t> inputs;  // which of the given values it reads, by their ids in the whole program
};
/// The ops that compute the values `wanted` from the values `given` and the token streams, in order. A value may not
/// be both. Throws Error{internal} when an op that is needed is missing.
ProgramSlice slice(const Program& program, const std::vector<uint32_t>& given, const std::vector<uint32_t>& wanted);

}  // namespace lathe
