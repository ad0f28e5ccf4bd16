#include "formats/pytorch/unpickler.h"

#include <algorithm>
#include <array>
#include <utility>

#include "formats/pytorch/pickle_machine.h"
#include "formats/pytorch/pickle_nesting.h"
#include "formats/pytorch/pickle_tensors.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr uint8_t kProtocol = 2;
constexpr const char* kProtocolAdvice =
    "read is protocol 2, which is torch.save's default (pickle_protocol=2): save the file again with it";

// Opcodes that pickles have and torch.save does not write, for messages; those from protocol 3 on come of another one.
struct OtherOpcode {
  char code;
  const char* name;
  int protocol;
};
constexpr std::array kOtherOpcodes = {
    OtherOpcode{'0', "POP", 0},
    OtherOpcode{'1', "POP_MARK", 1},
    OtherOpcode{'2', "DUP", 0},
    OtherOpcode{'F', "FLOAT", 0},
    OtherOpcode{'I', "INT", 0},
    OtherOpcode{'L', "LONG", 0},
    OtherOpcode{'P', "PERSID", 0},
    OtherOpcode{'S', "STRING", 0},
    OtherOpcode{'T', "BINSTRING", 1},
    OtherOpcode{'V', "UNICODE", 0},
    OtherOpcode{'d', "DICT", 0},
    OtherOpcode{'g', "GET", 0},
    OtherOpcode{'i', "INST", 0},
    OtherOpcode{'l', "LIST", 0},
    OtherOpcode{'o', "OBJ", 1},
    OtherOpcode{'p', "PUT", 0},
    OtherOpcode{'\x82', "EXT1", 2},
    OtherOpcode{'\x83', "EXT2", 2},
    OtherOpcode{'\x84', "EXT4", 2},
    OtherOpcode{'\x8b', "LONG4", 2},
    OtherOpcode{'B', "BINBYTES", 3},
    OtherOpcode{'C', "SHORT_BINBYTES", 3},
    OtherOpcode{'\x8c', "SHORT_BINUNICODE", 4},
    OtherOpcode{'\x8d', "BINUNICODE8", 4},
    OtherOpcode{'\x8e', "BINBYTES8", 4},
    OtherOpcode{'\x8f', "EMPTY_SET", 4},
    OtherOpcode{'\x90', "ADDITEMS", 4},
    OtherOpcode{'\x91', "FROZENSET", 4},
    OtherOpcode{'\x92', "NEWOBJ_EX", 4},
    OtherOpcode{'\x93', "STACK_GLOBAL", 4},
    OtherOpcode{'\x94', "MEMOIZE", 4},
    OtherOpcode{'\x95', "FRAME", 4},
    OtherOpcode{'\x96', "BYTEARRAY8", 5},
    OtherOpcode{'\x97', "NEXT_BUFFER", 5},
    OtherOpcode{'\x98', "READONLY_BUFFER", 5},
};

using Machine = PickleMachine;

// Calls, as far as there are any.

PickleValue call(Machine& machine, const PickleGlobal& global, const std::vector<PickleValue>& arguments);

/// (function, class, its arguments, state): the tensor that the function makes, whatever its class.
PickleValue call_from_type(Machine& machine, const std::vector<PickleValue>& arguments) {
  if (arguments[0].kind != PickleKind::global || arguments[2].kind != PickleKind::tuple) {
    machine.fail_here(message("makes a tensor with ", kind_text(arguments[0].kind), " of ",
                              kind_text(arguments[2].kind), ", expected a function and its arguments"));
  }
  const PickleGlobal inner = machine.graph().globals[arguments[0].index];
  if (inner.role == GlobalRole::tensor_from_type) machine.fail_here("makes a tensor of a tensor of its own class");
  return call(machine, inner, std::vector<PickleValue>(machine.graph().items(arguments[2])));
}

bool is_sequence(const PickleValue& value) { return value.kind == PickleKind::list || value.kind == PickleKind::tuple; }

