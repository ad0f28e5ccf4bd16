#pragma once
// The structure of a program, found from the program alone: its blocks and its repeated layers.

#include <vector>

#include "formats/artifact/program.h"

namespace lathe {

/// Consecutive ops [first, last] that read one value of the rest and write one that the rest reads.
struct Block {
  size_t first = 0;
  size_t last = 0;
  uint32_t input = kNone;  // kNone for the block that reads the token streams
  uint32_t output = 0;
  bool operator==(const Block&) const = default;
};

/// Cuts the part of the program that works on tokens wherever a single value is alive, and joins what has no linear
/// weight to the block before it: for a transformer, the embeddings, then attention and feed-forward halves in turn.
std::vector<Block> find_blocks(const Program& program);

/// The longest run of layers that repeat the same kinds of ops with the same widths; each joins as many blocks as the
/// period has. Empty when nothing repeats.
std::vector<Block> find_layers(const Program& program);

}  // namespace lathe
