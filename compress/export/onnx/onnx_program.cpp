#include "compress/export/onnx/onnx_program.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "compress/export/onnx/onnx_padding.h"
#include "compress/export/onnx/onnx_weights.h"
#include "formats/artifact/op_table.h"
#include "formats/text.h"

namespace lathe {
namespace {

using Axes = std::vector<int64_t>;

constexpr const char* kCausal = "is causal attention";

// ---- functions that take one operator or more ----

std::string gelu(OnnxGraph& g, const std::string& x, const std::string& name) {
  const std::string scaled = g.node("Div", {x, g.number(std::numbers::sqrt2_v<float>)}, name + "/scaled");
  const std::string error = g.node("Erf", {scaled}, name + "/erf");
  const std::string share = g.node("Add", {error, g.number(1)}, name + "/share");
  return g.node("Mul", {g.node("Mul", {x, share}, name + "/twice"), g.number(0.5f)}, name);
}

std::string gelu_tanh(OnnxGraph& g, const std::string& x, const std::string& name) {
  constexpr float kCubic = 0.044715f;
  const float slope = std::sqrt(2 / std::numbers::pi_v<float>);
  const std::string square = g.node("Mul", {x, x}, name + "/square");
  const std::string cube = g.node("Mul", {square, x}, name + "/cube");
  const std::string bent = g.node("Add", {x, g.node("Mul", {cube, g.number(kCubic)}, name + "/bend")}, name + "/bent");
  const std::string inner = g.node("Mul", {bent, g.number(slope)}, name + "/inner");
  const std::string share = g.node("Add", {g.node("Tanh", {inner}, name + "/tanh"), g.number(1)}, name + "/share");
  return g.node("Mul", {g.node("Mul", {x, share}, name + "/twice"), g.number(0.5f)}, name);
}

std::string relu(OnnxGraph& g, const std::string& x, const std::string& name) { return g.node("Relu", {x}, name); }
std::string silu(OnnxGraph& g, const std::string& x, const std::string& name) {
  return g.node("Mul", {x, g.node("Sigmoid", {x}, name + "/sigmoid")}, name);
}
std::string tanh(OnnxGraph& g, const std::string& x, const std::string& name) { return g.node("Tanh", {x}, name); }

struct ActivationRow {
  ActivationFunction value;
  std::string (*add)(OnnxGraph& graph, const std::string& x, const std::string& name);
};
constexpr EnumTable<ActivationRow, 5> kFunctions = {{{ActivationFunction::gelu, gelu},
                                                     {ActivationFunction::gelu_tanh, gelu_tanh},
                                                     {ActivationFunction::relu, relu},
                                                     {ActivationFunction::silu, silu},
                                                     {ActivationFunction::tanh, tanh}}};

std::string pool_mean(OnnxGraph& g, OnnxPadding& padding, const std::string& x, const std::string& name) {
  const std::string tokens = g.node("Mul", {x, padding.column()}, name + "/tokens");
  const std::string sum = g.node("ReduceSum", {tokens, g.integers({1})}, name + "/sum", {{"keepdims", int64_t{0}}});
  return g.node("Div", {sum, padding.lengths()}, name);
}

std::string pool_first(OnnxGraph& g, OnnxPadding&, const std::string& x, const std::string& name) {
  return g.node("Gather", {x, g.integer(0)}, name, {{"axis", int64_t{1}}});
}

std::string pool_max(OnnxGraph& g, OnnxPadding& padding, const std::string& x, const std::string& name) {
  const std::string lowest = g.number(std::numeric_limits<float>::lowest());
  const std::string tokens = g.node("Where", {padding.is_token(), x, lowest}, name + "/tokens");
  return g.node("ReduceMax", {tokens}, name, {{"axes", Axes{1}}, {"keepdims", int64_t{0}}});
}

struct PoolingRow {
  Pooling value;
  std::string (*add)(OnnxGraph& graph, OnnxPadding& padding, const std::string& x, const std::string& name);
};
constexpr EnumTable<PoolingRow, 3> kPools = {
    {{Pooling::mean, pool_mean}, {Pooling::first, pool_first}, {Pooling::max, pool_max}}};

bool has_segments(const Program& program) {
  return std::any_of(program.ops.begin(), program.ops.end(), [](const Op& op) {
    const auto* embedding = op.as<ops::Embedding>();
    return embedding != nullptr && embedding->stream == Stream::segments;
  });
}

// ---- the program ----

[[noreturn]] void refuse(const Artifact& artifact, uint32_t value, const std::string& why) {
  fail(Errc::unsupported, message(artifact.file().path(), ": ", printable(artifact.program().values[value].name), " ",
                                  why, "; encoders and classifiers of texts are exported to ONNX"));
}
std::string refuse_kind(const Artifact& artifact, const Op& op) {
  refuse(artifact, op.output, message("is of kind ", op_name(op.attributes)));
}

class ProgramWriter {
 public:
  ProgramWriter(const Artifact& artifact, OnnxExportType type)
      : artifact_(artifact),
        program_(artifact.program()),
        type_(type),
        padding_(graph_, has_segments(program_)),
        linear_(graph_) {
    values_.resize(program_.values.size());
  }