/// Empty, or with the pairs of a list, as Python 2 wrote.
PickleValue make_dict(Machine& machine, const std::vector<PickleValue>& arguments) {
  std::vector<PickleValue> items;
  if (!arguments.empty()) {
    if (!is_sequence(arguments[0])) {
      machine.fail_here(message("makes a dict of ", kind_text(arguments[0].kind), ", expected a list of pairs"));
    }
    for (const PickleValue& pair : machine.graph().items(arguments[0])) {
      if (!is_sequence(pair) || machine.graph().items(pair).size() != 2) {
        machine.fail_here(message("makes a dict of a list with ", kind_text(pair.kind), ", expected pairs"));
      }
      items.insert(items.end(), machine.graph().items(pair).begin(), machine.graph().items(pair).end());
    }
  }
  return machine.new_container(PickleKind::dict, std::move(items));
}

PickleValue call(Machine& machine, const PickleGlobal& global, const std::vector<PickleValue>& arguments) {
  const std::string name = message(printable(global.module), ".", printable(global.name));
  if (!is_callable(global.role)) machine.fail_here(message("calls ", name, ", which is no function of a state dict"));
  if (arguments.size() < global.least || arguments.size() > global.most) {
    machine.fail_here(message("calls ", name, " with ", arguments.size(), " arguments, expected ", global.least, " to ",
                              global.most));
  }
  switch (global.role) {
    case GlobalRole::ordered_dict:
      return make_dict(machine, arguments);
    case GlobalRole::opaque_call:
      return {PickleKind::opaque};
    case GlobalRole::first_argument:
      return arguments[0];
    case GlobalRole::tensor_from_type:
      return call_from_type(machine, arguments);
    default:
      return machine.add_tensor(
          read_tensor_call(machine.graph(), global, arguments, message(machine.place(), " (", name, ")")));
  }
}

// Opcodes, in the order of the table.

void op_proto(Machine& machine) {
  const auto version = machine.read<uint8_t>();
  if (version == kProtocol) return;
  machine.fail_here(message("says that this is pickle protocol ", version, "; ", kProtocolAdvice), Errc::unsupported);
}

void op_stop(Machine& machine) { machine.stop(); }

void op_mark(Machine& machine) { machine.push_mark(); }

void op_global(Machine& machine) {
  const std::string_view module = machine.read_line();
  const std::string_view name = machine.read_line();
  machine.push(machine.add_global(find_pickle_global(module, name, machine.place())));
}

void op_newobj(Machine& machine) {
  const PickleValue arguments = machine.pop_kind(PickleKind::tuple);
  const PickleGlobal& type = machine.graph().globals[machine.pop_kind(PickleKind::global).index];
  if (type.role != GlobalRole::script_class || !machine.graph().items(arguments).empty()) {
    machine.fail_here(message("makes an object of ", printable(type.module), ".", printable(type.name),
                              ", which only classes of TorchScript are for"));
  }
  machine.push(machine.new_container(PickleKind::object, {}));
}

void op_reduce(Machine& machine) {
  const PickleValue arguments = machine.pop_kind(PickleKind::tuple);
  const PickleGlobal function = machine.graph().globals[machine.pop_kind(PickleKind::global).index];
  machine.push(call(machine, function, std::vector<PickleValue>(machine.graph().items(arguments))));
}

/// State of a dict is what a model notes beside its tensors; state of an object is its attributes.
void op_build(Machine& machine) {
  const PickleValue state = machine.pop();
  const PickleKind target = machine.top().kind;
  if (target == PickleKind::dict || target == PickleKind::opaque) return;
  if (target != PickleKind::object) {
    machine.fail_here(message("sets the state of ", kind_text(target), ", expected a dict or an object"));
  }
  if (!machine.graph().items(machine.top()).empty())
    machine.fail_here("sets the state of an object for the second time");
  machine.extend(PickleKind::object, {state});
}

void op_append(Machine& machine) {
  const PickleValue item = machine.pop();
  machine.extend(PickleKind::list, {item});
}

