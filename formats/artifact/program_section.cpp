#include "formats/artifact/program_section.h"

#include <cmath>
#include <utility>

#include "formats/artifact/op_table.h"

namespace lathe {
namespace {

constexpr uint32_t kMaxNameBytes = 512;
constexpr uint8_t kImageFlag = 0x80;  // in the byte of a value's rows: channels and height stand before the width

void write_ids(ByteWriter& out, const std::vector<uint32_t>& ids) {
  out.write(static_cast<uint32_t>(ids.size()));
  for (const uint32_t id : ids) out.write(id);
}

std::vector<uint32_t> read_ids(ByteReader& in, std::string_view field) {
  std::vector<uint32_t> ids(in.read_count(field, sizeof(uint32_t)));
  for (uint32_t& id : ids) id = in.read<uint32_t>(field);
  return ids;
}

// ---- values ----

void write_value(ByteWriter& out, const Value& value) {
  const RowShape& shape = value.shape;
  out.write_string(value.name);
  out.write(static_cast<uint8_t>(static_cast<uint8_t>(value.rows) | (shape.is_image() ? kImageFlag : 0)));
  if (shape.is_image()) {
    out.write(shape.channels);
    out.write(shape.height);
  }
  out.write(shape.width);
}

Value read_value(ByteReader& in) {
  constexpr auto kLast = static_cast<uint8_t>(RowKind::samples);
  Value value;
  value.name = in.read_string("value name", kMaxNameBytes);
  const auto byte = in.read<uint8_t>("value rows");
  const uint8_t rows = byte & static_cast<uint8_t>(~kImageFlag);
  if (rows > kLast) {
    fail(Errc::malformed, message(in.file(), ": value ", value.name, ": rows ", rows, " is not in [0, ", kLast, "]"));
  }
  value.rows = static_cast<RowKind>(rows);
  if ((byte & kImageFlag) != 0) {
    value.shape.channels = in.read<uint32_t>("value channels");
    value.shape.height = in.read<uint32_t>("value height");
    if (value.shape.channels == 0) fail(Errc::malformed, message(in.file(), ": value ", value.name, ": 0 channels"));
  }
  value.shape.width = in.read<uint32_t>("value width");
  return value;
}

// ---- ops: every kind has mode, heads and epsilon, which are 0 where the kind does not use them ----

class FieldWriter : public AttributeFields {
 public:
  void mode(uint32_t& number, uint32_t) override { mode_ = number; }
  void heads(uint32_t& heads) override { heads_ = heads; }
  void epsilon(float& epsilon) override { epsilon_ = epsilon; }
  void extra(const char*, uint32_t& number) override { extra_.push_back(number); }

  void write(ByteWriter& out) const {
    out.write(mode_);
    out.write(heads_);
    out.write(epsilon_);
    for (const uint32_t number : extra_) out.write(number);
  }

 private:
  uint32_t mode_ = 0;
  uint32_t heads_ = 0;
  float epsilon_ = 0;
  std::vector<uint32_t> extra_;
};

class FieldReader : public AttributeFields {
 public:
  FieldReader(ByteReader& in, const std::string& where)
      : in_(in),
        where_(where),
        mode_(in.read<uint32_t>("op mode")),
        heads_(in.read<uint32_t>("op heads")),
        epsilon_(in.read<float>("op epsilon")) {}

  void mode(uint32_t& number, uint32_t last) override {
    if (mode_ > last) refuse(message("mode ", mode_, " is not below ", last + 1));
    number = std::exchange(mode_, 0);
  }
  void heads(uint32_t& heads) override { heads = std::exchange(heads_, 0); }
  void epsilon(float& epsilon) override { epsilon = std::exchange(epsilon_, 0.0f); }
  void extra(const char* name, uint32_t& number) override { number = in_.read<uint32_t>(message("op ", name)); }

  // Fields that the kind has taken are 0 by now.
  void refuse_unused() const {
    if (mode_ != 0) refuse(message("mode is ", mode_, ", must be 0 for this kind of op"));
    if (heads_ != 0) refuse(message("heads is ", heads_, ", must be 0 for this kind of op"));
    if (epsilon_ != 0 || std::isnan(epsilon_)) {
      refuse(message("epsilon is ", epsilon_, ", must be 0 for this kind of op"));
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const { fail(Errc::malformed, where_ + what); }

  ByteReader& in_;
  const std::string& where_;
  uint32_t mode_;
  uint32_t heads_;
  float epsilon_;
};

void write_op(ByteWriter& out, const Op& op) {
  out.write(static_cast<uint16_t>(op.attributes.index()));
  write_ids(out, op.inputs);
  write_ids(out, op.weights);
  out.write(op.output);
  Attributes attributes = op.attributes;
  FieldWriter fields;
  visit_fields(fields, attributes);
  fields.write(out);
}

Op read_op(ByteReader& in, size_t index) {
  const auto kind = in.read<uint16_t>("op kind");
  if (kind >= kOpKinds) {
    fail(Errc::unsupported, message(in.file(), ": op ", index, ": op kind ", kind,
                                    " is not known to this version (below ", kOpKinds, ")"));
  }
  Op op;
  op.attributes = default_attributes(kind);
  op.inputs = read_ids(in, "op inputs");
  op.weights = read_ids(in, "op weights");
  op.output = in.read<uint32_t>("op output");
  const std::string where = message(in.file(), ": op ", index, " (", op_name(op.attributes), "): ");
  FieldReader fields(in, where);
  visit_fields(fields, op.attributes);
  fields.refuse_unused();
  return op;
}

}  // namespace

std::vector<std::byte> encode_program(const Program& program) {
  ByteWriter out;
  out.write(static_cast<uint32_t>(program.weights.size()));
  for (const std::string& name : program.weights) out.write_string(name);
  out.write(static_cast<uint32_t>(program.values.size()));
  for (const Value& value : program.values) write_value(out, value);
  out.write(static_cast<uint32_t>(program.ops.size()));
  for (const Op& op : program.ops) write_op(out, op);
  write_ids(out, program.inputs);
  write_ids(out, program.outputs);
  return out.bytes();
}

Program decode_program(Bytes section, const std::string& file) {
  ByteReader in(section, file + ": program");
  Program program;
  program.weights.resize(in.read_count("weight count", 4));
  for (std::string& name : program.weights) name = in.read_string("weight name", kMaxNameBytes);
  program.values.resize(in.read_count("value count", 9));
  for (Value& value : program.values) value = read_value(in);
  program.ops.resize(in.read_count("op count", 26));
  for (size_t i = 0; i < program.ops.size(); ++i) program.ops[i] = read_op(in, i);
  program.inputs = read_ids(in, "inputs");
  program.outputs = read_ids(in, "outputs");
  if (in.remaining() != 0) fail(Errc::malformed, message(file, ": program: ", in.remaining(), " bytes left over"));
  return program;
}

}  // namespace lathe
