#include "formats/hdf5/worker/dataset.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace lathe::hdf5 {
namespace {

// The most that deflate can make of a byte is 1,032 bytes.
constexpr uint64_t kMaxExpansion = 1100;
// One piece of a dataset; a chunk of the file that is larger is one piece.
constexpr uint64_t kPieceBytes = uint64_t{16} << 20;
constexpr std::array<H5Z_filter_t, 3> kFilters = {H5Z_FILTER_DEFLATE, H5Z_FILTER_SHUFFLE, H5Z_FILTER_FLETCHER32};

struct Storage {
  bool is_chunked = false;
  bool has_filters = false;
  Shape chunk;  // of a chunked dataset
};

void check_filters(hid_t plist, const std::string& what) {
  const int count = checked(H5Pget_nfilters(plist), what);
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0, config = 0;
    size_t values = 0;
    std::array<char, 80> name{};
    const H5Z_filter_t filter = checked(
        H5Pget_filter2(plist, static_cast<unsigned>(i), &flags, &values, nullptr, name.size(), name.data(), &config),
        what);
    if (std::find(kFilters.begin(), kFilters.end(), filter) != kFilters.end()) continue;
    name.back() = '\0';
    fail(Errc::unsupported, message(what, " is compressed with filter ", filter, " (", name.data(),
                                    "), supported are deflate, shuffle and fletcher32"));
  }
}

/// Asked for before anything else, so that no other file is ever looked for.
Storage storage_of(hid_t dataset, const std::string& what) {
  const Handle plist(checked(H5Dget_create_plist(dataset), what), H5Pclose);
  const H5D_layout_t layout = checked(H5Pget_layout(plist.get()), what);
  if (layout == H5D_VIRTUAL) {
    fail(Errc::unsupported, message(what, " is a virtual dataset: its values lie in other files"));
  }
  if (checked(H5Pget_external_count(plist.get()), what) != 0) {
    fail(Errc::malformed, message(what, " refers to an outside file for its values, which is never read"));
  }
  check_filters(plist.get(), what);
  Storage storage;
  storage.is_chunked = layout == H5D_CHUNKED;
  storage.has_filters = H5Pget_nfilters(plist.get()) > 0;
  if (storage.is_chunked) {
    std::array<hsize_t, H5S_MAX_RANK> chunk{};
    const int rank = checked(H5Pget_chunk(plist.get(), H5S_MAX_RANK, chunk.data()), what);
    storage.chunk.assign(chunk.begin(), chunk.begin() + rank);
  }
  return storage;
}

Shape shape_of(hid_t dataset, const std::string& what) {
  const Handle space(checked(H5Dget_space(dataset), what), H5Sclose);
  const H5S_class_t kind = checked(H5Sget_simple_extent_type(space.get()), what);
  if (kind == H5S_NULL) fail(Errc::unsupported, message(what, " has no dimensions and no values"));
  const int rank = checked(H5Sget_simple_extent_ndims(space.get()), what);
  if (rank > static_cast<int>(kMaxRank)) {
    fail(Errc::unsupported, message(what, " has ", rank, " dimensions, at most ", kMaxRank, " are supported"));
  }
  std::array<hsize_t, H5S_MAX_RANK> extents{};
  checked(H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr), what);
  Shape shape(extents.begin(), extents.begin() + rank);
  for (const uint64_t extent : shape) {
    if (extent >= kMaxDim) fail(Errc::malformed, message(what, " has dimension ", extent, ", expected below 2^48"));
  }
  return shape;
}

void check_chunks(hid_t dataset, const Storage& storage, const Shape& shape, const std::string& what) {
  if (storage.chunk.size() != shape.size()) fail(Errc::malformed, message(what, " has chunks of another rank"));
  uint64_t expected = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (storage.chunk[i] == 0) fail(Errc::malformed, message(what, " has empty chunks"));
    expected = checked_mul(expected, ceil_div(shape[i], storage.chunk[i]), what);
  }
  const Handle space(checked(H5Dget_space(dataset), what), H5Sclose);
  hsize_t stored = 0;
  checked(H5Dget_num_chunks(dataset, space.get(), &stored), what);
  if (stored != expected) {
    fail(Errc::malformed, message(what, " ", shape_text(shape), " has ", stored, " of the ", expected,
                                  " chunks that it needs: the rest of its values is not stored"));
  }
}

void check_chunk_bytes(const Storage& storage, uint64_t element_bytes, uint64_t limit, const std::string& what) {
  const uint64_t bytes = checked_mul(element_count(storage.chunk, what), element_bytes, what);
  if (bytes <= limit) return;
  fail(Errc::limit, message(what, " has chunks of ", bytes, " bytes, the limit for a file of this size is ", limit));
}

void check_size(hid_t dataset, const Storage& storage, uint64_t bytes, uint64_t file_bytes, const std::string& what) {
  const uint64_t stored = H5Dget_storage_size(dataset);
  if (stored == 0) {
    fail(Errc::malformed, message(what, " should hold ", bytes, " bytes of values, but none are stored"));
  }
  if (stored > file_bytes) {
    fail(Errc::malformed, message(what, " claims ", stored, " stored bytes, the file has ", file_bytes));
  }
  const bool fits = storage.has_filters ? bytes / kMaxExpansion <= stored : bytes <= stored;
  if (!fits) {
    fail(Errc::malformed,
         message(what, " should hold ", bytes, " bytes of values, which the ", stored, " stored bytes cannot be"));
  }
}

