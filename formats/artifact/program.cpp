#include "formats/artifact/program.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace lathe {
namespace {

constexpr std::array<OpTraits, kOpKinds> kOps = {{{OpKind::embedding, "embedding", 0, 1, 1, 3},
                                                  {OpKind::linear, "linear", 1, 1, 2, 2},
                                                  {OpKind::layer_norm, "layer_norm", 1, 2, 2, 1},
                                                  {OpKind::attention, "attention", 3, 0, 0, 2},
                                                  {OpKind::activation, "activation", 1, 0, 0, 5},
                                                  {OpKind::add, "add", 2, 0, 0, 1},
                                                  {OpKind::pool, "pool", 1, 0, 0, 3},
                                                  {OpKind::normalize, "normalize", 1, 0, 0, 1},
                                                  {OpKind::rms_norm, "rms_norm", 1, 1, 1, 1},
                                                  {OpKind::multiply, "multiply", 2, 0, 0, 1},
                                                  {OpKind::rope, "rope", 1, 1, 1, 2}}};
constexpr std::array<const char*, 5> kActivations = {"gelu", "gelu_tanh", "relu", "silu", "tanh"};
constexpr std::array<const char*, 3> kPoolings = {"mean", "first", "max"};
constexpr uint32_t kMaxNameBytes = 512;
constexpr uint32_t kMaxWidth = 1u << 20;

bool is_causal(const Op& op) {
  return op.kind == OpKind::attention && op.mode == static_cast<uint32_t>(Attention::causal);
}

// Checks one op at a time; knows which values have been written so far.
class Validator {
 public:
  Validator(const Program& program, const ShapeOf& shape_of, const std::string& where)
      : program_(program), shape_of_(shape_of), where_(where), written_(program.values.size(), false) {}

