#include "formats/gguf/gguf_parser.h"

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <utility>

#include "formats/text.h"

namespace lathe {
namespace {

constexpr std::string_view kAlignmentKey = "general.alignment";
constexpr uint64_t kMinPairBytes = 8 + 1 + 4 + 1;        // length and one letter of a key, type, value
constexpr uint64_t kMinTensorBytes = 8 + 1 + 4 + 4 + 8;  // length and one letter of a name, rank, type, offset
constexpr uint64_t kMaxGgufTensors = 1'000'000;

/// Types of tensors that the format has and this reader has not, for messages.
struct OtherType {
  uint32_t number;
  const char* name;
};
constexpr std::array<OtherType, 17> kOtherTypes = {{{9, "Q8_1"},
                                                    {15, "Q8_K"},
                                                    {16, "IQ2_XXS"},
                                                    {17, "IQ2_XS"},
                                                    {18, "IQ3_XXS"},
                                                    {19, "IQ1_S"},
                                                    {21, "IQ3_S"},
                                                    {22, "IQ2_S"},
                                                    {24, "I8"},
                                                    {25, "I16"},
                                                    {26, "I32"},
                                                    {27, "I64"},
                                                    {28, "F64"},
                                                    {29, "IQ1_M"},
                                                    {34, "TQ1_0"},
                                                    {35, "TQ2_0"},
                                                    {40, "NVFP4"}}};

template <class T>
GgufValue as_value(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<double>(value);
  } else if constexpr (std::is_signed_v<T>) {
    return static_cast<int64_t>(value);
  } else {
    return static_cast<uint64_t>(value);
  }
}

class Parser {
 public:
  Parser(Bytes file, std::string_view path) : file_(file), reader_(file, path) {}

  GgufContents run() {
    read_header();
    for (uint64_t i = 0; i < pair_count_; ++i) read_pair();
    read_tensors();
    place_data();
    return std::move(contents_);
  }

 private:
  struct Place {
    uint64_t at = 0;  // of the offset in the file, for messages
    uint64_t offset = 0;
    uint64_t bytes = 0;
  };
  using ReadScalar = GgufValue (Parser::*)(std::string_view);
  using ReadArray = GgufValue (Parser::*)(uint64_t, std::string_view);
  /// How a metadata type is read, alone and in arrays.
  struct TypeRow {
    const char* name;
    uint64_t min_bytes;
    ReadScalar scalar;
    ReadArray array;
  };
  static const std::array<TypeRow, 13> kValueTypes;

  [[noreturn]] void fail_at(const std::string& text, uint64_t at, Errc code = Errc::malformed) const {
    fail(code, message(reader_.file(), ": ", text, " (byte ", at, ")"));
  }

  void read_header() {
    const Bytes magic = reader_.take(4, "magic");
    if (!GgufFile::is_gguf(magic)) fail_at("the file does not begin with \"GGUF\"", 0);
    const auto version = reader_.read<uint32_t>("version");
    if ((version & 0xffffu) == 0 && version != 0) {
      fail_at(message("version ", __builtin_bswap32(version), " in big-endian byte order, which is not read"), 4,
              Errc::unsupported);
    }
    if (version == 0) fail_at("version is 0", 4);
    if (version != 2 && version != 3) {
      fail_at(message("version is ", version, ", and 2 and 3 are read"), 4, Errc::unsupported);
    }
    tensor_count_ = read_count("tensor count", kMinTensorBytes);
    if (tensor_count_ > kMaxGgufTensors) {
      fail_at(message("tensor count is ", tensor_count_, ", the limit is ", kMaxGgufTensors), 8, Errc::limit);
    }
    pair_count_ = read_count("metadata count", kMinPairBytes);
  }

  /// A u64 count of records of at least `min_bytes`.
  uint64_t read_count(std::string_view field, uint64_t min_bytes) {
    const uint64_t at = reader_.offset();
    const auto count = reader_.read<uint64_t>(field);
    if (count > reader_.remaining() / min_bytes) {
      fail_at(message(field, " is ", count, ", but at most ", reader_.remaining() / min_bytes, " fit into the ",
                      reader_.remaining(), " bytes that follow"),
              at);
    }
    return count;
  }