void op_appends(Machine& machine) {
  const std::vector<PickleValue> items = machine.pop_to_mark();
  machine.extend(PickleKind::list, items);
}

void op_setitem(Machine& machine) {
  const PickleValue value = machine.pop();
  const PickleValue key = machine.pop();
  machine.extend(PickleKind::dict, {key, value});
}

void op_setitems(Machine& machine) {
  const std::vector<PickleValue> items = machine.pop_to_mark();
  if (items.size() % 2 != 0) machine.fail_here(message("takes pairs, but there are ", items.size(), " values"));
  machine.extend(PickleKind::dict, items);
}

void op_tuple(Machine& machine) { machine.push(machine.new_container(PickleKind::tuple, machine.pop_to_mark())); }

template <size_t size>
void op_short_tuple(Machine& machine) {
  std::vector<PickleValue> items(size);
  for (size_t i = size; i > 0; --i) items[i - 1] = machine.pop();
  machine.push(machine.new_container(PickleKind::tuple, std::move(items)));
}

template <PickleKind kind>
void op_empty(Machine& machine) {
  machine.push(machine.new_container(kind, {}));
}

void op_none(Machine& machine) { machine.push({PickleKind::none}); }

void push_integer(Machine& machine, PickleKind kind, int64_t integer) {
  PickleValue value{kind};
  value.integer = integer;
  machine.push(value);
}

template <bool is_true>
void op_boolean(Machine& machine) {
  push_integer(machine, PickleKind::boolean, is_true ? 1 : 0);
}

template <class T>
void op_integer(Machine& machine) {
  push_integer(machine, PickleKind::integer, machine.read<T>());
}

/// Little-endian, in two's complement.
void op_long(Machine& machine) {
  const auto size = machine.read<uint8_t>();
  if (size > 8) machine.fail_here(message("has an integer of ", size, " bytes, at most 8 are read"));
  const char* bytes = machine.take(size);
  uint64_t bits = size > 0 && static_cast<uint8_t>(bytes[size - 1]) >= 0x80 ? ~uint64_t{0} : 0;
  for (size_t i = size; i > 0; --i) bits = bits << 8 | static_cast<uint8_t>(bytes[i - 1]);
  push_integer(machine, PickleKind::integer, static_cast<int64_t>(bits));
}

void op_float(Machine& machine) {
  machine.take(sizeof(double));
  machine.push({PickleKind::number});
}

template <class T>
void op_text(Machine& machine) {
  machine.push_text(machine.read<T>());
}

void op_persistent_id(Machine& machine) {
  const PickleValue id = machine.pop();
  machine.push(machine.add_storage(read_storage_id(machine.graph(), id, machine.place())));
}

template <class T>
void op_get(Machine& machine) {
  machine.get(machine.read<T>());
}

template <class T>
void op_put(Machine& machine) {
  machine.put(machine.read<T>());
}

