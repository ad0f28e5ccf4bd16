#pragma once
// The structure of a program, found from the program alone: its blocks and its repeated layers.

#include <vector>

#include "formats/artifact/program.h"

namespace lathe {

/// Consecutive ops [first, last]. They read one value from outside the block and write one that is read outside it.
struct Block {
  size_t first = 0;
  size_t last = 0;
  uint32_t input = kNone;  // kNone for the block that reads the inputs of the program
  uint32_t output = 0;
  bool operator==(const Block&) const = default;
};

/// Cuts the part of the program that works on tokens wherever a single value is alive. A piece without a linear op
/// belongs to the block before it. For a transformer the blocks are the embeddings, then the attention and the
/// feed-forward half of each layer.
std::vector<Block> find_blocks(const Program& program);

/// The longest sequence of layers that repeat the same kinds of ops with the same widths, each of them as one block.
/// Empty when nothing repeats.
std::vector<Block> find_layers(const Program& program);

}  // namespace lathe
