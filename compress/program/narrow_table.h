#pragma once
// A narrower token table, and a linear layer that widens its rows.

#include <string>

#include "compress/source/source_model.h"
#include "runtime/session.h"
#include "runtime/threads.h"

namespace lathe {

/// Replaces the token table "x.weight" [n, width] by "x.narrow.weight" [n, rank] and the layer "x.widen.weight"
/// [width, rank] without a bias: the projection on the directions that hold the most energy, tokens weighted by how
/// often they occur in the samples and, since those hold few of them, by Zipf's law over the vocabulary. Returns the
/// share of the energy that is kept. Throws Error{bad_recipe} when the program has not one such table of its own, or
/// when the rank is not below its width.
double narrow_token_table(SourceModel& model, uint32_t rank, const TokenBatch& samples, ThreadPool& pool);

}  // namespace lathe