struct Opcode {
  char code;
  const char* name;
  void (*run)(Machine&);
};
constexpr char kStop = '.';
constexpr std::array kOpcodes = {
    Opcode{'\x80', "PROTO", op_proto},
    Opcode{kStop, "STOP", op_stop},
    Opcode{'(', "MARK", op_mark},
    Opcode{'c', "GLOBAL", op_global},
    Opcode{'\x81', "NEWOBJ", op_newobj},
    Opcode{'R', "REDUCE", op_reduce},
    Opcode{'b', "BUILD", op_build},
    Opcode{'a', "APPEND", op_append},
    Opcode{'e', "APPENDS", op_appends},
    Opcode{'s', "SETITEM", op_setitem},
    Opcode{'u', "SETITEMS", op_setitems},
    Opcode{'t', "TUPLE", op_tuple},
    Opcode{'\x85', "TUPLE1", op_short_tuple<1>},
    Opcode{'\x86', "TUPLE2", op_short_tuple<2>},
    Opcode{'\x87', "TUPLE3", op_short_tuple<3>},
    Opcode{')', "EMPTY_TUPLE", op_empty<PickleKind::tuple>},
    Opcode{']', "EMPTY_LIST", op_empty<PickleKind::list>},
    Opcode{'}', "EMPTY_DICT", op_empty<PickleKind::dict>},
    Opcode{'N', "NONE", op_none},
    Opcode{'\x88', "NEWTRUE", op_boolean<true>},
    Opcode{'\x89', "NEWFALSE", op_boolean<false>},
    Opcode{'J', "BININT", op_integer<int32_t>},
    Opcode{'K', "BININT1", op_integer<uint8_t>},
    Opcode{'M', "BININT2", op_integer<uint16_t>},
    Opcode{'\x8a', "LONG1", op_long},
    Opcode{'G', "BINFLOAT", op_float},
    Opcode{'X', "BINUNICODE", op_text<uint32_t>},
    Opcode{'U', "SHORT_BINSTRING", op_text<uint8_t>},
    Opcode{'Q', "BINPERSID", op_persistent_id},
    Opcode{'h', "BINGET", op_get<uint8_t>},
    Opcode{'j', "LONG_BINGET", op_get<uint32_t>},
    Opcode{'q', "BINPUT", op_put<uint8_t>},
    Opcode{'r', "LONG_BINPUT", op_put<uint32_t>},
};

using OpcodeIndex = std::array<const Opcode*, 256>;
constexpr OpcodeIndex index_opcodes() {
  OpcodeIndex index{};
  for (const Opcode& row : kOpcodes) index[static_cast<uint8_t>(row.code)] = &row;
  return index;
}
constexpr OpcodeIndex kIndex = index_opcodes();

[[noreturn]] void fail_opcode(char code, uint64_t at, std::string_view where) {
  const std::string subject = message(where, " byte ", at, ": ");
  const auto* other = std::find_if(kOtherOpcodes.begin(), kOtherOpcodes.end(),
                                   [&](const OtherOpcode& row) { return row.code == code; });
  if (other == kOtherOpcodes.end()) {
    fail(Errc::malformed, message(subject, static_cast<uint8_t>(code), " is no opcode"));
  }
  if (other->protocol > kProtocol) {
    fail(Errc::unsupported,
         message(subject, "opcode ", other->name, " is of pickle protocol ", other->protocol, "; ", kProtocolAdvice));
  }
  fail(Errc::malformed, message(subject, "opcode ", other->name, ", which torch.save does not write"));
}

/// Runs up to and with STOP, and leaves the pickle of the graph with what has been read.
PickleGraph run(std::string_view pickle, std::string_view where) {
  if (!pickle.starts_with('\x80')) {
    fail(Errc::malformed, message(where, ": the pickle does not begin with opcode PROTO"));
  }
  Machine machine(pickle, where);
  for (char code = 0; code != kStop;) {
    code = machine.next_opcode();
    const Opcode* opcode = kIndex[static_cast<uint8_t>(code)];
    if (opcode == nullptr) fail_opcode(code, machine.opcode_at(), where);
    machine.name_opcode(opcode->name);
    opcode->run(machine);
  }
  check_nesting(machine.graph(), kMaxPickleDepth, where);
  return machine.take_graph();
}

}  // namespace

PickleGraph unpickle(std::string_view pickle, std::string_view where) {
  if (pickle.size() > kMaxPickleBytes) {
    fail(Errc::limit, message(where, ": ", pickle.size(), " bytes, the limit is ", kMaxPickleBytes));
  }
  PickleGraph graph = run(pickle, where);
  if (graph.pickle.size() == pickle.size()) return graph;
  fail(Errc::malformed, message(where, ": ", pickle.size() - graph.pickle.size(), " bytes follow opcode STOP at byte ",
                                graph.pickle.size() - 1));
}

PickleGraph unpickle_first(std::string_view bytes, std::string_view where) {
  return run(bytes.substr(0, kMaxPickleBytes), where);
}

}  // namespace lathe
