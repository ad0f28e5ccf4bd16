#include "formats/gguf/gguf_writer.h"

#include <algorithm>
#include <set>

#include "formats/artifact/atomic_file.h"
#include "formats/gguf/gguf_parser.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint32_t kVersion = 3;

/// The parts of the file before its data.
class Header {
 public:
  explicit Header(std::string path) : path_(std::move(path)) {}

  void begin(uint64_t tensors, uint64_t fields) {
    out_.write(kMagic);
    out_.write(kVersion);
    out_.write(tensors);
    out_.write(fields);
  }

  void field(const std::string& key, const GgufField& value) {
    check_name(key, "metadata key", kMaxGgufKey);
    text(key, key);
    std::visit([&](const auto& v) { put(key, v); }, value);
  }

  void tensor(const GgufOutput& tensor, uint64_t offset) {
    check_name(tensor.name, "tensor name", kMaxGgufTensorName);
    if (tensor.shape.size() > kMaxGgufRank || !is_gguf_writable(tensor.type)) {
      fail(Errc::internal, message(path_, ": tensor ", tensor.name, " ", shape_text(tensor.shape), " of ",
                                   gguf_traits(tensor.type).name, " cannot be written"));
    }
    text(tensor.name, tensor.name);
    out_.write(static_cast<uint32_t>(tensor.shape.size()));
    for (size_t i = tensor.shape.size(); i > 0; --i) out_.write(tensor.shape[i - 1]);
    out_.write(static_cast<uint32_t>(tensor.type));
    out_.write(offset);
  }

  Bytes bytes() const { return out_.bytes(); }

 private:
  void check_name(const std::string& name, const char* role, size_t limit) const {
    const bool has_control = std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20; });
    if (!name.empty() && name.size() <= limit && !has_control) return;
    fail(Errc::malformed,
         message(path_, ": ", role, " \"", printable(name), "\" is not text of 1 to ", limit, " bytes"));
  }
  void text(std::string_view value, const std::string& what) {
    if (!is_utf8(value)) fail(Errc::malformed, message(path_, ": ", what, ": ", printable(value), " is not UTF-8"));
    if (value.size() > kMaxGgufString) {
      fail(Errc::limit, message(path_, ": ", what, " has ", value.size(), " bytes, the limit is ", kMaxGgufString));
    }
    out_.write(static_cast<uint64_t>(value.size()));
    out_.append(std::as_bytes(std::span(value)));
  }
  void type(GgufValueType type) { out_.write(static_cast<uint32_t>(type)); }

  void put(const std::string&, bool value) {
    type(GgufValueType::boolean);
    out_.write(static_cast<uint8_t>(value ? 1 : 0));
  }
  void put(const std::string&, uint32_t value) { put_number(GgufValueType::u32, value); }
  void put(const std::string&, int32_t value) { put_number(GgufValueType::i32, value); }
  void put(const std::string&, uint64_t value) { put_number(GgufValueType::u64, value); }
  void put(const std::string&, float value) { put_number(GgufValueType::f32, value); }
  void put(const std::string& key, const std::string& value) {
    type(GgufValueType::string);
    text(value, key);
  }
  void put(const std::string& key, const GgufStrings& values) {
    begin_array(GgufValueType::string, values.size());
    for (const std::string& value : values) text(value, key);
  }
  void put(const std::string&, const std::vector<int32_t>& values) {
    begin_array(GgufValueType::i32, values.size());
    out_.append(as_bytes_of(values));
  }
  template <class T>
  void put_number(GgufValueType which, T value) {
    type(which);
    out_.write(value);
  }
  void begin_array(GgufValueType elements, uint64_t count) {
    type(GgufValueType::array);
    type(elements);
    out_.write(count);
  }

  std::string path_;
  ByteWriter out_;
};

uint64_t columns_of(const GgufOutput& tensor) { return tensor.shape.empty() ? 1 : tensor.shape.back(); }

uint64_t bytes_of(const GgufOutput& tensor) {
  const uint64_t rows = element_count(tensor.shape, tensor.name) / std::max<uint64_t>(1, columns_of(tensor));
  return checked_mul(rows, gguf_row_bytes(tensor.type, columns_of(tensor)), tensor.name);
}

void pad(AtomicFile& file) {
  const std::vector<std::byte> zeros(round_up(file.size(), kDefaultGgufAlignment) - file.size());
  file.append(zeros);
}

void write_data(const GgufOutput& tensor, const std::string& path, AtomicFile& file) {
  const uint64_t columns = columns_of(tensor);
  const uint64_t end = file.size() + bytes_of(tensor);
  std::vector<std::byte> encoded(gguf_row_bytes(tensor.type, columns));
  uint64_t row_number = 0;
  tensor.write([&](const GgufRow& row) {
    const std::string what = message(path, ": tensor ", tensor.name, ", row ", row_number++);
    if (row.values.size() != columns || columns % gguf_traits(tensor.type).block_values != 0) {
      fail(Errc::internal, message(what, " has ", row.values.size(), " of ", columns, " numbers"));
    }
    encode_gguf_row(tensor.type, row, what, encoded.data());
    file.append(encoded);
  });
  if (file.size() != end) fail(Errc::internal, message(path, ": tensor ", tensor.name, " has ", row_number, " rows"));
  pad(file);
}

}  // namespace

uint64_t write_gguf(const std::filesystem::path& path, const std::map<std::string, GgufField>& fields,
                    const std::vector<GgufOutput>& tensors) {
  Header header(path.string());
  header.begin(tensors.size(), fields.size());
  for (const auto& [key, value] : fields) header.field(key, value);
  std::set<std::string_view> names;
  uint64_t offset = 0;
  for (const GgufOutput& tensor : tensors) {
    if (!names.insert(tensor.name).second) {
      fail(Errc::internal, message(path.string(), ": tensor ", tensor.name, " is given twice"));
    }
    header.tensor(tensor, offset);
    offset = checked_add(offset, round_up(bytes_of(tensor), kDefaultGgufAlignment), tensor.name);
  }
  AtomicFile file(path);
  file.append(header.bytes());
  pad(file);
  for (const GgufOutput& tensor : tensors) write_data(tensor, path.string(), file);
  file.commit();
  return file.size();
}

}  // namespace lathe
