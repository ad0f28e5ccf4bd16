#include "compress/export/gguf/gguf_weights.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "compress/export/product_rows.h"
#include "formats/artifact/op_table.h"
#include "formats/text.h"

namespace lathe {
namespace {

/// Reads the rows of an encoded weight in any order.
class RowReader {
 public:
  explicit RowReader(const EncodedTensor& tensor)
      : tensor_(tensor), starts_(row_starts(tensor)), values_(tensor.cols()) {}

  /// Valid until the next call.
  std::span<const float> values(uint64_t row) {
    decode_row(tensor_, row, starts_[row], values_.data());
    return values_;
  }

  /// With the grid that the weight lies on, where blocks of GGUF can have it.
  GgufRow with_grid(uint64_t row) {
    GgufRow out{values(row)};
    const Encoding& encoding = tensor_.encoding;
    const bool has_grid = value_codec(encoding.values).integer && tensor_.cols() % kGgufBlock == 0;
    if (!has_grid || encoding.group % kGgufBlock != 0) return out;
    integers_.resize(tensor_.cols());
    multipliers_.resize(tensor_.cols() / kGgufBlock);
    decode_row_integers(tensor_, row, starts_[row], integers_.data());
    for (size_t block = 0; block < multipliers_.size(); ++block) {
      const int multiplier = group_scale(tensor_, row, block * kGgufBlock);
      multipliers_[block] = static_cast<uint8_t>(multiplier);
      for (size_t i = block * kGgufBlock; multiplier > 1 && i < (block + 1) * kGgufBlock; ++i) {
        integers_[i] = static_cast<int8_t>(integers_[i] / multiplier);
      }
    }
    out.integers = integers_;
    out.multipliers = multipliers_;
    out.scale = row_scale(tensor_, row);
    return out;
  }