/// The shape of a piece: whole chunks, or rows where there are none, as many as fit.
Shape piece_shape(const Shape& shape, const Shape& chunk, uint64_t element_bytes) {
  Shape piece = chunk.empty() ? Shape(shape.size(), 1) : chunk;
  uint64_t elements = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    piece[i] = std::min(piece[i], shape[i]);
    elements *= piece[i];
  }
  const uint64_t most = kPieceBytes / element_bytes;
  for (size_t i = shape.size(); i-- > 0;) {
    const uint64_t inner = elements / piece[i];
    const uint64_t times = std::max<uint64_t>(most / inner / piece[i], 1);
    elements = inner * std::min(shape[i], piece[i] * times);
    piece[i] = std::min(shape[i], piece[i] * times);
    if (piece[i] != shape[i]) break;
  }
  return piece;
}

/// Advances to the next piece; false after the last.
bool next_piece(Shape& start, const Shape& piece, const Shape& shape) {
  for (size_t i = start.size(); i-- > 0;) {
    start[i] += piece[i];
    if (start[i] < shape[i]) return true;
    start[i] = 0;
  }
  return false;
}

/// Hands a piece on in runs that lie together in the tensor.
void scatter(Bytes piece, const Shape& start, const Shape& count, const Shape& shape, uint64_t element_bytes,
             const PieceSink& sink) {
  size_t split = shape.size();  // dimensions from here on are complete
  uint64_t run = element_bytes;
  while (split > 0 && count[split - 1] == shape[split - 1]) run *= count[--split];
  if (split > 0) run *= count[--split];
  Shape at(split, 0);  // in the dimensions outside the run
  const Shape ones(split, 1);
  const Shape outer(count.begin(), count.begin() + static_cast<std::ptrdiff_t>(split));
  for (uint64_t from = 0;; from += run) {
    uint64_t index = 0;
    for (size_t i = 0; i < shape.size(); ++i) index = index * shape[i] + start[i] + (i < split ? at[i] : 0);
    sink(index * element_bytes, piece.subspan(from, run));
    if (!next_piece(at, ones, outer)) return;
  }
}

}  // namespace

Bounds bounds_of(uint64_t file_bytes) {
  rlimit memory{};
  const bool is_limited = ::getrlimit(RLIMIT_AS, &memory) == 0 && memory.rlim_cur != RLIM_INFINITY;
  return {file_bytes, is_limited ? memory.rlim_cur / 4 : ~uint64_t{0}};
}

DatasetFacts examine_dataset(hid_t dataset, const std::string& what, const Bounds& bounds) {
  const Storage storage = storage_of(dataset, what);
  const ElementType type = element_type(dataset, what);
  if (!type.ignored.empty()) return {type.dtype, {}, type.ignored};
  const Shape shape = shape_of(dataset, what);
  const uint64_t count = element_count(shape, what);
  if (count == 0) return {type.dtype, shape, {}};
  const uint64_t bytes = checked_mul(count, dtype_bytes(type.dtype), what);
  check_size(dataset, storage, bytes, bounds.file_bytes, what);
  if (storage.is_chunked) {
    check_chunk_bytes(storage, dtype_bytes(type.dtype), bounds.chunk_bytes, what);
    check_chunks(dataset, storage, shape, what);
  }
  return {type.dtype, shape, {}};
}

void read_dataset(hid_t dataset, const std::string& what, const PieceSink& sink) {
  const ElementType type = element_type(dataset, what);
  const uint64_t element_bytes = dtype_bytes(type.dtype);
  const Shape shape = shape_of(dataset, what);
  if (element_count(shape, what) == 0) return;
  const Shape piece = piece_shape(shape, storage_of(dataset, what).chunk, element_bytes);
  const Handle space(checked(H5Dget_space(dataset), what), H5Sclose);
  std::vector<std::byte> buffer;
  Shape start(shape.size(), 0);
  do {
    Shape count = piece;
    for (size_t i = 0; i < shape.size(); ++i) count[i] = std::min(piece[i], shape[i] - start[i]);
    const std::vector<hsize_t> from(start.begin(), start.end()), extent(count.begin(), count.end());
    Handle memory(H5Screate(H5S_SCALAR), H5Sclose);
    if (!shape.empty()) {
      memory =
          Handle(checked(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr), what), H5Sclose);
      checked(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, from.data(), nullptr, extent.data(), nullptr), what);
    }
    buffer.resize(element_count(count, what) * element_bytes);
    checked(H5Dread(dataset, type.memory.get(), memory.get(), space.get(), H5P_DEFAULT, buffer.data()), what);
    scatter(buffer, start, count, shape, element_bytes, sink);
  } while (next_piece(start, piece, shape));
}

}  // namespace lathe::hdf5
