#include "compress/training/torch/interpreter.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lathe::training {
namespace {

// What an op of the program sees while it runs.
struct Frame {
  const Op& op;
  const std::vector<at::Tensor>& weights;  // of the program
  const std::vector<at::Tensor>& values;   // of the program, those computed so far
  const TensorBatch& batch;
  bool bf16;

  const at::Tensor& input(size_t i) const { return values[op.inputs[i]]; }
  at::Tensor weight(size_t i) const {
    return i < op.weights.size() && op.weights[i] != kNone ? weights[op.weights[i]] : at::Tensor();
  }
};

// ---- one function for each kind of op ----

at::Tensor run(const ops::Embedding& attributes, const Frame& f) {
  return f.weight(0).index_select(0, f.batch.streams[static_cast<size_t>(attributes.stream)]);
}

at::Tensor run(const ops::Linear&, const Frame& f) {
  const at::Tensor bias = f.weight(1);
  if (!f.bf16) return at::linear(f.input(0), f.weight(0), bias);
  const at::Tensor product = at::linear(f.input(0).to(at::kBFloat16), f.weight(0).to(at::kBFloat16)).to(at::kFloat);
  return bias.defined() ? product + bias : product;
}

at::Tensor run(const ops::LayerNorm& attributes, const Frame& f) {
  return at::layer_norm(f.input(0), {f.input(0).size(1)}, f.weight(0), f.weight(1), attributes.epsilon);
}

// True where a token must not look: at those after it, and at those before its window.
at::Tensor hidden_from(int64_t longest, int64_t window, const at::Device& device) {
  const at::Tensor places = at::arange(longest, at::TensorOptions(at::kLong).device(device));
  const at::Tensor back = places.unsqueeze(1) - places.unsqueeze(0);
  return window > 0 ? (back < 0).logical_or(back >= window) : back < 0;
}

at::Tensor run(const ops::Attention& attributes, const Frame& f) {
  const TensorBatch& batch = f.batch;
  const bool causal = attributes.mask == AttentionMask::causal;
  const int64_t heads = attributes.heads;
  const int64_t kv_heads = attributes.kv_heads;
  const at::Tensor q = split_heads(f.input(0), batch, heads);
  at::Tensor k = split_heads(f.input(1), batch, kv_heads);
  at::Tensor v = split_heads(f.input(2), batch, kv_heads);
  if (kv_heads != heads) {
    k = k.repeat_interleave(heads / kv_heads, 1);
    v = v.repeat_interleave(heads / kv_heads, 1);
  }
  at::Tensor scores = at::matmul(q * (1.0 / std::sqrt(static_cast<double>(q.size(3)))), k.transpose(2, 3));
  if (causal) {  // padding lies after all tokens of its sequence, so this hides it as well
    const at::Tensor hidden = hidden_from(batch.longest, attributes.window, scores.device());
    scores = scores.masked_fill(hidden, -std::numeric_limits<float>::infinity());
  } else if (batch.ragged) {
    scores = scores + batch.bias;
  }
  const at::Tensor mixed = at::matmul(at::softmax(scores, -1), v);
  const at::Tensor rows = mixed.transpose(1, 2).reshape({batch.sequences * batch.longest, -1});
  return batch.ragged ? rows.index_select(0, batch.from_padded) : rows;
}

at::Tensor run(const ops::Activation& attributes, const Frame& f) {
  const at::Tensor& x = f.input(0);
  switch (attributes.function) {  // without a default: the compiler names a function that is missing
    case ActivationFunction::gelu:
      return at::gelu(x, "none");
    case ActivationFunction::gelu_tanh:
      return at::gelu(x, "tanh");
    case ActivationFunction::relu:
      return at::relu(x);
    case ActivationFunction::silu:
      return at::silu(x);
    case ActivationFunction::tanh:
      return at::tanh(x);
  }
  fail(Errc::internal, "the training engine lacks this activation function");
}

at::Tensor run(const ops::Add&, const Frame& f) { return f.input(0) + f.input(1); }

at::Tensor pool_mean(const at::Tensor& rows, const TensorBatch& batch) {
  const at::Tensor zeros = at::zeros({batch.sequences, rows.size(1)}, rows.options());
  return zeros.index_add(0, batch.sequence_of, rows) / batch.lengths;
}
at::Tensor pool_first(const at::Tensor& rows, const TensorBatch& batch) { return rows.index_select(0, batch.starts); }
at::Tensor pool_max(const at::Tensor& rows, const TensorBatch& batch) {
  at::Tensor padded = split_heads(rows, batch, 1).squeeze(1);
  if (batch.ragged) padded = padded + batch.bias.reshape({batch.sequences, batch.longest, 1});
  return padded.amax(1);
}

at::Tensor run(const ops::Pool& attributes, const Frame& f) {
  switch (attributes.pooling) {
    case Pooling::mean:
      return pool_mean(f.input(0), f.batch);
    case Pooling::first:
      return pool_first(f.input(0), f.batch);
    case Pooling::max:
      return pool_max(f.input(0), f.batch);
  }
  fail(Errc::internal, "the training engine lacks this pooling");
}

at::Tensor run(const ops::Normalize& attributes, const Frame& f) {
  const at::Tensor norm = at::norm(f.input(0), 2, {1}, true).clamp_min(attributes.epsilon);
  return f.input(0) / norm;
}

at::Tensor run(const ops::RmsNorm& attributes, const Frame& f) {
  const int64_t heads = std::max<int64_t>(attributes.heads, 1);
  const at::Tensor x = f.input(0).view({f.input(0).size(0), heads, f.input(0).size(1) / heads});
  const at::Tensor scale = at::rsqrt(x.square().mean(-1, /*keepdim=*/true) + attributes.epsilon);
  return (x * scale * f.weight(0)).view_as(f.input(0));
}

at::Tensor run(const ops::Multiply&, const Frame& f) { return f.input(0) * f.input(1); }

at::Tensor run(const ops::Rope& attributes, const Frame& f) {
  const at::Tensor& rows = f.input(0);
  const at::Tensor frequencies = f.weight(0);
  const int64_t pairs = frequencies.size(0);
  const at::Tensor x = rows.view({rows.size(0), attributes.heads, rows.size(1) / attributes.heads});
  const at::Tensor positions = f.batch.streams[static_cast<size_t>(Stream::positions)].to(at::kFloat);
  const at::Tensor angles = (positions.unsqueeze(1) * frequencies).unsqueeze(1);  // [tokens, 1, pairs]
  const at::Tensor sine = at::sin(angles), cosine = at::cos(angles);
  const at::Tensor rest = x.narrow(2, 2 * pairs, x.size(2) - 2 * pairs);
  const bool halves = attributes.pairs == RopePairs::halves;
  const at::Tensor turning = x.narrow(2, 0, 2 * pairs);
  const at::Tensor a = halves ? x.narrow(2, 0, pairs) : turning.slice(2, 0, 2 * pairs, 2);
  const at::Tensor b = halves ? x.narrow(2, pairs, pairs) : turning.slice(2, 1, 2 * pairs, 2);
  const at::Tensor first = a * cosine - b * sine, second = b * cosine + a * sine;
  const at::Tensor turned = halves ? at::cat({first, second}, 2) : at::stack({first, second}, 3).flatten(2);
  return at::cat({turned, rest}, 2).reshape_as(rows);
}

// A kind of op without such a function does not compile.
at::Tensor run(const Frame& f) {
  return std::visit([&](const auto& attributes) { return run(attributes, f); }, f.op.attributes);
}

// Which ops must run, from the last to the first.
std::vector<bool> needed_ops(const Program& program, const Values& given, const std::vector<uint32_t>& wanted) {
  std::vector<bool> value(program.values.size(), false);
  for (const uint32_t id : wanted) value[id] = true;
  std::vector<bool> op(program.ops.size(), false);
  for (size_t i = program.ops.size(); i-- > 0;) {
    const uint32_t output = program.ops[i].output;
    if (!value[output] || given.contains(output)) continue;
    op[i] = true;
    for (const uint32_t input : program.ops[i].inputs) value[input] = true;
  }
  return op;
}

at::Tensor indices(const std::vector<int64_t>& values, const at::Device& device) {
  return at::tensor(values, at::kLong).to(device);
}

}  // namespace

