#include "formats/pytorch/pytorch_checkpoint.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "formats/artifact/mapped_file.h"
#include "formats/converted_checkpoint.h"
#include "formats/pytorch/strided.h"
#include "formats/pytorch/torch_file.h"
#include "formats/pytorch/zip_member.h"
#include "formats/text.h"

namespace lathe {
namespace {

class PyTorchFile : public ShardFile {
 public:
  PyTorchFile(const std::filesystem::path& path, TorchNames names)
      : file_(path),
        contents_(read_torch_file(file_.bytes(), file_.path(), names)),
        is_checked_(std::make_unique<std::once_flag[]>(contents_.records.size())),
        inflated_(nullptr, inflations(), {}, files()),
        arranged_(nullptr, arrangements(), {}, files()) {
    std::vector<bool> is_counted(contents_.records.size());
    for (const TorchTensor& tensor : contents_.tensors) {
      names_.push_back(tensor.name);
      const bool counts = tensor.layout.type != nullptr && !is_counted[tensor.layout.storage];
      stored_bytes_.push_back(counts ? std::min(bytes_of(tensor.layout), contents_.records[tensor.layout.storage].bytes)
                                     : 0);
      if (counts) is_counted[tensor.layout.storage] = true;
    }
  }

  const std::vector<std::string>& names() const override { return names_; }
  bool has(std::string_view name) const override { return contents_.find(name) != nullptr; }

  TensorView tensor(std::string_view name) const override {
    const TorchTensor* found = contents_.find(name);
    if (found == nullptr) fail(Errc::malformed, message(file_.path(), ": tensor ", printable(name), " is missing"));
    require_readable(*found);
    if (!is_stored_as_wanted(found->layout)) return arranged_.tensor(name);
    return {found->layout.type->dtype, found->layout.shape, range_of(found->layout, storage(found->layout.storage))};
  }

  void release(std::string_view name) const noexcept override {
    const TorchTensor* found = contents_.find(name);
    if (found == nullptr || !is_readable(found->layout)) return;
    if (!is_stored_as_wanted(found->layout)) return arranged_.release(name);
    const ZipMember& record = contents_.records[found->layout.storage];
    if (record.is_deflated) return inflated_.release(record.name);
    file_.release(range_of(found->layout, stored_data(record, file_.bytes())));
  }

  uint64_t stored_bytes(std::string_view name) const override {
    const TorchTensor* found = contents_.find(name);
    return found == nullptr ? 0 : stored_bytes_[static_cast<size_t>(found - contents_.tensors.data())];
  }

  std::vector<SourceFile> files() const override { return {{file_.path(), file_.bytes().size()}}; }
  std::string where(std::string_view) const override { return file_.path(); }
  std::vector<std::string> warnings() const override { return contents_.notes; }

 private:
  static bool is_readable(const PickleTensor& layout) { return layout.type != nullptr && layout.type->readable; }

  uint64_t bytes_of(const PickleTensor& layout) const {
    const std::string what = file_.path();
    return checked_mul(element_count(layout.shape, what), layout.type->bytes, what);
  }

  bool is_stored_as_wanted(const PickleTensor& layout) const {
    return is_contiguous(layout) && !(contents_.is_big_endian && layout.type->bytes > 1);
  }

  /// Of a contiguous tensor.
  static Bytes range_of(const PickleTensor& layout, Bytes storage) {
    uint64_t bytes = layout.type->bytes;
    for (const uint64_t dim : layout.shape) bytes *= dim;  // inside the storage: cannot overflow
    return bytes == 0 ? Bytes() : storage.subspan(layout.offset * layout.type->bytes, bytes);
  }

  void require_readable(const TorchTensor& tensor) const {
    const PickleTensor& layout = tensor.layout;
    const std::string subject = message(file_.path(), ": tensor ", printable(tensor.name));
    if (layout.type == nullptr) {
      fail(Errc::unsupported, message(subject, " is made by ", layout.other_layout,
                                      ": tensors that are sparse, quantized or without data are not read"));
    }
    if (!layout.type->readable) {
      fail(Errc::unsupported,
           message(subject, " has type ", layout.type->name, ", which cannot be compressed further"));
    }
    if (is_contiguous(layout)) return;
    const uint64_t held = contents_.records[layout.storage].bytes;
    if (bytes_of(layout) > held) {
      fail(Errc::limit,
           message(subject, " of size ", shape_text(layout.shape), " with stride ", shape_text(layout.strides),
                   " needs ", bytes_of(layout), " bytes, the limit is the ", held, " that its storage has"));
    }
  }

  /// The bytes of a record, once its checksum has been compared.
  Bytes storage(size_t index) const {
    const ZipMember& record = contents_.records[index];
    if (record.is_deflated) return inflated_.tensor(record.name).bytes;
    const Bytes data = stored_data(record, file_.bytes());
    std::call_once(is_checked_[index],
                   [&] { check_crc(record, data, file_.path(), [&](Bytes window) { file_.release(window); }); });
    return data;
  }

  /// Records that are compressed, by their names.
  std::map<std::string, TensorConversion> inflations() const {
    std::map<std::string, TensorConversion> conversions;
    for (const ZipMember& record : contents_.records) {
      if (!record.is_deflated) continue;
      const auto write = [this, &record](void* out) {
        const std::span<std::byte> data(static_cast<std::byte*>(out), record.bytes);
        inflate_member(record, file_.bytes(), file_.path(), data);
        check_crc(record, data, file_.path());
      };
      conversions[record.name] = {{record.bytes}, write, file_.path(), DType::u8};
    }
    return conversions;
  }

  /// Tensors that have to be put in order, by their names.
  std::map<std::string, TensorConversion> arrangements() const {
    std::map<std::string, TensorConversion> conversions;
    for (const TorchTensor& tensor : contents_.tensors) {
      const PickleTensor& layout = tensor.layout;
      if (!is_readable(layout) || is_stored_as_wanted(layout)) continue;
      const auto write = [this, &layout](void* out) {
        const Bytes data = storage(layout.storage);
        gather_elements(layout, data, contents_.is_big_endian, static_cast<std::byte*>(out));
        file_.release(data);
      };
      conversions[tensor.name] = {layout.shape, write, file_.path(), layout.type->dtype};
    }
    return conversions;
  }

  MappedFile file_;
  TorchContents contents_;
  std::unique_ptr<std::once_flag[]> is_checked_;  // of records
  ConvertedCheckpoint inflated_;
  ConvertedCheckpoint arranged_;
  std::vector<std::string> names_;
  std::vector<uint64_t> stored_bytes_;  // of names_
};

}  // namespace

std::unique_ptr<ShardFile> open_pytorch(const std::filesystem::path& file) {
  return std::make_unique<PyTorchFile>(file, TorchNames::without_module);
}

std::unique_ptr<ShardFile> open_pytorch_shard(const std::filesystem::path& file) {
  return std::make_unique<PyTorchFile>(file, TorchNames::as_stored);
}

}  // namespace lathe
