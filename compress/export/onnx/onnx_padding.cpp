#include "compress/export/onnx/onnx_padding.h"

#include <limits>

namespace lathe {
namespace {

constexpr const char* kIds = "input_ids";
constexpr const char* kMask = "attention_mask";
constexpr const char* kSegments = "token_type_ids";

}  // namespace

OnnxPadding::OnnxPadding(OnnxGraph& graph, bool has_segments) : graph_(graph) {
  graph_.input({kIds, OnnxType::i64, {"batch", "sequence"}});
  graph_.input({kMask, OnnxType::i64, {"batch", "sequence"}});
  if (has_segments) graph_.input({kSegments, OnnxType::i64, {"batch", "sequence"}});
}

const std::string& OnnxPadding::once(std::string& name, const std::function<std::string()>& make) {
  if (name.empty()) name = make();
  return name;
}

std::string OnnxPadding::ids(Stream stream) {
  switch (stream) {  // without a default: the compiler names a stream that is missing
    case Stream::tokens:
      return kIds;
    case Stream::positions:
      return positions();
    case Stream::segments:
      return kSegments;
  }
  fail(Errc::internal, "the export to ONNX lacks a stream of ids");
}

// 0, 1, 2 ... for each text, as long as the longest.
std::string OnnxPadding::positions() {
  return once(positions_, [&] {
    const std::string shape = graph_.node("Shape", {kIds}, "positions/shape");
    const std::string count = graph_.node("Gather", {shape, graph_.integer(1)}, "positions/count");
    const std::string row = graph_.node("Range", {graph_.integer(0), count, graph_.integer(1)}, "positions/row");
    return graph_.node("Expand", {row, shape}, "positions");
  });
}

const std::string& OnnxPadding::numbers() {
  return once(numbers_, [&] {
    return graph_.node("Cast", {kMask}, "mask/numbers", {{"to", static_cast<int64_t>(OnnxType::f32)}});
  });
}

const std::string& OnnxPadding::column() {
  return once(column_, [&] { return graph_.node("Unsqueeze", {numbers(), graph_.integers({2})}, "mask/column"); });
}

const std::string& OnnxPadding::is_token() {
  return once(is_token_, [&] {
    return graph_.node("Cast", {column()}, "mask/is_token", {{"to", static_cast<int64_t>(OnnxType::boolean)}});
  });
}

// At least one, so that a row of padding alone gives no division by zero.
const std::string& OnnxPadding::lengths() {
  return once(lengths_, [&] {
    const std::string sum =
        graph_.node("ReduceSum", {numbers(), graph_.integers({1})}, "mask/sum", {{"keepdims", int64_t{1}}});
    return graph_.node("Max", {sum, graph_.number(1)}, "mask/lengths");
  });
}

const std::string& OnnxPadding::bias() {
  return once(bias_, [&] {
    const std::string wide = graph_.node("Unsqueeze", {numbers(), graph_.integers({1, 2})}, "mask/wide");
    const std::string padding = graph_.node("Sub", {graph_.number(1), wide}, "mask/padding");
    return graph_.node("Mul", {padding, graph_.number(std::numeric_limits<float>::lowest())}, "mask/bias");
  });
}

}  // namespace lathe
