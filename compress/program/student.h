#pragma once
// Smaller students: fewer layers, heads, neurons or embedding columns, with weights taken from the teacher.

#include "compress/job/progress.h"
#include "compress/program/matched_value.h"
#include "compress/source/source_model.h"
#include "compress/training/training_recipe.h"
#include "runtime/session.h"

namespace lathe {

/// A student shares the teacher's checkpoint, tokenizer and task; the weights that differ are in `derived`.
struct Student {
  SourceModel model;
  std::vector<MatchedValue> matched;  // where the student's hidden states should agree with the teacher's
  std::vector<std::string> notes;     // what was chosen, in sentences
};

/// Layers are dropped first, then heads and neurons are removed (those that the others can replace best, judged on the
/// samples, and the layer behind them solved anew by least squares), then the token table is factored. Throws
/// Error{bad_recipe} when the program has not that many, or no such structure.
Student make_student(const SourceModel& teacher, const StudentSpec& spec, const TokenBatch& samples, Progress& progress,
                     size_t threads);

/// The matched values of a model with the teacher's own program: outputs of its blocks.
std::vector<MatchedValue> match_all(const Program& program);

}  // namespace lathe
