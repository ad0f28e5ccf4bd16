#include "formats/gguf/gguf_model.h"

#include <algorithm>
#include <map>

#include "formats/converted_checkpoint.h"
#include "formats/gguf/gguf_config.h"
#include "formats/gguf/gguf_names.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr const char* kArchitectureKey = "general.architecture";

/// The tensors that lie in the file as they are wanted, under the names of Hugging Face.
class PlainTensors : public Checkpoint {
 public:
  PlainTensors(std::shared_ptr<const GgufFile> file, std::map<std::string, TensorView, std::less<>> views)
      : file_(std::move(file)), views_(std::move(views)) {
    for (const auto& [name, view] : views_) names_.push_back(name);
  }

  const std::vector<std::string>& names() const override { return names_; }
  bool has(std::string_view name) const override { return views_.contains(name); }
  TensorView tensor(std::string_view name) const override {
    const auto found = views_.find(name);
    if (found == views_.end()) {
      fail(Errc::malformed, message(file_->path(), ": tensor ", printable(name), " is missing"));
    }
    return found->second;
  }
  void release(std::string_view name) const noexcept override {
    const auto found = views_.find(name);
    if (found != views_.end()) file_->release(found->second.bytes);
  }
  std::vector<SourceFile> files() const override { return file_->files(); }
  std::string where(std::string_view) const override { return file_->path(); }

 private:
  std::shared_ptr<const GgufFile> file_;
  std::map<std::string, TensorView, std::less<>> views_;
  std::vector<std::string> names_;
};

DType plain_type(GgufType type) {
  if (type == GgufType::f16) return DType::f16;
  return type == GgufType::bf16 ? DType::bf16 : DType::f32;
}

uint64_t columns_of(const GgufTensor& tensor) { return tensor.shape.size() < 2 ? 1 : tensor.shape.back(); }

/// Decodes row after row and puts each where `place` says; the rows of a vector are its numbers.
using RowPlace = std::function<void(const float* row, uint64_t index, float* out)>;
void decode_rows(const GgufFile& file, const GgufTensor& tensor, const RowPlace& place, float* out) {
  if (tensor.shape.size() < 2) {
    const std::vector<float> values = decode(tensor);
    for (uint64_t i = 0; i < values.size(); ++i) place(&values[i], i, out);
    return;
  }
  const GgufTypeTraits& traits = gguf_traits(tensor.type);
  const uint64_t row_blocks = tensor.shape.back() / traits.block_values;
  const uint64_t row_bytes = row_blocks * traits.block_bytes;
  std::vector<float> row(tensor.shape.back());
  for (uint64_t i = 0; i < tensor.bytes.size() / row_bytes; ++i) {
    traits.decode(tensor.bytes.data() + i * row_bytes, row_blocks, row.data());
    place(row.data(), i, out);
  }
  file.release(tensor.bytes);
}

[[noreturn]] void fail_shape(const GgufFile& file, const GgufTensor& tensor, std::string_view expected) {
  fail(Errc::malformed, message(file.path_of(tensor), ": tensor ", printable(tensor.name), " has shape ",
                                shape_text(tensor.shape), ", expected ", expected));
}

class ModelReader {
 public:
  explicit ModelReader(const std::shared_ptr<const GgufFile>& file)
      : file_(file), row_(find_row(*file)), shapes_(read_gguf_shapes(*file, row_)) {}

  GgufModel run(bool allow_requantize) {
    Json config = gguf_config(*file_, row_, shapes_);
    check_complete();
    for (const GgufTensor& tensor : file_->tensors()) add(tensor);
    std::string quantized = quantized_text();
    if (!quantized.empty() && !allow_requantize) {
      fail(Errc::unsupported, message(file_->path(), ": tensors are quantized already: ", quantized,
                                      "; pass --allow-requantize to go on"));
    }
    const auto plain = std::make_shared<const PlainTensors>(file_, std::move(plain_));
    auto checkpoint = std::make_shared<ConvertedCheckpoint>(plain, std::move(conversions_), std::vector<std::string>{});
    return {file_, std::move(checkpoint), ConfigFile::parse(to_text(config), file_->path()), std::move(quantized)};
  }

