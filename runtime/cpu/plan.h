#pragma once
// A program turned into what the CPU does: segments of steps, and a place in memory for every value.
//
// All ops but attention and pooling work on one row at a time. So the plan cuts the program at those two into segments,
// and a whole segment runs over one block of rows before it takes the next block: the values in between stay in the
// cache of one core, and threads meet once for each segment.

#include <array>
#include <cstdint>
#include <variant>
#include <vector>

#include "formats/artifact/program.h"
#include "runtime/cpu/step.h"
#include "runtime/cpu/weight_store.h"

namespace lathe::cpu {

/// Rows that a segment takes at a time: 64 rows of the widest layers fit a core's second-level cache.
inline constexpr size_t kBlockRows = 64;
inline constexpr size_t kRowKinds = 3;

/// The memory that holds a value.
enum class Storage : uint8_t {
  workspace,  // of the chunk: [rows of the chunk, width], for values that more than one segment touches
  block,      // of a worker: [kBlockRows, width], for values that live inside one segment
  input,      // of the caller, who provides the value
  output,     // of the caller, who gets the value
};

struct ValueLocation {
  Storage storage = Storage::workspace;
  size_t offset = 0;  // workspace and block: in floats for each row; input and output: index among the program's
  RowKind rows = RowKind::tokens;
  uint32_t width = 0;
};

/// Steps that run over one block of rows after the other.
struct RowSegment {
  std::vector<Step> steps;
};

struct AttentionSegment {
  uint32_t query = kNone, key = kNone, value = kNone, output = kNone;
  size_t heads = 1;
  size_t kv_heads = 1;
  bool causal = false;
  size_t window = 0;  // causal only: how many tokens a token sees at most; 0 means no limit
  size_t layer = 0;   // how many attentions come before
};

struct PoolSegment {
  uint32_t input = kNone, output = kNone;
  Pooling pooling = Pooling::mean;
};

struct Segment {
  RowKind rows = RowKind::tokens;  // of what it writes
  std::variant<RowSegment, AttentionSegment, PoolSegment> work;
};

/// Cosines and sines of position * frequency, computed once for the tokens of a chunk and used by every rope that has
/// these frequencies.
struct Rotation {
  const std::vector<float>* frequencies = nullptr;
  size_t offset = 0;  // in floats for each token; a token has 2 * frequencies of them
};

struct Plan {
  std::vector<Segment> segments;
  std::vector<ValueLocation> values;                // of each value of the program
  std::array<size_t, kRowKinds> workspace_width{};  // floats for each token, sequence and sample of a chunk
  size_t block_width = 0;                           // floats for each row of a block
  size_t quantized_stride = 0;                      // bytes for each quantized row of a block
  size_t wide_outputs = 0;                          // most outputs of a linear layer with inputs of 16 bits
  size_t scratch_bytes = 0;                         // for the linear kernels
  size_t table_width = 0;                           // numbers in the widest table row
  size_t head_width = 0;                            // numbers in the widest attention head
  std::vector<Rotation> rotations;
  size_t rotation_width = 0;  // floats for each token
  size_t rowwise_from = 0;    // from this segment on no attention or pooling follows, so that rows may be left out
  bool late_outputs = false;  // all outputs with a row for each token are written there
};

/// `program` is valid and every weight that it names is in `weights`. Pointers in the plan are into `weights`.
Plan make_plan(const Program& program, const WeightStore& weights);

/// Gives every value of the program its memory. Called by make_plan when all segments are there.
void place_values(const Program& program, Plan& plan);

}  // namespace lathe::cpu