  OnnxProgram run(bool classifies) {
    const uint32_t output = program_.outputs[0];
    const char* name = classifies ? "logits" : "sentence_embedding";
    graph_.declare_output({name, OnnxType::f32, {"batch", width(output)}});
    const Op* pool = classifies ? nullptr : last_pool();
    constexpr const char* kTokens = "token_embeddings";
    if (pool != nullptr) {
      graph_.declare_output({kTokens, OnnxType::f32, {"batch", "sequence", width(pool->inputs[0])}});
    }
    for (const Op& op : program_.ops) {
      values_[op.output] = std::visit([&](const auto& attributes) { return write(attributes, op); }, op.attributes);
    }
    graph_.set_output(name, values_[output]);
    if (pool != nullptr) graph_.set_output(kTokens, values_[pool->inputs[0]]);
    out_.model = graph_.take();
    return std::move(out_);
  }

 private:
  int64_t width(uint32_t value) const { return program_.values[value].shape.size(); }
  const Op* last_pool() const {
    const auto found =
        std::find_if(program_.ops.rbegin(), program_.ops.rend(), [](const Op& op) { return op.is<ops::Pool>(); });
    return found == program_.ops.rend() ? nullptr : &*found;
  }
  const std::string& name_of(const Op& op) const { return program_.values[op.output].name; }
  const std::string& input(const Op& op, size_t i) const { return values_[op.inputs[i]]; }
  NamedWeight weight(const Op& op, size_t slot) const {
    const std::string& name = program_.weights[op.weights[slot]];
    return {name, artifact_.tensor(name).tensor};
  }
  std::string node(const char* kind, std::vector<std::string> inputs, const Op& op,
                   std::vector<std::pair<std::string, OnnxAttribute>> attributes = {}) {
    return graph_.node(kind, std::move(inputs), name_of(op), std::move(attributes));
  }
  std::string constant(const NamedWeight& weight) {
    ++out_.types[onnx_type_name(OnnxType::f32)];
    return graph_.tensor(f32_constant(weight.name, weight.tensor));
  }

  // ---- one function for each kind of op: without it, the kind does not compile ----

  std::string write(const ops::Embedding& attributes, const Op& op) {
    const NamedWeight table = weight(op, 0);
    const std::string ids = padding_.ids(attributes.stream);
    if (attributes.stream == Stream::positions) {
      out_.positions = std::min(out_.positions.value_or(table.tensor.rows()), table.tensor.rows());
    }
    if (type_ == OnnxExportType::f32 || !has_integers(table.tensor)) {
      return node("Gather", {constant(table), ids}, op);
    }
    // DequantizeLinear has no scale for each row of what Gather gives.
    const std::string& name = name_of(op);
    ++out_.types[onnx_type_name(OnnxType::i8)];
    const std::string integers = graph_.tensor(int8_constant(table.name, table.tensor));
    const std::string scales = graph_.tensor(row_scales(table.name + "/scale", table.tensor));
    const std::string row = graph_.node("Gather", {integers, ids}, name + "/integers");
    const std::string numbers =
        graph_.node("Cast", {row}, name + "/numbers", {{"to", static_cast<int64_t>(OnnxType::f32)}});
    const std::string scale = graph_.node("Gather", {scales, ids}, name + "/scale");
    return node("Mul", {numbers, graph_.node("Unsqueeze", {scale, graph_.integers({2})}, name + "/scales")}, op);
  }

  std::string write(const ops::Linear& attributes, const Op& op) {
    const NamedWeight matrix = weight(op, 0);
    OnnxExportType type = type_;
    if (!has_integers(matrix.tensor)) {
      ++out_.floats;
      type = OnnxExportType::f32;
    } else if (attributes.input_bits == InputBits::sixteen) {
      ++out_.sixteen_bit_inputs;
      if (type == OnnxExportType::int8_dynamic) type = OnnxExportType::int8;
    }
    ++out_.types[onnx_type_name(type == OnnxExportType::f32 ? OnnxType::f32 : OnnxType::i8)];
    const LinearInput x = {input(op, 0), program_.values[op.inputs[0]].rows == RowKind::tokens};
    if (!op.has_weight(1)) return linear_.product(x, matrix, type, name_of(op));
    const std::string product = linear_.product(x, matrix, type, name_of(op) + "/product");
    return node("Add", {product, constant(weight(op, 1))}, op);
  }

