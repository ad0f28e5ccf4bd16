#include "runtime/cpu/weights.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace lathe::cpu {
namespace {

using kernels::IntegerFormat;
using kernels::IntegerLinearKernel;
using kernels::IntegerWeight;

constexpr size_t kMaxIntegerInputs = 65536;  // 65536 * 255 * 128 < 2^31
constexpr size_t kArrayPadding = 64;         // entries that kernels may read past the end of per-output arrays

template <class Kernel>
const Kernel* first_of_level(std::span<const Kernel* const> table, Isa isa) {
  for (const Kernel* kernel : table) {
    if (kernel->isa <= isa) return kernel;
  }
  fail(Errc::internal, "a kernel table lacks its generic row");
}

IntegerFormat format_of(const Encoding& encoding) {
  const bool sparse = encoding.sparsity == Sparsity::bitmask;
  if (encoding.group == 0) return sparse ? IntegerFormat::int8_bitmask : IntegerFormat::int8_dense;
  return sparse ? IntegerFormat::int4_bitmask : IntegerFormat::int4_dense;
}

std::vector<uint8_t> unpack_group_scales(const EncodedTensor& t) {
  const uint64_t groups = group_count(t.encoding, t.cols());
  std::vector<uint8_t> scales(t.rows() * groups);
  for (uint64_t row = 0; row < t.rows(); ++row) {
    for (uint64_t g = 0; g < groups; ++g) {
      scales[row * groups + g] = static_cast<uint8_t>(group_scale(t, row, g * t.encoding.group));
    }
  }
  return scales;
}

}  // namespace

KernelSet::KernelSet(Isa level)
    : isa(level),
      rows(first_of_level(kernels::row_kernels(), level)),
      float_linear(first_of_level(kernels::float_linear_kernels(), level)) {}

const IntegerLinearKernel* KernelSet::integer_linear(IntegerFormat format, const IntegerWeight& weight) const {
  for (const IntegerLinearKernel* kernel : kernels::integer_linear_kernels()) {
    const bool runs_here = kernel->isa <= isa && (!kernel->needs_vbmi2 || has_vbmi2());
    if (kernel->format == format && runs_here && kernel->supports(weight)) return kernel;
  }
  return nullptr;
}

LinearWeight::LinearWeight(const KernelSet& kernels, PackedMemory& memory, const EncodedTensor& weight,
                           const EncodedTensor* bias)
    : outputs_(weight.rows()), inputs_(weight.cols()) {
  bias_.assign(outputs_ + kArrayPadding, 0.0f);
  if (bias != nullptr) {
    const std::vector<float> values = decode(*bias);
    std::copy(values.begin(), values.end(), bias_.begin());
  }
  if (value_codec(weight.encoding.values).integer) {
    pack_integer(kernels, memory, weight);
  } else {
    pack_float(kernels, memory, weight);
  }
}

void LinearWeight::pack_integer(const KernelSet& kernels, PackedMemory& memory, const EncodedTensor& weight) {
  if (inputs_ > kMaxIntegerInputs) {
    fail(Errc::unsupported, message("an integer weight has ", inputs_, " inputs; at most ", kMaxIntegerInputs,
                                    " are allowed, so that sums fit 32 bits"));
  }
  std::vector<int8_t> integers(outputs_ * inputs_);
  scales_.assign(outputs_ + kArrayPadding, 0.0f);
  no_bias_.assign(outputs_ + kArrayPadding, 0.0f);
  column_sums_.assign(outputs_ + kArrayPadding, 0);
  const std::vector<uint64_t> starts = row_starts(weight);
  for (size_t row = 0; row < outputs_; ++row) {
    int8_t* values = integers.data() + row * inputs_;
    decode_row_integers(weight, row, starts[row], values);
    scales_[row] = row_scale(weight, row);
    column_sums_[row] = std::accumulate(values, values + inputs_, int32_t{0});
  }
  std::vector<uint8_t> group_scales;
  IntegerWeight source{integers.data(), outputs_, inputs_, nullptr, 0};
  IntegerFormat format = format_of(weight.encoding);
  if (weight.encoding.group != 0) {
    group_scales = unpack_group_scales(weight);
    source.group_scales = group_scales.data();
    source.group = weight.encoding.group;
    integer_kernel_ = kernels.integer_linear(format, source);
    if (integer_kernel_ == nullptr) {  // no kernel takes groups of this size: run the integers as int8, which is exact
      source.group_scales = nullptr;
      source.group = 0;
      format = format == IntegerFormat::int4_dense ? IntegerFormat::int8_dense : IntegerFormat::int8_bitmask;
    }
  }
  group_ = source.group;
  if (integer_kernel_ == nullptr) integer_kernel_ = kernels.integer_linear(format, source);
  if (integer_kernel_ == nullptr) {
    fail(Errc::unsupported, message("no kernel runs ", encoding_name(weight.encoding), " ", shape_text(weight.shape)));
  }
  packed_bytes_ = integer_kernel_->packed_bytes(source);
  std::byte* packed = memory.take(packed_bytes_);
  integer_kernel_->pack(source, packed);
  packed_ = packed;
}

