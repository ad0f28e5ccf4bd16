#pragma once
// A program turned into what the executor does: segments of steps, and a place in memory for every value.
//
// Everything but attention and pooling works on one row at a time. So the plan cuts the program at those two into
// segments, and the executor runs a whole segment over one block of rows before it takes the next block: the values
// in between stay in the cache of one core, and threads meet once a segment.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "formats/artifact/program.h"
#include "runtime/cpu/weights.h"

namespace lathe {

/// Rows that a segment takes at a time: 64 rows of the widest layers fit a core's second-level cache.
inline constexpr size_t kBlockRows = 64;

enum class Home : uint8_t {
  workspace,  // crosses segments: [rows of the chunk, width]
  block,      // lives inside one segment: [kBlockRows, width], private to a worker
  input,      // given by the caller
  output,     // wanted by the caller
};

struct Place {
  Home home = Home::workspace;
  size_t column = 0;  // workspace, block: offset in floats per row; input, output: index
  RowKind rows = RowKind::tokens;
  uint32_t width = 0;
};

enum class StepKind : uint8_t {
  gather,
  quantize,
  linear,
  add_layer_norm,
  activate,
  add,
  normalize,
  rms_norm,
  multiply,
  rope
};

struct Step {
  StepKind kind = StepKind::add;
  uint32_t a = kNone;  // values read
  uint32_t b = kNone;
  uint32_t output = kNone;  // value written; none for quantize, which fills the block's one quantized slot
  const LinearWeight* linear = nullptr;
  const TableWeight* table = nullptr;
  const float* gamma = nullptr;
  const float* beta = nullptr;
  float epsilon = 0;
  Stream stream = Stream::tokens;
  kernels::Epilogue epilogue = kernels::Epilogue::none;
  bool wide = false;        // quantize, linear: inputs of 16 bits, as two rows of 8
  uint32_t heads = 1;       // rms_norm, rope
  size_t turns = 0;         // rope: which of Plan::turns
  bool neighbours = false;  // rope
};

enum class SegmentKind : uint8_t { rows, attention, pool };

struct Segment {
  SegmentKind kind = SegmentKind::rows;
  RowKind rows = RowKind::tokens;
  std::vector<Step> steps;  // rows only
  Op op;                    // attention and pool only
  size_t layer = 0;         // attention: how many of them come before
};

/// Cosines and sines of position * frequency, computed once for the tokens of a chunk and used by every rope.
struct Turns {
  const std::vector<float>* frequencies = nullptr;
  size_t column = 0;  // offset in floats per token: 2 * frequencies
};

/// Loaded weights by name. Node-based, so that steps may point into it.
struct WeightStore {
  PackedMemory memory;
  std::map<std::string, LinearWeight> linear;  // by linear_key(): a packed weight includes its bias
  std::map<std::string, TableWeight> tables;
  std::map<std::string, std::vector<float>> vectors;
};

struct Plan {
  std::vector<Segment> segments;
  std::vector<Place> places;    // of each value of the program
  size_t token_columns = 0;     // floats for each token of a chunk
  size_t sequence_columns = 0;  // floats for each sequence of a chunk
  size_t block_columns = 0;     // floats for each row of a block
  size_t quantized_stride = 0;  // bytes for each row of the quantized slot
  size_t pair_width = 0;        // most outputs of a linear layer with wide inputs
  size_t scratch_bytes = 0;     // for the linear kernels
  size_t table_width = 0;       // widest table row
  uint32_t head_width = 0;      // widest attention head
  std::vector<Turns> turns;
  size_t turn_columns = 0;  // floats for each token
  size_t tail = 0;          // segments from here on work on single rows: no attention or pool follows
  bool causal = false;      // there is attention, and all of it is causal
};

/// Names the pair of weight and bias of a linear op.
std::string linear_key(const Program& program, const Op& op);

/// `program` is valid and every weight it names is in `weights`. Pointers in the plan are into `weights`.
Plan make_plan(const Program& program, const WeightStore& weights);

}  // namespace lathe
