#pragma once
// The op table: one row for each kind of op with its name, how many inputs and weights it takes, the fields of a file
// that hold its attributes, and the rule for its shapes. A kind without a row does not compile.

#include <string>

#include "formats/artifact/program.h"

namespace lathe {

const char* op_name(const Attributes& attributes);

struct OpArity {
  uint32_t inputs;
  uint32_t min_weights;
  uint32_t max_weights;  // weights from min_weights on may be kNone
};
OpArity op_arity(const Attributes& attributes);

/// The attributes that an op of the kind with that number (below kOpKinds) has where nothing else is said.
const Attributes& default_attributes(size_t kind);

/// The fields in which a file holds the attributes of an op. A kind lists its fields once, by handing a reference to
/// each of them to this interface; a writer copies from the references, a reader sets them.
class AttributeFields {
 public:
  virtual ~AttributeFields() = default;
  /// The number of an enumeration, which goes from 0 to `last`.
  virtual void mode(uint32_t& number, uint32_t last) = 0;
  virtual void heads(uint32_t& heads) = 0;
  virtual void epsilon(float& epsilon) = 0;
  /// A field after the ones that every op has.
  virtual void extra(const char* name, uint32_t& number) = 0;
};
void visit_fields(AttributeFields& fields, Attributes& attributes);

/// An op within its program, for the rule of its shapes. Arity and indices have been checked.
struct OpContext {
  const Program& program;
  const Op& op;
  const ShapeOf& shape_of;
  const std::string& where;  // names file and op in errors
};
/// Checks the attributes, the shapes of weights, and rows and shapes of inputs and output. Throws Error{malformed}.
void check_shapes(const OpContext& context);

}  // namespace lathe
