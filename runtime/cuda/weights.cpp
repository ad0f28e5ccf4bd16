#include "runtime/cuda/weights.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "formats/artifact/error.h"
#include "runtime/cpu/kernels/common/gelu_table.inl.h"
#include "runtime/cuda/launch.h"
#include "runtime/cuda/packing.h"

namespace lathe::cuda {
namespace {

constexpr size_t kStagingBytes = 8 << 20;

// Copies host memory to the device through two pinned buffers: one is filled while the other is on its way.
class Uploader {
 public:
  explicit Uploader(Device& device) {
    for (Lane& lane : lanes_) lane = {device.make_queue(), PinnedMemory(device, kStagingBytes, "copies of weights")};
  }

  void copy(void* to, const void* from, size_t bytes) {
    for (size_t done = 0; done < bytes; done += kStagingBytes) {
      const size_t count = std::min(kStagingBytes, bytes - done);
      Lane& lane = lanes_[next_++ % lanes_.size()];
      lane.queue->wait();
      std::memcpy(lane.staging.data(), static_cast<const std::byte*>(from) + done, count);
      lane.queue->upload(static_cast<std::byte*>(to) + done, lane.staging.data(), count);
    }
  }
  template <class T>
  void copy(const void* to, const std::vector<T>& from) {
    copy(const_cast<void*>(to), from.data(), from.size() * sizeof(T));
  }
  // Everything that was copied is there, and `queue` may work on it.
  Queue& finish() {
    for (Lane& lane : lanes_) lane.queue->wait();
    return *lanes_[0].queue;
  }

 private:
  struct Lane {
    std::unique_ptr<Queue> queue;
    PinnedMemory staging;
  };
  std::array<Lane, 2> lanes_;
  size_t next_ = 0;
};

// The names of a program's weights, each once and in the order of the ops.
struct Names {
  std::vector<std::string> matrices;
  std::vector<std::string> vectors;
};

Names names_of(const Program& program) {
  Names names;
  std::set<std::string> seen;
  const auto add = [&](std::vector<std::string>& list, const Op& op, size_t slot) {
    if (!op.has_weight(slot)) return;
    const std::string& name = program.weights[op.weights[slot]];
    if (seen.insert(name).second) list.push_back(name);
  };
  for (const Op& op : program.ops) {
    const bool has_matrix = op.is<ops::Embedding>() || op.is<ops::Linear>();
    for (size_t slot = 0; slot < op.weights.size(); ++slot) {
      add(has_matrix && slot == 0 ? names.matrices : names.vectors, op, slot);
    }
  }
  return names;
}

// Gives the parts of a matrix their places.
WeightView place(const EncodedTensor& tensor, Arena& arena) {
  WeightView view = describe(tensor);
  const size_t rows = view.outputs;
  view.values = arena.take<unsigned char>(packed_value_bytes(tensor) + 16);  // a kernel may read to the end of 16 bytes
  if (view.row_bytes == 0) {
    view.row_starts = arena.take<uint64_t>(rows);
    view.mask = arena.take<uint32_t>(rows * ceil_div(view.inputs, 32));
  }
  if (view.group != 0) view.multipliers = arena.take<unsigned char>(rows * view.groups);
  if (is_integer(view.format)) {
    view.row_scales = arena.take<float>(rows);
    view.column_sums = arena.take<int32_t>(rows);
  }
  return view;
}

// Gives every weight its place; with a null base only the size of the arena means anything.
void place_all(const Names& names, const WeightLookup& weights, Arena& arena, WeightStore& store) {
  store.gelu_table = arena.take<float>(std::size(kernels::kGeluTable) * std::size(kernels::kGeluTable[0]));
  for (const std::string& name : names.matrices) store.matrices[name] = place(weights(name), arena);
  for (const std::string& name : names.vectors) {
    const EncodedTensor tensor = weights(name);
    const size_t numbers = tensor.rows() * tensor.cols();
    store.vectors[name] = {arena.take<float>(numbers), numbers};
  }
}

// In slices of rows, so that host memory stays small; a matrix with a mask goes whole.
void upload_matrix(const EncodedTensor& tensor, const WeightView& view, Uploader& uploader) {
  constexpr uint64_t kSliceBytes = 32 << 20;
  const std::vector<uint64_t> starts = row_starts(tensor);
  const uint64_t rows = tensor.rows();
  const uint64_t slice = view.row_bytes == 0 ? rows : std::max<uint64_t>(1, kSliceBytes / view.row_bytes);
  for (uint64_t first = 0; first < rows; first += slice) {
    const PackedWeight packed = pack(tensor, starts, first, std::min(first + slice, rows));
    uploader.copy(view.values + first * view.row_bytes, packed.values);
    uploader.copy(view.row_starts, packed.row_starts);
    uploader.copy(view.mask, packed.mask);
    uploader.copy(view.multipliers + first * view.groups, packed.multipliers);
    if (is_integer(view.format)) uploader.copy(view.row_scales + first, packed.row_scales);
  }
}

std::string kernel_of(const Op& op, const WeightView& view) {
  if (op.is<ops::Embedding>()) return message("cuda_gather_", format_name(view.format));
  return message("cuda_linear_", format_name(view.format));
}

void list_kernels(const Program& program, const WeightLookup& weights, WeightStore& store) {
  std::set<std::string> seen;
  for (const Op& op : program.ops) {
    if (!op.is<ops::Embedding>() && !op.is<ops::Linear>()) continue;
    const std::string& name = program.weights[op.weights[0]];
    const std::string kernel = kernel_of(op, store.matrices.at(name));
    if (seen.insert(name + kernel).second) {
      store.kernels.push_back({name, encoding_name(weights(name).encoding), kernel});
    }
  }
}

}  // namespace

const char* format_name(Format format) {
  constexpr std::array kNames = {"f32", "f16", "bf16", "int8", "int4", "int8_bitmask", "int4_bitmask"};
  return kNames[static_cast<size_t>(format)];
}

WeightStore upload_weights(Device& device, const Program& program, const WeightLookup& weights) {
  const Names names = names_of(program);
  WeightStore store;
  store.memory = allocate_pieces(device, "the weights", [&](Arena& arena) { place_all(names, weights, arena, store); });
  Uploader uploader(device);
  for (const std::string& name : names.matrices) {
    upload_matrix(weights(name), store.matrices[name], uploader);
  }
  for (const std::string& name : names.vectors) uploader.copy(store.vectors[name].data(), decode(weights(name)));
  uploader.copy(const_cast<float*>(store.gelu_table), kernels::kGeluTable, sizeof kernels::kGeluTable);
  Queue& queue = uploader.finish();
  for (const auto& [name, view] : store.matrices) {
    if (!is_integer(view.format)) continue;
    launch<RowSums>(queue, {blocks_for(view.outputs, kWarpsOfBlock)}, {view, const_cast<int32_t*>(view.column_sums)});
  }
  queue.wait();
  list_kernels(program, weights, store);
  return store;
}

}  // namespace lathe::cuda
