#include "formats/artifact/program.h"

#include <algorithm>
#include <map>

#include "formats/artifact/op_table.h"

namespace lathe {
namespace {

constexpr uint32_t kMaxWidth = 1u << 20;
constexpr uint64_t kMaxImageNumbers = uint64_t{1} << 24;

void check_index(uint64_t index, uint64_t count, const std::string& where, const char* field) {
  if (index >= count) fail(Errc::malformed, message(where, field, ": index ", index, " is not below ", count));
}

void check_value(const Value& value, const std::string& where) {
  const RowShape& shape = value.shape;
  const auto check = [&](const char* field, uint64_t number, uint64_t limit) {
    if (number > 0 && number <= limit) return;
    fail(Errc::malformed,
         message(where, "value ", value.name, ": ", field, " ", number, ", must be in [1, ", limit, "]"));
  };
  check("width", shape.width, kMaxWidth);
  if (!shape.is_image()) return;
  check("channels", shape.channels, kMaxWidth);
  check("height", shape.height, kMaxWidth);
  check("numbers in a row", uint64_t{shape.channels} * shape.height * shape.width, kMaxImageNumbers);
}

// A batch is token sequences or samples, so a program that needed both could never run.
void check_rows(const Program& program, const std::string& where) {
  const bool samples = reads_samples(program);
  for (const Value& value : program.values) {
    if ((value.rows == RowKind::samples) == samples) continue;
    fail(Errc::malformed,
         message(where, "value ", value.name, ": a program has rows of samples or of token sequences, not both"));
  }
}

void check_operands(const Program& program, const Op& op, const std::vector<bool>& written, const std::string& where) {
  const auto require = [&](bool condition, const std::string& what) {
    if (!condition) fail(Errc::malformed, where + what);
  };
  const OpArity arity = op_arity(op.attributes);
  require(op.inputs.size() == arity.inputs, message("has ", op.inputs.size(), " inputs, needs ", arity.inputs));
  require(op.weights.size() >= arity.min_weights && op.weights.size() <= arity.max_weights,
          message("has ", op.weights.size(), " weights, needs ", arity.min_weights, " to ", arity.max_weights));
  for (const uint32_t input : op.inputs) {
    check_index(input, program.values.size(), where, "inputs");
    require(written[input], message("reads value ", program.values[input].name, " before it is written"));
  }
  for (size_t slot = 0; slot < op.weights.size(); ++slot) {
    if (op.weights[slot] == kNone && slot >= arity.min_weights) continue;
    check_index(op.weights[slot], program.weights.size(), where, "weights");
  }
  check_index(op.output, program.values.size(), where, "output");
  require(!written[op.output], message("writes value ", program.values[op.output].name, " a second time"));
}

}  // namespace

std::string row_shape_text(const RowShape& shape) {
  return shape.is_image() ? message(shape.channels, " x ", shape.height, " x ", shape.width) : message(shape.width);
}

bool reads_samples(const Program& program) {
  return std::any_of(program.values.begin(), program.values.end(),
                     [](const Value& value) { return value.rows == RowKind::samples; });
}

uint32_t Program::add_weight(std::string name) {
  weights.push_back(std::move(name));
  return static_cast<uint32_t>(weights.size() - 1);
}

uint32_t Program::add_value(std::string name, RowKind rows, const RowShape& shape) {
  values.push_back({std::move(name), rows, shape});
  return static_cast<uint32_t>(values.size() - 1);
}

void validate(const Program& program, const ShapeOf& shape_of, const std::string& file) {
  const std::string where = file + ": program: ";
  for (const Value& value : program.values) check_value(value, where);
  check_rows(program, where);
  std::vector<bool> written(program.values.size(), false);
  for (const uint32_t input : program.inputs) {
    check_index(input, program.values.size(), where, "inputs");
    written[input] = true;
  }
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    const std::string at = message(where, "op ", i, " (", op_name(op.attributes), "): ");
    check_operands(program, op, written, at);
    check_shapes({program, op, shape_of, at});
    written[op.output] = true;
  }
  if (program.outputs.empty()) fail(Errc::malformed, where + "outputs: there is none");
  for (const uint32_t output : program.outputs) {
    check_index(output, program.values.size(), where, "outputs");
    if (!written[output]) fail(Errc::malformed, message(where, "outputs: value ", output, " is never written"));
  }
}

ProgramSlice slice(const Program& program, const std::vector<uint32_t>& given, const std::vector<uint32_t>& wanted) {
  std::vector<bool> needed(program.values.size(), false);
  std::vector<bool> is_given(program.values.size(), false);
  for (const uint32_t id : wanted) needed[id] = true;
  for (const uint32_t id : given) is_given[id] = true;
  std::vector<const Op*> kept;
  for (auto op = program.ops.rbegin(); op != program.ops.rend(); ++op) {
    if (!needed[op->output] || is_given[op->output]) continue;
    kept.push_back(&*op);
    for (const uint32_t input : op->inputs) needed[input] = true;
  }
  std::reverse(kept.begin(), kept.end());

  ProgramSlice result;
  Program& part = result.program;
  std::map<uint32_t, uint32_t> value_ids;
  std::map<uint32_t, uint32_t> weight_ids;
  const auto map_value = [&](uint32_t id) {
    const auto [at, is_new] = value_ids.try_emplace(id, static_cast<uint32_t>(part.values.size()));
    if (is_new) part.values.push_back(program.values[id]);
    return at->second;
  };
  for (const uint32_t id : given) {
    if (!needed[id]) continue;
    part.inputs.push_back(map_value(id));
    result.inputs.push_back(id);
  }
  for (const Op* op : kept) {
    Op copy = *op;
    for (uint32_t& id : copy.inputs) id = map_value(id);
    for (uint32_t& id : copy.weights) {
      if (id == kNone) continue;
      const auto [at, is_new] = weight_ids.try_emplace(id, static_cast<uint32_t>(part.weights.size()));
      if (is_new) part.weights.push_back(program.weights[id]);
      id = at->second;
    }
    copy.output = map_value(op->output);
    part.ops.push_back(std::move(copy));
  }
  for (const uint32_t id : wanted) {
    if (!value_ids.contains(id))
      fail(Errc::internal, message("slice: nothing computes value ", program.values[id].name));
    part.outputs.push_back(value_ids.at(id));
  }
  return result;
}

}  // namespace lathe
