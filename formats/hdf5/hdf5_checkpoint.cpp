#include "formats/hdf5/hdf5_checkpoint.h"

#include <algorithm>

#include "formats/converted_checkpoint.h"
#include "formats/hdf5/hdf5_contents.h"
#include "formats/hdf5/tensor_names.h"
#include "formats/text.h"

namespace lathe {
namespace {

/// The datasets as they are stored, under the names of tensors.
class Hdf5Checkpoint : public Checkpoint {
 public:
  explicit Hdf5Checkpoint(Hdf5Contents contents)
      : contents_(std::move(contents)), tensors_(name_tensors(contents_.description)) {
    for (const Hdf5Tensor& tensor : tensors_.tensors) names_.push_back(tensor.name);
    if (!names_.empty()) return;
    const std::string reason = tensors_.warnings.empty() ? "it holds nothing" : tensors_.warnings.front();
    fail(Errc::unsupported, message(contents_.description.path, ": there are no tensors in this file (", reason, ")"));
  }

  const std::vector<std::string>& names() const override { return names_; }
  bool has(std::string_view name) const override { return find(name) != nullptr; }

  TensorView tensor(std::string_view name) const override {
    const Hdf5Tensor* tensor = find(name);
    if (tensor == nullptr)
      fail(Errc::malformed, message(contents_.description.path, ": tensor ", printable(name), " is missing"));
    return view_of(*tensor->entry, contents_.description.header, contents_.values.bytes(), contents_.description.path);
  }

  void release(std::string_view name) const noexcept override {
    const Hdf5Tensor* tensor = find(name);
    if (tensor == nullptr) return;
    const uint64_t begin = contents_.description.header.data_offset + tensor->entry->begin;
    contents_.values.release(contents_.values.bytes().subspan(begin, tensor->entry->end - tensor->entry->begin));
  }

  std::vector<SourceFile> files() const override { return {{contents_.description.path, contents_.file_bytes}}; }
  std::string where(std::string_view) const override { return contents_.description.path; }
  std::vector<std::string> warnings() const override { return tensors_.warnings; }

  const std::vector<Hdf5Tensor>& tensors() const { return tensors_.tensors; }

 private:
  const Hdf5Tensor* find(std::string_view name) const {
    const auto found = std::lower_bound(tensors_.tensors.begin(), tensors_.tensors.end(), name,
                                        [](const Hdf5Tensor& tensor, std::string_view n) { return tensor.name < n; });
    return found == tensors_.tensors.end() || found->name != name ? nullptr : &*found;
  }

  Hdf5Contents contents_;
  Hdf5Names tensors_;  // with pointers into contents_
  std::vector<std::string> names_;
};

/// [places..., inputs, outputs] -> [outputs, inputs, places...]
TensorConversion transposed(const std::shared_ptr<const Hdf5Checkpoint>& base, const Hdf5Tensor& tensor) {
  const Shape& stored = tensor.entry->shape;
  const uint64_t outputs = stored.back(), inputs = stored[stored.size() - 2];
  Shape shape = {outputs, inputs};
  shape.insert(shape.end(), stored.begin(), stored.end() - 2);
  const uint64_t places = element_count(Shape(stored.begin(), stored.end() - 2), tensor.name);
  const auto write = [base, name = tensor.name, outputs, inputs, places](void* place_of_values) {
    auto* out = static_cast<float*>(place_of_values);
    const std::vector<float> values = read_f32(*base, name);
    base->release(name);
    for (uint64_t o = 0; o < outputs; ++o) {
      for (uint64_t i = 0; i < inputs; ++i) {
        for (uint64_t place = 0; place < places; ++place) *out++ = values[(place * inputs + i) * outputs + o];
      }
    }
  };
  return {std::move(shape), write, base->where(tensor.name), DType::f32};
}

}  // namespace

bool is_hdf5(const std::filesystem::path& file) {
  const std::filesystem::path extension = file.extension();
  return extension == ".h5" || extension == ".hdf5" || has_hdf5_signature(file);
}

std::unique_ptr<Checkpoint> open_hdf5(const std::filesystem::path& file) {
  const auto base = std::make_shared<const Hdf5Checkpoint>(read_hdf5(file));
  std::map<std::string, TensorConversion> conversions;
  for (const Hdf5Tensor& tensor : base->tensors()) {
    if (tensor.is_kernel) conversions.emplace(tensor.name, transposed(base, tensor));
  }
  return std::make_unique<ConvertedCheckpoint>(base, std::move(conversions), std::vector<std::string>{});
}

}  // namespace lathe