TensorBatch make_tensor_batch(const TokenBatch& batch, const at::Device& device) {
  TensorBatch out;
  out.sequences = static_cast<int64_t>(batch.sequences());
  out.tokens = static_cast<int64_t>(batch.tokens());
  for (size_t s = 0; s < batch.sequences(); ++s) {
    out.longest = std::max(out.longest, static_cast<int64_t>(batch.length(s)));
  }
  std::vector<int64_t> positions, sequence_of, starts, to_padded, from_padded;
  std::vector<float> lengths, bias;
  for (size_t s = 0; s < batch.sequences(); ++s) {
    const auto length = static_cast<int64_t>(batch.length(s));
    starts.push_back(batch.starts[s]);
    lengths.push_back(static_cast<float>(length));
    for (int64_t i = 0; i < out.longest; ++i) {
      const bool real = i < length;
      to_padded.push_back(real ? batch.starts[s] + i : 0);
      bias.push_back(real ? 0.0f : -std::numeric_limits<float>::infinity());
      if (!real) continue;
      positions.push_back(i);
      sequence_of.push_back(static_cast<int64_t>(s));
      from_padded.push_back(static_cast<int64_t>(s) * out.longest + i);
    }
  }
  out.ragged = out.longest * out.sequences != out.tokens;
  const std::vector<int64_t> ids(batch.ids.begin(), batch.ids.end());
  std::vector<int64_t> segments(batch.segments.begin(), batch.segments.end());
  segments.resize(ids.size(), 0);
  out.streams[0] = indices(ids, device);
  out.streams[1] = indices(positions, device);
  out.streams[2] = indices(segments, device);
  out.sequence_of = indices(sequence_of, device);
  out.starts = indices(starts, device);
  out.to_padded = indices(to_padded, device);
  out.from_padded = indices(from_padded, device);
  out.lengths = tensor_of(lengths, {out.sequences, 1}, device);
  out.bias = tensor_of(bias, {out.sequences, 1, 1, out.longest}, device);
  return out;
}