  std::string read_text(std::string_view field, uint64_t limit) {
    const uint64_t at = reader_.offset();
    const auto length = reader_.read<uint64_t>(field);
    if (length > reader_.remaining()) {
      fail_at(message(field, " has length ", length, ", but only ", reader_.remaining(), " bytes follow"), at);
    }
    if (length > limit) fail_at(message(field, " has length ", length, ", the limit is ", limit), at, Errc::limit);
    const Bytes bytes = reader_.take(length, field);
    std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!is_utf8(text)) fail_at(message(field, " is \"", printable(text), "\", which is not UTF-8"), at);
    return text;
  }

  /// A key or a tensor's name.
  std::string read_name(std::string_view field, uint64_t limit) {
    const uint64_t at = reader_.offset();
    std::string name = read_text(field, limit);
    if (name.empty()) fail_at(message(field, " is empty"), at);
    if (std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
      fail_at(message(field, " \"", printable(name), "\" has control characters"), at);
    }
    return name;
  }

  void read_pair() {
    const uint64_t at = reader_.offset();
    std::string key = read_name(message("metadata key ", contents_.values.size()), kMaxGgufKey);
    const std::string subject = message("key ", printable(key));
    if (contents_.values.contains(key)) fail_at(message(subject, " appears twice"), at);
    const uint64_t type_at = reader_.offset();
    const TypeRow& type = read_type(subject);
    GgufValue value = type.scalar == nullptr ? read_array(subject) : (this->*type.scalar)(subject);
    if (key == kAlignmentKey) set_alignment(value, type, type_at);
    contents_.values.emplace(std::move(key), std::move(value));
  }

  const TypeRow& read_type(std::string_view subject) {
    const uint64_t at = reader_.offset();
    const auto type = reader_.read<uint32_t>(message(subject, ": type"));
    if (type >= kValueTypes.size()) {
      fail_at(message(subject, " has type ", type, ", expected 0 to ", kValueTypes.size() - 1), at);
    }
    return kValueTypes[type];
  }

  GgufValue read_array(std::string_view subject) {
    const uint64_t type_at = reader_.offset();
    const TypeRow& type = read_type(message(subject, ": elements"));
    if (type.array == nullptr) fail_at(message(subject, " is an array of arrays"), type_at, Errc::unsupported);
    const uint64_t at = reader_.offset();
    const uint64_t count = read_count(message(subject, ": number of elements"), type.min_bytes);
    if (count > kMaxGgufArray) {
      fail_at(message(subject, " has ", count, " elements, the limit is ", kMaxGgufArray), at, Errc::limit);
    }
    return (this->*type.array)(count, subject);
  }

