#pragma once
// Replaces a token table by a narrower one and a linear layer that widens its rows.

#include <string>

#include "compress/source/source_model.h"
#include "runtime/session.h"
#include "runtime/threads.h"

namespace lathe {

/// Replaces the token table "x.weight" [n, width] by "x.narrow.weight" [n, rank] and a linear layer "x.widen.weight"
/// [width, rank] without a bias. Together they project the table on the directions that hold the most energy. Tokens
/// are weighted by how often they occur in the samples and, because samples hold few of the tokens, by Zipf's law over
/// the vocabulary. Returns the share of the energy that is kept. Throws Error{bad_recipe} when the program does not
/// look up tokens in exactly one table that nothing else uses, or when the rank is not below its width.
double narrow_token_table(SourceModel& model, uint32_t rank, const TokenBatch& samples, ThreadPool& pool);

}  // namespace lathe