 private:
  const EncodedTensor& tensor_;
  std::vector<uint64_t> starts_;
  std::vector<float> values_;
  std::vector<int8_t> integers_;
  std::vector<uint8_t> multipliers_;
};

uint64_t source_row(uint64_t row, uint64_t head_width) { return head_width == 0 ? row : hf_row(row, head_width); }

void write_plain(const EncodedTensor& tensor, uint64_t head_width, const GgufSink& sink) {
  RowReader reader(tensor);
  for (uint64_t row = 0; row < tensor.rows(); ++row) sink(reader.with_grid(source_row(row, head_width)));
}

void write_product(const EncodedTensor& up, const EncodedTensor& down, uint64_t head_width, const GgufSink& sink) {
  ProductRows product(up, down);
  for (uint64_t row = 0; row < up.rows(); ++row) sink({product.row(source_row(row, head_width))});
}

/// "model.layers.7.mlp.up_proj" -> "model.layers.{}.mlp.up_proj" and 7.
struct Place {
  std::string pattern;
  std::optional<uint64_t> layer;
};
Place place_of(const std::string& name) {
  size_t begin = 0;
  while (begin < name.size()) {
    const size_t end = std::min(name.find('.', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    if (!part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == part.npos) {
      return {name.substr(0, begin) + "{}" + name.substr(end), std::stoull(part)};
    }
    begin = end + 1;
  }
  return {name, std::nullopt};
}

/// The parts that GPT-2 has in one tensor, in its order.
constexpr std::string_view kFused[] = {".attn.q", ".attn.k", ".attn.v"};
constexpr std::string_view kFusedName = ".attn.c_attn";

class ProgramReader {
 public:
  ProgramReader(const Artifact& artifact, const GgufArchitectureRow& row)
      : artifact_(artifact), program_(artifact.program()), row_(row) {}

  GgufProgram run() {
    for (const Op& op : program_.ops) read(op);
    for (const GgufName& name : row_.names) take(name);
    for (const auto& [name, weight] : found_) fail_op(name, "has no place in a GGUF file of this architecture");
    out_.layers = layers_.size();
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail_op(const std::string& name, const std::string& why, Errc code = Errc::unsupported) const {
    fail(code, message(artifact_.file().path(), ": ", row_.name, ": ", printable(name), " ", why));
  }
  const std::string& name_of(const Op& op) const { return program_.values[op.output].name; }
  EncodedTensor weight(const Op& op, size_t index) const {
    return artifact_.tensor(program_.weights[op.weights[index]]).tensor;
  }

  void read(const Op& op) {
    std::visit([&](const auto& attributes) { read(attributes, op); }, op.attributes);
  }

  // What the architecture does anyway.
  void read(const ops::Add&, const Op&) {}
  void read(const ops::Multiply&, const Op&) {}

  void read(const ops::Pool&, const Op& op) { fail_kind(op); }
  void read(const ops::Normalize&, const Op& op) { fail_kind(op); }
  void fail_kind(const Op& op) const {
    fail_op(name_of(op), message("is of kind ", op_name(op.attributes), ", which GGUF has no place for"));
  }

  void read(const ops::Embedding& attributes, const Op& op) {
    if (attributes.stream == Stream::tokens) table_ = op.weights[0];
    add_weights(op);
  }

  /// Two linear ops may stand for one, then the first writes what only the second reads.
  void read(const ops::Linear&, const Op& op) {
    const std::string& name = program_.weights[op.weights[0]];
    if (name.ends_with(kDownFactor)) {
      down_[op.output] = weight(op, 0);
      return;
    }
    const bool is_head = program_.outputs.size() == 1 && program_.outputs[0] == op.output;
    if (is_head && op.weights[0] == table_) return;  // tied: the file has the table once
    const auto down = down_.find(op.inputs[0]);
    if (down == down_.end()) return add_weights(op);
    if (!name.ends_with(kUpFactor)) fail_op(name, "cannot follow a low-rank layer");
    add(name.substr(0, name.size() - kUpFactor.size()), {weight(op, 0), std::exchange(down->second, std::nullopt)});
    if (op.has_weight(1)) add(program_.weights[op.weights[1]], {weight(op, 1), std::nullopt});
  }

  void read(const ops::RmsNorm& attributes, const Op& op) { read_norm(attributes.epsilon, op); }
  void read(const ops::LayerNorm& attributes, const Op& op) { read_norm(attributes.epsilon, op); }
  void read_norm(float epsilon, const Op& op) {
    same("epsilon", out_.epsilon, epsilon, name_of(op));
    add_weights(op);
  }

  void read(const ops::Attention& attributes, const Op& op) {
    if (attributes.mask != AttentionMask::causal) fail_op(name_of(op), "is not causal");
    const bool is_first = out_.heads == 0;
    same("the number of heads", out_.heads, uint64_t{attributes.heads}, name_of(op));
    same("the number of heads of keys", out_.kv_heads, uint64_t{attributes.kv_heads}, name_of(op));
    if (is_first) out_.window = attributes.window;
    if (out_.window != attributes.window) fail_op(name_of(op), "has another window than the layer before");
  }

  void read(const ops::Activation& attributes, const Op& op) {
    const ActivationFunction wanted =
        row_.architecture == GgufArchitecture::gpt2 ? ActivationFunction::gelu_tanh : ActivationFunction::silu;
    if (attributes.function == wanted) return;
    fail_op(name_of(op), message("is ", kActivations.name(attributes.function), ", GGUF means ",
                                 kActivations.name(wanted), " for this architecture"));
  }

  void read(const ops::Rope& attributes, const Op& op) {
    if (attributes.pairs != RopePairs::halves) fail_op(name_of(op), "turns neighbours, not halves");
    const std::vector<float> frequencies = decode(weight(op, 0));
    if (out_.frequencies.empty()) out_.frequencies = frequencies;
    if (out_.frequencies != frequencies) fail_op(name_of(op), "has other frequencies than the layer before");
  }

  template <class T>
  void same(const char* what, T& known, T found, const std::string& name) const {
    if (known == T{}) known = found;
    if (known == found) return;
    fail_op(name, message("has ", found, " as ", what, ", the layers before have ", known, "; GGUF has one for all"));
  }

  void add_weights(const Op& op) {
    for (size_t i = 0; i < op.weights.size(); ++i) {
      if (op.has_weight(i)) add(program_.weights[op.weights[i]], {weight(op, i), std::nullopt});
    }
  }

  void add(const std::string& name, GgufFactor factor) {
    Place place = place_of(name);
    size_t part = 0;
    for (size_t i = 0; row_.architecture == GgufArchitecture::gpt2 && i < std::size(kFused); ++i) {
      const size_t at = place.pattern.find(message(kFused[i], "."));
      if (at == place.pattern.npos) continue;
      place.pattern.replace(at, kFused[i].size(), kFusedName);
      part = i;
    }
    const GgufName* row = find_hf_name(row_, place.pattern);
    const std::string_view root = row_.architecture == GgufArchitecture::gpt2 ? "transformer." : "model.";
    if (row == nullptr) row = find_hf_name(row_, message(root, place.pattern));
    if (row == nullptr) fail_op(name, "has no place in a GGUF file of this architecture");
    uint64_t layer = 0;
    if (place.layer.has_value()) layer = layers_.try_emplace(*place.layer, layers_.size()).first->second;
    GgufWeight& weight = found_[with_layer(row->gguf, layer)];
    if (weight.factors.size() != part) fail_op(name, "is not where it is expected", Errc::malformed);
    weight.row = row;
    weight.layer = layer;
    weight.factors.push_back(std::move(factor));
  }

  /// Moves what is there of that name to the result.
  void take(const GgufName& name) {
    for (uint64_t layer = 0; layer < (has_layer(name.gguf) ? layers_.size() : 1); ++layer) {
      const std::string tensor = with_layer(name.gguf, layer);
      auto node = found_.extract(tensor);
      if (node.empty() && name.is_required) fail_op(tensor, "is missing", Errc::malformed);
      if (node.empty()) continue;
      node.mapped().name = tensor;
      if (name.gguf.find("attn_qkv") != name.gguf.npos && node.mapped().factors.size() != std::size(kFused)) {
        fail_op(tensor, "is not complete", Errc::malformed);
      }
      out_.weights.push_back(std::move(node.mapped()));
    }
  }

  const Artifact& artifact_;
  const Program& program_;
  const GgufArchitectureRow& row_;
  GgufProgram out_;
  uint32_t table_ = kNone;
  std::map<uint32_t, std::optional<EncodedTensor>> down_;  // by the value between the two
  std::map<uint64_t, uint64_t> layers_;                    // of the program -> of the file
  std::map<std::string, GgufWeight> found_;
};

}  // namespace

Shape GgufWeight::shape() const {
  uint64_t rows = 0;
  for (const GgufFactor& factor : factors) rows += is_vector() ? factor.columns() : factor.rows();
  return is_vector() ? Shape{rows} : Shape{rows, factors.front().columns()};
}

void write_rows(const GgufWeight& weight, uint64_t head_width, const GgufSink& sink) {
  if (weight.is_vector()) {
    std::vector<float> all;
    for (const GgufFactor& factor : weight.factors) {
      const std::vector<float> part = decode(factor.up);
      for (size_t i = 0; i < part.size(); ++i) all.push_back(part[source_row(i, head_width)]);
    }
    sink({all});
    return;
  }
  for (const GgufFactor& factor : weight.factors) {
    if (factor.down.has_value()) {
      write_product(factor.up, *factor.down, head_width, sink);
    } else {
      write_plain(factor.up, head_width, sink);
    }
  }
}

const GgufWeight* GgufProgram::find(std::string_view name) const {
  const auto found = std::find_if(weights.begin(), weights.end(), [&](const GgufWeight& w) { return w.name == name; });
  return found == weights.end() ? nullptr : &*found;
}

GgufProgram read_gguf_program(const Artifact& artifact, const GgufArchitectureRow& row) {
  return ProgramReader(artifact, row).run();
}

}  // namespace lathe