 private:
  static const GgufArchitectureRow& find_row(const GgufFile& file) {
    const std::string& name = file.text(kArchitectureKey);
    const GgufArchitectureRow* row = find_gguf_architecture(name);
    if (row == nullptr) {
      fail(Errc::unsupported, message(file.path(), ": key ", kArchitectureKey, " is \"", printable(name),
                                      "\", supported are ", gguf_architecture_list()));
    }
    return *row;
  }

  void check_complete() const {
    for (const GgufName& name : row_.names) {
      if (!name.is_required) continue;
      for (uint64_t layer = 0; layer < (has_layer(name.gguf) ? shapes_.layers : 1); ++layer) {
        const std::string tensor = with_layer(name.gguf, layer);
        if (file_->find(tensor) == nullptr) {
          fail(Errc::malformed, message(file_->path(), ": tensor ", tensor, " is missing"));
        }
      }
    }
  }

  void add(const GgufTensor& tensor) {
    const std::optional<GgufPlace> place = find_gguf_name(row_, tensor.name);
    if (!place.has_value() || place->layer >= shapes_.layers) {
      fail(Errc::malformed, message(file_->path_of(tensor), ": tensor ", printable(tensor.name), " is not part of a ",
                                    row_.name, " of ", shapes_.layers, " layers"));
    }
    const GgufTypeTraits& traits = gguf_traits(tensor.type);
    if (traits.quantized) ++quantized_[traits.name];
    std::string name = with_layer(place->name->hf, place->layer);
    if (place->name->layout == GgufLayout::same && !traits.quantized) {
      plain_.emplace(std::move(name), TensorView{plain_type(tensor.type), tensor.shape, tensor.bytes});
    } else {
      conversions_.emplace(std::move(name), convert(tensor, place->name->layout));
    }
  }

  TensorConversion convert(const GgufTensor& tensor, GgufLayout layout) const {
    Shape shape = tensor.shape;
    if (layout == GgufLayout::transposed) std::reverse(shape.begin(), shape.end());
    auto write = [file = file_, tensor = &tensor, place = row_place(tensor, layout)](void* out) {
      decode_rows(*file, *tensor, place, static_cast<float*>(out));
    };
    return {std::move(shape), std::move(write), file_->path_of(tensor)};
  }

  RowPlace row_place(const GgufTensor& tensor, GgufLayout layout) const {
    const uint64_t columns = columns_of(tensor);
    if (layout == GgufLayout::same) {
      return [columns](const float* row, uint64_t i, float* out) { std::copy_n(row, columns, out + i * columns); };
    }
    if (layout == GgufLayout::transposed) {
      if (tensor.shape.size() != 2) fail_shape(*file_, tensor, "a matrix");
      return [columns, rows = tensor.shape[0]](const float* row, uint64_t i, float* out) {
        for (uint64_t c = 0; c < columns; ++c) out[c * rows + i] = row[c];
      };
    }
    const uint64_t width = shapes_.head_width;
    const uint64_t heads = layout == GgufLayout::q_rows ? shapes_.heads : shapes_.kv_heads;
    if (tensor.shape.empty() || tensor.shape.size() > 2 || tensor.shape[0] != heads * width || width % 2 != 0) {
      fail_shape(*file_, tensor, message(heads, " heads of ", width, " rows"));
    }
    return [columns, width](const float* row, uint64_t i, float* out) {
      std::copy_n(row, columns, out + hf_row(i, width) * columns);
    };
  }

  std::string quantized_text() const {
    std::string text;
    for (const auto& [type, count] : quantized_) {
      text += message(text.empty() ? "" : ", ", type, " (", count, count == 1 ? " tensor)" : " tensors)");
    }
    return text;
  }

  std::shared_ptr<const GgufFile> file_;
  const GgufArchitectureRow& row_;
  GgufShapes shapes_;
  std::map<std::string, TensorView, std::less<>> plain_;
  std::map<std::string, TensorConversion> conversions_;
  std::map<std::string, uint64_t> quantized_;
};

}  // namespace

GgufModel open_gguf_model(std::shared_ptr<const GgufFile> file, bool allow_requantize) {
  return ModelReader(file).run(allow_requantize);
}

GgufModel open_gguf_model(const std::filesystem::path& path, bool allow_requantize) {
  return open_gguf_model(std::make_shared<GgufFile>(path), allow_requantize);
}

}  // namespace lathe