  template <class T>
  GgufValue read_scalar(std::string_view subject) {
    return as_value(reader_.read<T>(subject));
  }
  template <class T>
  GgufValue read_integers(uint64_t count, std::string_view subject) {
    GgufIntegers values;
    values.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t at = reader_.offset();
      const T value = reader_.read<T>(subject);
      if (std::cmp_greater(value, std::numeric_limits<int64_t>::max())) {
        fail_at(message(subject, ": element ", i, " is ", value, ", the limit is ", INT64_MAX), at, Errc::limit);
      }
      values.push_back(static_cast<int64_t>(value));
    }
    return values;
  }
  template <class T>
  GgufValue read_numbers(uint64_t count, std::string_view subject) {
    GgufNumbers values;
    values.reserve(count);
    for (uint64_t i = 0; i < count; ++i) values.push_back(static_cast<double>(reader_.read<T>(subject)));
    return values;
  }
  bool read_one_boolean(std::string_view subject) {
    const uint64_t at = reader_.offset();
    const auto value = reader_.read<uint8_t>(subject);
    if (value > 1) fail_at(message(subject, " is the boolean ", value, ", expected 0 or 1"), at);
    return value == 1;
  }
  GgufValue read_boolean(std::string_view subject) { return read_one_boolean(subject); }
  GgufValue read_booleans(uint64_t count, std::string_view subject) {
    GgufIntegers values;
    values.reserve(count);
    for (uint64_t i = 0; i < count; ++i) values.push_back(read_one_boolean(subject) ? 1 : 0);
    return values;
  }
  GgufValue read_string(std::string_view subject) { return read_text(subject, kMaxGgufString); }
  GgufValue read_strings(uint64_t count, std::string_view subject) {
    GgufStrings values;
    values.reserve(count);
    for (uint64_t i = 0; i < count; ++i) values.push_back(read_text(subject, kMaxGgufString));
    return values;
  }

  void set_alignment(const GgufValue& value, const TypeRow& type, uint64_t at) {
    if (&type != &kValueTypes[static_cast<size_t>(GgufValueType::u32)]) {
      fail_at(message("key ", kAlignmentKey, " has type ", type.name, ", expected u32"), at);
    }
    const uint64_t number = std::get<uint64_t>(value);
    if (number < kMinGgufAlignment || number > kMaxGgufAlignment || !std::has_single_bit(number)) {
      fail_at(message("key ", kAlignmentKey, " is ", number, ", expected a power of two from ", kMinGgufAlignment,
                      " to ", kMaxGgufAlignment),
              at);
    }
    alignment_ = number;
  }

  void read_tensors() {
    contents_.tensors.reserve(tensor_count_);
    places_.reserve(tensor_count_);
    std::set<std::string, std::less<>> names;
    for (uint64_t i = 0; i < tensor_count_; ++i) {
      const uint64_t at = reader_.offset();
      read_tensor(i);
      const std::string& name = contents_.tensors.back().name;
      if (!names.insert(name).second) fail_at(message("tensor ", printable(name), " appears twice"), at);
    }
  }

  void read_tensor(uint64_t number) {
    GgufTensor tensor;
    const uint64_t name_at = reader_.offset();
    tensor.name = read_name(message("name of tensor ", number), std::numeric_limits<uint64_t>::max());
    const std::string subject = message("tensor ", printable(tensor.name));
    if (tensor.name.size() > kMaxGgufTensorName) {
      fail_at(message(subject, " has a name of ", tensor.name.size(), " bytes, expected at most ", kMaxGgufTensorName),
              name_at);
    }
    const uint64_t shape_at = reader_.offset();
    tensor.shape = read_shape(subject);
    const GgufTypeTraits& traits = read_tensor_type(subject);
    tensor.type = traits.type;
    const uint64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
    if (row % traits.block_values != 0) {
      fail_at(message(subject, " has rows of ", row, " numbers, expected a multiple of ", traits.block_values, " for ",
                      traits.name),
              shape_at);
    }
    const std::string what = message(reader_.file(), ": ", subject);
    const uint64_t blocks = element_count(tensor.shape, what) / traits.block_values;
    Place place;
    place.bytes = checked_mul(blocks, traits.block_bytes, what);
    place.at = reader_.offset();
    place.offset = reader_.read<uint64_t>(message(subject, ": offset"));
    contents_.tensors.push_back(std::move(tensor));
    places_.push_back(place);
  }

  Shape read_shape(std::string_view subject) {
    const uint64_t at = reader_.offset();
    const auto rank = reader_.read<uint32_t>(message(subject, ": number of dimensions"));
    if (rank > kMaxGgufRank) {
      fail_at(message(subject, " has ", rank, " dimensions, expected at most ", kMaxGgufRank), at);
    }
    Shape shape(rank);
    for (uint32_t i = 0; i < rank; ++i) {
      const uint64_t dim_at = reader_.offset();
      const auto dim = reader_.read<uint64_t>(message(subject, ": dimension ", i));
      if (dim == 0 || dim >= kMaxDim) {
        fail_at(message(subject, ": dimension ", i, " is ", dim, ", expected 1 to ", kMaxDim - 1), dim_at);
      }
      shape[rank - 1 - i] = dim;
    }
    element_count(shape, message(reader_.file(), ": ", subject));  // whatever its type, the product must exist
    return shape;
  }

  const GgufTypeTraits& read_tensor_type(std::string_view subject) {
    const uint64_t at = reader_.offset();
    const auto type = reader_.read<uint32_t>(message(subject, ": type"));
    if (const GgufTypeTraits* traits = find_gguf_traits(type)) return *traits;
    const auto other =
        std::find_if(kOtherTypes.begin(), kOtherTypes.end(), [&](const OtherType& row) { return row.number == type; });
    if (other != kOtherTypes.end()) {
      fail_at(message(subject, " has type ", other->name, ", which is not read"), at, Errc::unsupported);
    }
    fail_at(message(subject, " has type ", type, ", which the format does not have"), at);
  }

  /// The data follows the descriptions, aligned; tensors tile it in the order in which they are described.
  void place_data() {
    if (contents_.tensors.empty()) return;
    const std::string& file = reader_.file();
    const uint64_t begin = round_up(reader_.offset(), alignment_);
    if (begin > file_.size()) {
      fail_at(message("the file ends before its data, which begins at byte ", begin), reader_.offset());
    }
    const uint64_t total = file_.size() - begin;
    uint64_t expected = 0;
    uint64_t end = 0;
    for (size_t i = 0; i < places_.size(); ++i) {
      const Place& place = places_[i];
      const std::string subject = message("tensor ", printable(contents_.tensors[i].name));
      if (place.offset % alignment_ != 0) {
        fail_at(message(subject, " has offset ", place.offset, ", expected a multiple of ", alignment_), place.at);
      }
      if (place.offset != expected) {
        fail_at(message(subject, " has offset ", place.offset, ", expected ", expected, ", where the one before ends"),
                place.at);
      }
      if (!contains(total, place.offset, place.bytes)) {
        fail_at(message(subject, " has ", place.bytes, " bytes from offset ", place.offset, ", but the data has ",
                        total, " bytes"),
                place.at);
      }
      contents_.tensors[i].bytes = file_.subspan(begin + place.offset, place.bytes);
      end = place.offset + place.bytes;
      expected = round_up(end, alignment_);  // cannot wrap: end is inside the file
    }
    if (total > expected) {
      fail(Errc::malformed, message(file, ": ", total - end, " bytes follow the last tensor (byte ", begin + end, ")"));
    }
  }

  Bytes file_;
  ByteReader reader_;
  uint64_t tensor_count_ = 0;
  uint64_t pair_count_ = 0;
  uint64_t alignment_ = kDefaultGgufAlignment;
  std::vector<Place> places_;
  GgufContents contents_;
};