  std::string write(const ops::LayerNorm& attributes, const Op& op) {
    return node("LayerNormalization", {input(op, 0), constant(weight(op, 0)), constant(weight(op, 1))}, op,
                {{"axis", int64_t{-1}}, {"epsilon", attributes.epsilon}});
  }

  std::string write(const ops::Attention& attributes, const Op& op) {
    if (attributes.mask != AttentionMask::full) refuse(artifact_, op.output, kCausal);
    const std::string& name = name_of(op);
    const int64_t heads = attributes.heads, wide = width(op.output), head = wide / heads;
    const auto split = [&](size_t part, const char* what, const Axes& order) {
      const std::string rows = graph_.node("Reshape", {input(op, part), graph_.integers({0, 0, heads, head})},
                                           message(name, "/", what, "_rows"));
      return graph_.node("Transpose", {rows}, message(name, "/", what), {{"perm", order}});
    };
    const std::string q = split(0, "q", {0, 2, 1, 3}), k = split(1, "k", {0, 2, 3, 1}), v = split(2, "v", {0, 2, 1, 3});
    const std::string root = graph_.number(std::sqrt(static_cast<float>(head)));
    const std::string scores =
        graph_.node("Div", {graph_.node("MatMul", {q, k}, name + "/scores"), root}, name + "/scaled");
    const std::string masked = graph_.node("Add", {scores, padding_.bias()}, name + "/masked");
    const std::string shares = graph_.node("Softmax", {masked}, name + "/shares", {{"axis", int64_t{-1}}});
    const std::string mixed = graph_.node("MatMul", {shares, v}, name + "/mixed");
    const std::string rows = graph_.node("Transpose", {mixed}, name + "/rows", {{"perm", Axes{0, 2, 1, 3}}});
    return node("Reshape", {rows, graph_.integers({0, 0, wide})}, op);
  }

  std::string write(const ops::Activation& attributes, const Op& op) {
    return kFunctions[attributes.function].add(graph_, input(op, 0), name_of(op));
  }
  std::string write(const ops::Add&, const Op& op) { return node("Add", {input(op, 0), input(op, 1)}, op); }
  std::string write(const ops::Multiply&, const Op& op) { return node("Mul", {input(op, 0), input(op, 1)}, op); }
  std::string write(const ops::Pool& attributes, const Op& op) {
    return kPools[attributes.pooling].add(graph_, padding_, input(op, 0), name_of(op));
  }
  std::string write(const ops::Normalize& attributes, const Op& op) {
    const std::string& name = name_of(op);
    const std::string length =
        graph_.node("ReduceL2", {input(op, 0)}, name + "/length", {{"axes", Axes{-1}}, {"keepdims", int64_t{1}}});
    return node("Div", {input(op, 0), graph_.node("Max", {length, graph_.number(attributes.epsilon)}, name + "/bound")},
                op);
  }
  std::string write(const ops::RmsNorm&, const Op& op) { return refuse_kind(artifact_, op); }
  std::string write(const ops::Rope&, const Op& op) { return refuse_kind(artifact_, op); }

  const Artifact& artifact_;
  const Program& program_;
  OnnxExportType type_;
  OnnxGraph graph_;
  OnnxPadding padding_;
  LinearWriter linear_;
  OnnxProgram out_;
  std::vector<std::string> values_;  // of the program -> of the graph
};

}  // namespace

void check_onnx_program(const Artifact& artifact) {
  const Program& program = artifact.program();
  if (!program.inputs.empty()) refuse(artifact, program.inputs[0], "is an input of numbers, not of token ids");
  for (const Op& op : program.ops) {
    const auto* attention = op.as<ops::Attention>();
    if (attention != nullptr && attention->mask != AttentionMask::full) refuse(artifact, op.output, kCausal);
    if (op.is<ops::RmsNorm>() || op.is<ops::Rope>()) refuse_kind(artifact, op);
  }
  if (program.outputs.size() != 1) refuse(artifact, program.outputs[1], "is a second output");
  if (program.values[program.outputs[0]].rows == RowKind::sequences) return;
  refuse(artifact, program.outputs[0], "is an output with a row for each token");
}

OnnxProgram onnx_program(const Artifact& artifact, OnnxExportType type, bool classifies) {
  return ProgramWriter(artifact, type).run(classifies);
}

}  // namespace lathe