  void run() {
    for (const Value& value : program_.values) check_value(value);
    for (const uint32_t input : program_.inputs) {
      at_most(input, program_.values.size(), "inputs");
      written_[input] = true;
    }
    for (index_ = 0; index_ < program_.ops.size(); ++index_) check_op(program_.ops[index_]);
    index_ = kNone;
    require_(!program_.outputs.empty(), "outputs: there is none");
    for (const uint32_t output : program_.outputs) {
      at_most(output, program_.values.size(), "outputs");
      require_(written_[output], "outputs: value " + std::to_string(output) + " is never written");
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    const std::string op =
        index_ == kNone ? "" : message("op ", index_, " (", op_traits(program_.ops[index_].kind).name, "): ");
    fail(Errc::malformed, message(where_, ": program: ", op, what));
  }
  void require_(bool condition, const std::string& what) const {
    if (!condition) refuse(what);
  }
  void at_most(uint64_t index, uint64_t count, const char* field) const {
    if (index >= count) refuse(message(field, ": index ", index, " is not below ", count));
  }

  void check_value(const Value& value) const {
    if (value.width == 0 || value.width > kMaxWidth) {
      refuse(message("value ", value.name, ": width ", value.width, ", must be in [1, ", kMaxWidth, "]"));
    }
  }

  const Value& value(uint32_t id) const { return program_.values[id]; }

  void check_weight(const Op& op, size_t slot, const Shape& expected) const {
    if (slot >= op.weights.size() || op.weights[slot] == kNone) return;
    const std::string& name = program_.weights[op.weights[slot]];
    const Shape shape = shape_of_(name);
    if (shape != expected) {
      refuse(message("weight ", name, " has shape ", shape_text(shape), ", expected ", shape_text(expected)));
    }
  }

  void check_op(const Op& op) {
    const OpTraits& traits = op_traits(op.kind);
    require_(op.inputs.size() == traits.inputs, message("has ", op.inputs.size(), " inputs, needs ", traits.inputs));
    require_(op.weights.size() >= traits.min_weights && op.weights.size() <= traits.max_weights,
             message("has ", op.weights.size(), " weights, needs ", traits.min_weights, " to ", traits.max_weights));
    require_(op.mode < traits.modes, message("mode ", op.mode, " is not below ", traits.modes));
    require_(std::isfinite(op.epsilon) && op.epsilon >= 0, "epsilon must be finite and not negative");
    for (const uint32_t input : op.inputs) {
      at_most(input, program_.values.size(), "inputs");
      require_(written_[input], message("reads value ", value(input).name, " before it is written"));
    }
    for (size_t i = 0; i < op.weights.size(); ++i) {
      if (op.weights[i] == kNone && i >= 1 && op.kind == OpKind::linear) continue;
      at_most(op.weights[i], program_.weights.size(), "weights");
    }
    at_most(op.output, program_.values.size(), "output");
    require_(!written_[op.output], message("writes value ", value(op.output).name, " a second time"));
    check_widths(op);
    written_[op.output] = true;
  }

  void check_widths(const Op& op) const {
    const Value& out = value(op.output);
    const uint64_t in_width = op.inputs.empty() ? 0 : value(op.inputs[0]).width;
    if (op.kind == OpKind::embedding) {
      const Shape shape = shape_of_(program_.weights[op.weights[0]]);
      require_(shape.size() == 2 && shape[1] == out.width,
               message("table ", program_.weights[op.weights[0]], " has shape ", shape_text(shape),
                       ", its rows must be ", out.width, " wide"));
      require_(out.rows == RowKind::tokens, "writes one row for each token");
      return;
    }
    if (op.kind == OpKind::linear) {
      check_weight(op, 0, {out.width, in_width});
      check_weight(op, 1, {out.width});
    } else {
      require_(out.width == in_width, message("output width ", out.width, " differs from input width ", in_width));
    }
    if (op.kind == OpKind::layer_norm) {
      check_weight(op, 0, {in_width});
      check_weight(op, 1, {in_width});
    }
    const bool has_heads = op.kind == OpKind::attention || op.kind == OpKind::rope || op.heads > 0;
    require_(!has_heads || (op.heads > 0 && in_width % op.heads == 0),
             message("heads: ", op.heads, " does not divide the width ", in_width));
    if (op.kind == OpKind::rms_norm) check_weight(op, 0, {op.heads > 0 ? in_width / op.heads : in_width});
    if (op.kind == OpKind::rope) check_frequencies(op, in_width / op.heads);
    if (is_causal(op)) check_causal(op, in_width);
    require_(is_causal(op) || (op.kv_heads == 0 && op.window == 0), "has kv_heads or a window without being causal");
    const RowKind in_rows = value(op.inputs[0]).rows;
    for (const uint32_t input : op.inputs) {
      const uint64_t expected = is_causal(op) && input != op.inputs[0] ? value(op.inputs[1]).width : in_width;
      require_(value(input).width == expected,
               message("input ", value(input).name, " is ", value(input).width, " wide, must be ", expected));
      require_(value(input).rows == in_rows, message("input ", value(input).name, " has other rows than the first"));
    }
    const bool per_token_only = op.kind == OpKind::attention || op.kind == OpKind::pool || op.kind == OpKind::rope;
    require_(!per_token_only || in_rows == RowKind::tokens, "needs one row for each token");
    const RowKind expected_rows = op.kind == OpKind::pool ? RowKind::sequences : in_rows;
    require_(out.rows == expected_rows, message("output ", out.name, " has the wrong kind of rows"));
  }

  void check_causal(const Op& op, uint64_t q_width) const {
    require_(op.kv_heads > 0 && op.heads % op.kv_heads == 0,
             message("kv_heads: ", op.kv_heads, " does not divide ", op.heads, " heads"));
    const uint64_t kv_width = q_width / op.heads * op.kv_heads;
    require_(value(op.inputs[1]).width == kv_width,
             message("input ", value(op.inputs[1]).name, " is ", value(op.inputs[1]).width, " wide, ", op.kv_heads,
                     " heads are ", kv_width));
  }

  void check_frequencies(const Op& op, uint64_t head_width) const {
    const std::string& name = program_.weights[op.weights[0]];
    const Shape shape = shape_of_(name);
    require_(shape.size() == 1 && shape[0] > 0 && 2 * shape[0] <= head_width,
             message("weight ", name, " has shape ", shape_text(shape), ", a head of ", head_width, " has 1 to ",
                     head_width / 2, " pairs"));
  }

  const Program& program_;
  const ShapeOf& shape_of_;
  const std::string& where_;
  std::vector<bool> written_;
  size_t index_ = kNone;
};

void write_ids(ByteWriter& out, const std::vector<uint32_t>& ids) {
  out.write(static_cast<uint32_t>(ids.size()));
  for (const uint32_t id : ids) out.write(id);
}

std::vector<uint32_t> read_ids(ByteReader& in, std::string_view field) {
  std::vector<uint32_t> ids(in.read_count(field, sizeof(uint32_t)));
  for (uint32_t& id : ids) id = in.read<uint32_t>(field);
  return ids;
}

}  // namespace

uint32_t Program::add_weight(std::string name) {
  weights.push_back(std::move(name));
  return static_cast<uint32_t>(weights.size() - 1);
}

uint32_t Program::add_value(std::string name, RowKind rows, uint32_t width) {
  values.push_back({std::move(name), rows, width});
  return static_cast<uint32_t>(values.size() - 1);
}

const OpTraits& op_traits(OpKind kind) { return kOps[static_cast<size_t>(kind)]; }
const char* activation_name(Activation activation) { return kActivations[static_cast<size_t>(activation)]; }
const char* pooling_name(Pooling pooling) { return kPoolings[static_cast<size_t>(pooling)]; }

void validate(const Program& program, const ShapeOf& shape_of, const std::string& where) {
  Validator(program, shape_of, where).run();
}

std::vector<std::byte> encode_program(const Program& program) {
  ByteWriter out;
  out.write(static_cast<uint32_t>(program.weights.size()));
  for (const std::string& name : program.weights) out.write_string(name);
  out.write(static_cast<uint32_t>(program.values.size()));
  for (const Value& value : program.values) {
    out.write_string(value.name);
    out.write(static_cast<uint8_t>(value.rows));
    out.write(value.width);
  }
  out.write(static_cast<uint32_t>(program.ops.size()));
  for (const Op& op : program.ops) {
    out.write(static_cast<uint16_t>(op.kind));
    write_ids(out, op.inputs);
    write_ids(out, op.weights);
    out.write(op.output);
    out.write(op.mode);
    out.write(op.heads);
    out.write(op.epsilon);
    if (!is_causal(op)) continue;
    out.write(op.kv_heads);
    out.write(op.window);
  }
  write_ids(out, program.inputs);
  write_ids(out, program.outputs);
  return out.bytes();
}

Program decode_program(Bytes section, const std::string& file) {
  ByteReader in(section, file + ": program");
  Program program;
  program.weights.resize(in.read_count("weight count", 4));
  for (std::string& name : program.weights) name = in.read_string("weight name", kMaxNameBytes);
  program.values.resize(in.read_count("value count", 9));
  for (Value& value : program.values) {
    value.name = in.read_string("value name", kMaxNameBytes);
    const auto rows = in.read<uint8_t>("value rows");
    if (rows > 1)
      fail(Errc::malformed, message(file, ": program: value ", value.name, ": rows ", rows, " is not 0 or 1"));
    value.rows = static_cast<RowKind>(rows);
    value.width = in.read<uint32_t>("value width");
  }
  program.ops.resize(in.read_count("op count", 26));
  for (Op& op : program.ops) {
    const auto kind = in.read<uint16_t>("op kind");
    if (kind >= kOpKinds) {
      fail(Errc::unsupported,
           message(file, ": program: op kind ", kind, " is not known to this version (below ", kOpKinds, ")"));
    }
    op.kind = static_cast<OpKind>(kind);
    op.inputs = read_ids(in, "op inputs");
    op.weights = read_ids(in, "op weights");
    op.output = in.read<uint32_t>("op output");
    op.mode = in.read<uint32_t>("op mode");
    op.heads = in.read<uint32_t>("op heads");
    op.epsilon = in.read<float>("op epsilon");
    if (!is_causal(op)) continue;
    op.kv_heads = in.read<uint32_t>("op kv_heads");
    op.window = in.read<uint32_t>("op window");
  }
  program.inputs = read_ids(in, "inputs");
  program.outputs = read_ids(in, "outputs");
  if (in.remaining() != 0) fail(Errc::malformed, message(file, ": program: ", in.remaining(), " bytes left over"));
  return program;
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
