#include "formats/pytorch/pickle_tensors.h"

#include "formats/text.h"

namespace lathe {
namespace {

constexpr size_t kMaxKey = 255;

std::string value_text(const PickleGraph& graph, const PickleValue& value) {
  if (value.kind == PickleKind::integer) return message(value.integer);
  if (value.kind == PickleKind::text) return message("\"", printable(graph.text(value)), "\"");
  return kind_text(value.kind);
}

void require_kind(const PickleGraph& graph, const PickleValue& value, PickleKind kind, std::string_view what,
                  std::string_view where) {
  if (value.kind == kind) return;
  fail(Errc::malformed, message(where, ": ", what, " is ", value_text(graph, value), ", expected ", kind_text(kind)));
}

uint64_t read_count(const PickleGraph& graph, const PickleValue& value, std::string_view what, std::string_view where) {
  require_kind(graph, value, PickleKind::integer, what, where);
  if (value.integer < 0) {
    fail(Errc::malformed, message(where, ": ", what, " is ", value.integer, ", expected 0 or more"));
  }
  return static_cast<uint64_t>(value.integer);
}

const PickleGlobal& read_global(const PickleGraph& graph, const PickleValue& value, std::string_view what,
                                std::string_view where) {
  require_kind(graph, value, PickleKind::global, what, where);
  return graph.globals[value.index];
}

std::vector<uint64_t> read_counts(const PickleGraph& graph, const PickleValue& value, std::string_view what,
                                  std::string_view where) {
  if (value.kind != PickleKind::tuple && value.kind != PickleKind::list) {
    require_kind(graph, value, PickleKind::tuple, what, where);
  }
  const std::vector<PickleValue>& items = graph.items(value);
  if (items.size() > kMaxRank) {
    fail(Errc::unsupported,
         message(where, ": ", what, " has ", items.size(), " dimensions, at most ", kMaxRank, " are read"));
  }
  std::vector<uint64_t> counts;
  for (size_t i = 0; i < items.size(); ++i) {
    counts.push_back(read_count(graph, items[i], message(what, "[", i, "]"), where));
  }
  return counts;
}

Shape read_shape(const PickleGraph& graph, const PickleValue& value, std::string_view where) {
  Shape shape = read_counts(graph, value, "size", where);
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] >= kMaxDim) {
      fail(Errc::malformed, message(where, ": size[", i, "] is ", shape[i], ", expected less than ", kMaxDim));
    }
  }
  element_count(shape, message(where, ": size"));
  return shape;
}

/// Every element has to lie inside the storage.
void check_extent(const PickleTensor& tensor, uint64_t capacity, std::string_view where) {
  const std::string what = message(where, ": storage_offset, size and stride");
  uint64_t end = tensor.offset;  // one past the last element
  bool is_empty = false;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    is_empty = is_empty || tensor.shape[i] == 0;
    if (tensor.shape[i] == 0) continue;
    end = checked_add(end, checked_mul(tensor.shape[i] - 1, tensor.strides[i], what), what);
  }
  if (!is_empty) end = checked_add(end, 1, what);
  if (is_empty ? tensor.offset <= capacity : end <= capacity) return;
  fail(Errc::malformed, message(where, ": the tensor of size ", shape_text(tensor.shape), " with stride ",
                                shape_text(tensor.strides), " and storage_offset ", tensor.offset,
                                " reaches to element ", end, " of a storage that has ", capacity));
}

}  // namespace

PickleStorage read_storage_id(const PickleGraph& graph, const PickleValue& id, std::string_view where) {
  require_kind(graph, id, PickleKind::tuple, "a persistent id", where);
  const std::vector<PickleValue>& parts = graph.items(id);
  // The legacy form has a sixth part.
  if ((parts.size() != 5 && parts.size() != 6) || parts[0].kind != PickleKind::text ||
      graph.text(parts[0]) != "storage") {
    fail(Errc::malformed,
         message(where, ": a persistent id of ", parts.size(), " parts that begins with ",
                 parts.empty() ? "nothing" : value_text(graph, parts[0]), ", expected 5 parts and \"storage\""));
  }
  if (parts.size() == 6 && parts[5].kind != PickleKind::none) {
    fail(Errc::unsupported, message(where,
                                    ": a storage that is a part of another one, as only versions before 0.4 "
                                    "wrote: load it with PyTorch and save it again"));
  }
  const PickleGlobal& kind = read_global(graph, parts[1], "the storage's class", where);
  if (kind.role != GlobalRole::storage && kind.role != GlobalRole::untyped_storage) {
    fail(Errc::malformed, message(where, ": ", kind.module, ".", kind.name, " is no class of storages"));
  }
  PickleStorage storage;
  storage.is_untyped = kind.role == GlobalRole::untyped_storage;
  storage.type = storage.is_untyped ? &torch_byte_type() : kind.type;
  require_kind(graph, parts[2], PickleKind::text, "the storage's key", where);
  storage.key = graph.text(parts[2]);
  if (storage.key.empty() || storage.key.size() > kMaxKey ||
      storage.key.find_first_of(std::string_view("/\\\0", 3)) != storage.key.npos) {
    fail(Errc::malformed,
         message(where, ": the storage's key is \"", printable(storage.key), "\", expected the bare name of a record"));
  }
  require_kind(graph, parts[3], PickleKind::text, "the storage's location", where);
  const std::string what = message("the number of elements of storage ", printable(storage.key));
  storage.elements = read_count(graph, parts[4], what, where);
  checked_mul(storage.elements, storage.type->bytes, message(where, ": ", what));
  return storage;
}

PickleTensor read_tensor_call(const PickleGraph& graph, const PickleGlobal& maker,
                              std::span<const PickleValue> arguments, std::string_view where) {
  PickleTensor tensor;
  if (maker.role == GlobalRole::tensor_other_layout) {
    tensor.other_layout = maker.name;
    return tensor;
  }
  require_kind(graph, arguments[0], PickleKind::storage, "the storage", where);
  tensor.storage = arguments[0].index;
  const PickleStorage& storage = graph.storages[tensor.storage];
  tensor.type = storage.type;
  if (maker.role == GlobalRole::tensor_v3) {
    const PickleGlobal& type = read_global(graph, arguments[6], "dtype", where);
    if (type.role != GlobalRole::dtype) {
      fail(Errc::malformed, message(where, ": dtype is ", type.module, ".", type.name, ", expected a type"));
    }
    tensor.type = type.type;
  }
  tensor.offset = read_count(graph, arguments[1], "storage_offset", where);
  tensor.shape = read_shape(graph, arguments[2], where);
  tensor.strides = read_counts(graph, arguments[3], "stride", where);
  if (tensor.strides.size() != tensor.shape.size()) {
    fail(Errc::malformed,
         message(where, ": size ", shape_text(tensor.shape), " has ", tensor.shape.size(), " dimensions and stride ",
                 shape_text(tensor.strides), " has ", tensor.strides.size()));
  }
  check_extent(tensor, storage.elements * storage.type->bytes / tensor.type->bytes, where);
  return tensor;
}

}  // namespace lathe
