#pragma once
// Makes students: models with fewer layers, heads, neurons or embedding columns, whose weights come from the teacher.

#include "compress/job/progress.h"
#include "compress/program/matched_value.h"
#include "compress/program/student_spec.h"
#include "compress/source/source_model.h"
#include "runtime/session.h"

namespace lathe {

/// A student shares the teacher's checkpoint, tokenizer and task; the weights that differ are in `derived`.
struct Student {
  SourceModel model;
  std::vector<MatchedValue> matched;  // where the student's hidden states should agree with the teacher's
  std::vector<std::string> notes;     // what was chosen, in sentences
};

/// Drops layers first, then removes heads and neurons, then factors the token table. The heads and neurons that go are
/// those that the others can replace best on the samples, and the layer after them is solved anew by least squares.
/// Throws Error{bad_recipe} when the program has no such structure or fewer of it than the recipe keeps.
Student make_student(const SourceModel& teacher, const StudentSpec& spec, const TokenBatch& samples, Progress& progress,
                     size_t threads);

/// The values to match where student and teacher have the same program: the outputs of its blocks.
std::vector<MatchedValue> match_all(const Program& program);

}  // namespace lathe
