#include "formats/artifact/op_table.h"

#include <array>
#include <cmath>
#include <tuple>
#include <utility>

#include "formats/artifact/named_values.h"

namespace lathe {
namespace {

// ---- the fields of a file that hold the attributes ----

template <class Enumeration>
void mode_field(AttributeFields& fields, Enumeration& value, Enumeration last) {
  auto number = static_cast<uint32_t>(value);
  fields.mode(number, static_cast<uint32_t>(last));
  value = static_cast<Enumeration>(number);
}

void embedding_fields(AttributeFields& fields, ops::Embedding& op) { mode_field(fields, op.stream, Stream::segments); }
void linear_fields(AttributeFields& fields, ops::Linear& op) { mode_field(fields, op.input_bits, InputBits::sixteen); }
void layer_norm_fields(AttributeFields& fields, ops::LayerNorm& op) { fields.epsilon(op.epsilon); }
void activation_fields(AttributeFields& fields, ops::Activation& op) {
  mode_field(fields, op.function, ActivationFunction::tanh);
}
void pool_fields(AttributeFields& fields, ops::Pool& op) { mode_field(fields, op.pooling, Pooling::max); }
void normalize_fields(AttributeFields& fields, ops::Normalize& op) { fields.epsilon(op.epsilon); }
void rms_norm_fields(AttributeFields& fields, ops::RmsNorm& op) {
  fields.heads(op.heads);
  fields.epsilon(op.epsilon);
}
void rope_fields(AttributeFields& fields, ops::Rope& op) {
  mode_field(fields, op.pairs, RopePairs::neighbours);
  fields.heads(op.heads);
}
void attention_fields(AttributeFields& fields, ops::Attention& op) {
  mode_field(fields, op.mask, AttentionMask::causal);
  fields.heads(op.heads);
  if (op.mask == AttentionMask::causal) {
    fields.extra("kv_heads", op.kv_heads);
    fields.extra("window", op.window);
  } else {
    op.kv_heads = op.heads;
  }
}
template <class Kind>
void no_fields(AttributeFields&, Kind&) {}

// ---- the rules for shapes ----

void require(const OpContext& c, bool condition, const std::string& what) {
  if (!condition) fail(Errc::malformed, c.where + what);
}

const Value& input(const OpContext& c, size_t slot) { return c.program.values[c.op.inputs[slot]]; }
const Value& output(const OpContext& c) { return c.program.values[c.op.output]; }
const std::string& weight_name(const OpContext& c, size_t slot) { return c.program.weights[c.op.weights[slot]]; }

void require_weight(const OpContext& c, size_t slot, const Shape& expected) {
  if (!c.op.has_weight(slot)) return;
  const Shape shape = c.shape_of(weight_name(c, slot));
  require(
      c, shape == expected,
      message("weight ", weight_name(c, slot), " has shape ", shape_text(shape), ", expected ", shape_text(expected)));
}

void require_epsilon(const OpContext& c, float epsilon) {
  require(c, std::isfinite(epsilon) && epsilon >= 0,
          message("epsilon is ", epsilon, ", must be finite and not negative"));
}

void require_heads(const OpContext& c, uint32_t heads, uint32_t width) {
  require(c, heads > 0 && width % heads == 0, message("heads: ", heads, " does not divide the width ", width));
}

void require_one_dimension(const OpContext& c, const Value& value) {
  require(c, !value.shape.is_image(),
          message("value ", value.name, " is ", row_shape_text(value.shape), ", must have one dimension"));
}

void require_tokens(const OpContext& c, const Value& value) {
  require(c, value.rows == RowKind::tokens, message("value ", value.name, " must have one row for each token"));
}

void require_input_shape(const OpContext& c, size_t slot, const RowShape& expected) {
  const Value& value = input(c, slot);
  require(
      c, value.shape == expected,
      message("input ", value.name, " is ", row_shape_text(value.shape), " wide, must be ", row_shape_text(expected)));
}

// All inputs have the same rows, and so has the output.
void require_same_rows(const OpContext& c) {
  for (size_t slot = 1; slot < c.op.inputs.size(); ++slot) {
    require(c, input(c, slot).rows == input(c, 0).rows,
            message("input ", input(c, slot).name, " has other rows than the first"));
  }
  require(c, output(c).rows == input(c, 0).rows, message("output ", output(c).name, " has the wrong kind of rows"));
}

void require_output_shape(const OpContext& c) {
  require(c, output(c).shape == input(c, 0).shape,
          message("output width ", row_shape_text(output(c).shape), " differs from input width ",
                  row_shape_text(input(c, 0).shape)));
}

// Inputs and output have the same rows and the same shape.
void require_alike(const OpContext& c) {
  for (size_t slot = 1; slot < c.op.inputs.size(); ++slot) require_input_shape(c, slot, input(c, 0).shape);
  require_output_shape(c);
  require_same_rows(c);
}

// The same for an op that works on rows of one dimension; returns their width.
uint32_t require_alike_rows(const OpContext& c) {
  require_alike(c);
  require_one_dimension(c, input(c, 0));
  return input(c, 0).shape.width;
}

template <class Kind>
void check_elementwise(const OpContext& c, const Kind&) {
  require_alike(c);
}

void check_embedding(const OpContext& c, const ops::Embedding&) {
  const Value& out = output(c);
  require_one_dimension(c, out);
  require_tokens(c, out);
  const Shape shape = c.shape_of(weight_name(c, 0));
  require(c, shape.size() == 2 && shape[1] == out.shape.width,
          message("table ", weight_name(c, 0), " has shape ", shape_text(shape), ", its rows must be ", out.shape.width,
                  " wide"));
}

void check_linear(const OpContext& c, const ops::Linear&) {
  require_one_dimension(c, output(c));
  require_weight(c, 0, {output(c).shape.width, input(c, 0).shape.size()});
  require_weight(c, 1, {output(c).shape.width});
  require_same_rows(c);
}

void check_layer_norm(const OpContext& c, const ops::LayerNorm& op) {
  const uint32_t width = require_alike_rows(c);
  require_epsilon(c, op.epsilon);
  require_weight(c, 0, {width});
  require_weight(c, 1, {width});
}

void check_attention(const OpContext& c, const ops::Attention& op) {
  for (size_t slot = 0; slot < 3; ++slot) require_one_dimension(c, input(c, slot));
  require_output_shape(c);
  const uint32_t width = input(c, 0).shape.width;
  require_heads(c, op.heads, width);
  const bool causal = op.mask == AttentionMask::causal;
  require(c, causal || (op.kv_heads == op.heads && op.window == 0),
          message("has ", op.kv_heads, " kv_heads and a window of ", op.window,
                  " tokens; full attention has as many kv_heads as heads and no window"));
  require(c, op.kv_heads > 0 && op.heads % op.kv_heads == 0,
          message("kv_heads: ", op.kv_heads, " does not divide ", op.heads, " heads"));
  for (size_t slot = 1; slot < 3; ++slot) require_input_shape(c, slot, width / op.heads * op.kv_heads);
  require_same_rows(c);
  require_tokens(c, input(c, 0));
}

void check_pool(const OpContext& c, const ops::Pool&) {
  require_output_shape(c);
  require_one_dimension(c, input(c, 0));
  require_tokens(c, input(c, 0));
  require(c, output(c).rows == RowKind::sequences, message("output ", output(c).name, " has the wrong kind of rows"));
}

void check_normalize(const OpContext& c, const ops::Normalize& op) {
  require_alike_rows(c);
  require_epsilon(c, op.epsilon);
}

void check_rms_norm(const OpContext& c, const ops::RmsNorm& op) {
  const uint32_t width = require_alike_rows(c);
  require_epsilon(c, op.epsilon);
  if (op.heads > 0) require_heads(c, op.heads, width);
  require_weight(c, 0, {op.heads > 0 ? width / op.heads : width});
}

void check_rope(const OpContext& c, const ops::Rope& op) {
  const uint32_t width = require_alike_rows(c);
  require_tokens(c, input(c, 0));
  require_heads(c, op.heads, width);
  const Shape shape = c.shape_of(weight_name(c, 0));
  const uint32_t head_width = width / op.heads;
  require(c, shape.size() == 1 && shape[0] > 0 && shape[0] <= head_width / 2,
          message("weight ", weight_name(c, 0), " has shape ", shape_text(shape), ", a head of ", head_width,
                  " numbers has 1 to ", head_width / 2, " pairs"));
}

// ---- the table ----

template <class Kind>
struct Row {
  const char* name;
  OpArity arity;
  void (*fields)(AttributeFields& fields, Kind& attributes);
  void (*check)(const OpContext& context, const Kind& attributes);
};

template <class Variant>
struct RowsOf;
template <class... Kinds>
struct RowsOf<std::variant<Kinds...>> {
  using Type = std::tuple<Row<Kinds>...>;
};

// In the order of Attributes, which the compiler checks. Arity: inputs, fewest and most weights.
constexpr RowsOf<Attributes>::Type kRows = {
    Row<ops::Embedding>{"embedding", {0, 1, 1}, embedding_fields, check_embedding},
    Row<ops::Linear>{"linear", {1, 1, 2}, linear_fields, check_linear},
    Row<ops::LayerNorm>{"layer_norm", {1, 2, 2}, layer_norm_fields, check_layer_norm},
    Row<ops::Attention>{"attention", {3, 0, 0}, attention_fields, check_attention},
    Row<ops::Activation>{"activation", {1, 0, 0}, activation_fields, check_elementwise},
    Row<ops::Add>{"add", {2, 0, 0}, no_fields, check_elementwise},
    Row<ops::Pool>{"pool", {1, 0, 0}, pool_fields, check_pool},
    Row<ops::Normalize>{"normalize", {1, 0, 0}, normalize_fields, check_normalize},
    Row<ops::RmsNorm>{"rms_norm", {1, 1, 1}, rms_norm_fields, check_rms_norm},
    Row<ops::Multiply>{"multiply", {2, 0, 0}, no_fields, check_elementwise},
    Row<ops::Rope>{"rope", {1, 1, 1}, rope_fields, check_rope},
};

template <class Kind>
constexpr const Row<Kind>& row_of(const Kind&) {
  return std::get<Row<Kind>>(kRows);
}

template <size_t... kinds>
constexpr std::array<Attributes, kOpKinds> each_kind(std::index_sequence<kinds...>) {
  return {Attributes(std::in_place_index<kinds>)...};
}
constexpr std::array<Attributes, kOpKinds> kDefaults = each_kind(std::make_index_sequence<kOpKinds>());

}  // namespace

const char* op_name(const Attributes& attributes) {
  return std::visit([](const auto& op) { return row_of(op).name; }, attributes);
}

OpArity op_arity(const Attributes& attributes) {
  return std::visit([](const auto& op) { return row_of(op).arity; }, attributes);
}

const Attributes& default_attributes(size_t kind) { return kDefaults[kind]; }

void visit_fields(AttributeFields& fields, Attributes& attributes) {
  std::visit([&](auto& op) { row_of(op).fields(fields, op); }, attributes);
}

void check_shapes(const OpContext& context) {
  std::visit([&](const auto& op) { row_of(op).check(context, op); }, context.op.attributes);
}

}  // namespace lathe