void LinearWeight::pack_float(const KernelSet& kernels, PackedMemory& memory, const EncodedTensor& weight) {
  float_kernel_ = kernels.float_linear;
  const std::vector<float> values = decode(weight);
  packed_bytes_ = float_kernel_->packed_bytes(outputs_, inputs_);
  std::byte* packed = memory.take(packed_bytes_);
  float_kernel_->pack(values.data(), outputs_, inputs_, packed);
  packed_ = packed;
}

size_t LinearWeight::scratch_bytes() const {
  return is_integer() ? integer_kernel_->scratch_bytes(outputs_, inputs_) : 0;
}

const char* LinearWeight::kernel_name() const { return is_integer() ? integer_kernel_->name : float_kernel_->name; }

void LinearWeight::run(const float* x, size_t x_stride, size_t rows, kernels::Epilogue epilogue, float* y,
                       size_t y_stride, kernels::Part part) const {
  const kernels::PackedFloat weight{packed_, outputs_, inputs_, bias_.data()};
  float_kernel_->run({x, x_stride, rows, &weight, y, y_stride, epilogue, part});
}

void LinearWeight::run(kernels::IntegerLinearArgs args, bool with_bias) const {
  const kernels::PackedInteger weight{packed_,
                                      outputs_,
                                      inputs_,
                                      group_,
                                      scales_.data(),
                                      column_sums_.data(),
                                      with_bias ? bias_.data() : no_bias_.data()};
  args.weight = &weight;
  integer_kernel_->run(args);
}

std::pair<size_t, size_t> LinearWeight::outputs_of(kernels::Part part) const {
  const auto first = [&](size_t index) { return integer_kernel_->first_output(outputs_, index, part.count); };
  return {first(part.index), first(part.index + 1)};
}

TableWeight::TableWeight(const KernelSet& kernels, const EncodedTensor& table)
    : kernels_(kernels.rows), tensor_(table) {
  if (table.encoding.sparsity == Sparsity::bitmask) row_starts_ = row_starts(table);
}

const char* TableWeight::kernel_name() const {
  return value_codec(tensor_.encoding.values).integer ? kernels_->name : "decode";
}

uint64_t TableWeight::row_start(size_t index) const {
  return row_starts_.empty() ? index * packed_bytes(tensor_.encoding.values, width()) : row_starts_[index];
}

void TableWeight::gather(size_t index, int8_t* scratch, float* y) const {
  const Encoding& encoding = tensor_.encoding;
  const uint64_t start = row_start(index);
  if (encoding == Encoding{}) {
    std::memcpy(y, tensor_.plane(Plane::values).data() + start, width() * sizeof(float));
    return;
  }
  if (!value_codec(encoding.values).integer) {
    decode_row(tensor_, index, start, y);
    return;
  }
  const int8_t* integers = scratch;
  if (encoding == Encoding{ValueType::int8, Sparsity::dense, 0}) {
    integers = reinterpret_cast<const int8_t*>(tensor_.plane(Plane::values).data() + start);
  } else {
    decode_row_integers(tensor_, index, start, scratch);
  }
  std::fill_n(y, width(), 0.0f);
  kernels_->accumulate_int8(integers, row_scale(tensor_, index), width(), y);
}

}  // namespace lathe::cpu