const std::array<Parser::TypeRow, 13> Parser::kValueTypes = {{
    {"u8", 1, &Parser::read_scalar<uint8_t>, &Parser::read_integers<uint8_t>},
    {"i8", 1, &Parser::read_scalar<int8_t>, &Parser::read_integers<int8_t>},
    {"u16", 2, &Parser::read_scalar<uint16_t>, &Parser::read_integers<uint16_t>},
    {"i16", 2, &Parser::read_scalar<int16_t>, &Parser::read_integers<int16_t>},
    {"u32", 4, &Parser::read_scalar<uint32_t>, &Parser::read_integers<uint32_t>},
    {"i32", 4, &Parser::read_scalar<int32_t>, &Parser::read_integers<int32_t>},
    {"f32", 4, &Parser::read_scalar<float>, &Parser::read_numbers<float>},
    {"bool", 1, &Parser::read_boolean, &Parser::read_booleans},
    {"string", 8, &Parser::read_string, &Parser::read_strings},
    {"array", 12, nullptr, nullptr},
    {"u64", 8, &Parser::read_scalar<uint64_t>, &Parser::read_integers<uint64_t>},
    {"i64", 8, &Parser::read_scalar<int64_t>, &Parser::read_integers<int64_t>},
    {"f64", 8, &Parser::read_scalar<double>, &Parser::read_numbers<double>},
}};

}  // namespace

GgufContents parse_gguf(Bytes file, std::string_view path) { return Parser(file, path).run(); }

}  // namespace lathe