TokenBatch select_sequences(const TokenBatch& batch, std::span<const uint32_t> indices) {
  TokenBatch out;
  for (const uint32_t s : indices) {
    out.add(std::span(batch.ids).subspan(batch.starts[s], batch.length(s)));
    if (batch.segments.empty()) continue;
    const auto first = batch.segments.begin() + batch.starts[s];
    out.segments.insert(out.segments.end(), first, first + static_cast<std::ptrdiff_t>(batch.length(s)));
  }
  return out;
}

at::Tensor split_heads(const at::Tensor& rows, const TensorBatch& batch, int64_t heads) {
  const at::Tensor padded = batch.ragged ? rows.index_select(0, batch.to_padded) : rows;
  return padded.view({batch.sequences, batch.longest, heads, rows.size(1) / heads}).transpose(1, 2);
}

Values given_samples(const Program& program, const DenseSamples& samples, const at::Device& device) {
  check_samples(program, samples);
  Values given;
  for (size_t i = 0; i < samples.inputs.size(); ++i) {
    const int64_t width = program.values[program.inputs[i]].shape.size();
    given[program.inputs[i]] = tensor_of(samples.inputs[i], {static_cast<int64_t>(samples.count), width}, device);
  }
  return given;
}

Values interpret(const Program& program, const std::vector<at::Tensor>& weights, const TensorBatch& batch,
                 const Values& given, const std::vector<uint32_t>& wanted, bool bf16) {
  std::vector<at::Tensor> values(program.values.size());
  for (const auto& [id, value] : given) values[id] = value;
  const std::vector<bool> needed = needed_ops(program, given, wanted);
  std::vector<size_t> last_use(program.values.size(), 0);
  for (size_t i = 0; i < program.ops.size(); ++i) {
    for (const uint32_t input : program.ops[i].inputs) last_use[input] = needed[i] ? i : last_use[input];
  }
  for (const uint32_t id : wanted) last_use[id] = program.ops.size();
  for (size_t i = 0; i < program.ops.size(); ++i) {
    if (!needed[i]) continue;
    const Op& op = program.ops[i];
    values[op.output] = run({op, weights, values, batch, bf16});
    for (const uint32_t input : op.inputs) {
      if (last_use[input] == i) values[input].reset();
    }
  }
  Values result;
  for (const uint32_t id : wanted) result[id] = values[id];
  return result;
}

}  // namespace lathe::training
