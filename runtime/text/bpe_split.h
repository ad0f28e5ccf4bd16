#pragma once
// Cuts text into the pieces inside which byte-level BPE merges: what these regular expressions find, by hand-written
// scanners in linear time (docs/artifact-format.md has the expressions).

#include <string_view>
#include <vector>

#include "formats/artifact/tokenizer/tokenizer_spec.h"

namespace lathe::text {

/// Appends the pieces of `text`, valid UTF-8, in order; together they are the text. None is empty.
void split_for_bpe(BpeSplit split, std::string_view text, std::vector<std::string_view>& pieces);

}  // namespace lathe::text
