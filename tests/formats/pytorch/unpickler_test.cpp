#include "formats/pytorch/unpickler.h"

#include <catch2/catch.hpp>

#include "tests/formats/expect_error.h"
#include "tests/support/torch_builder.h"

namespace lathe {
namespace {

using namespace test::pickle;
using test::expect_error;

constexpr const char* kWhere = "model.pt: data.pkl";

/// The pickle has to live as long as what is read from it.
PickleGraph read(const std::string& pickle) { return unpickle(pickle, kWhere); }
/// One value, as a pickle.
std::string whole(const std::string& value) { return kProto + value + kStop; }
std::string floats(int64_t elements = 12) { return storage("FloatStorage", "0", elements); }
std::string sized(const std::vector<int64_t>& size, const std::vector<int64_t>& stride, int64_t offset = 0) {
  return whole(tensor(floats(), offset, integers(size), integers(stride)));
}

struct BadPickle {
  const char* name;
  std::string pickle;
  Errc code;
  std::vector<std::string> parts;  // besides the file
};

void expect_all_refused(const std::vector<BadPickle>& cases) {
  test::expect_all_refused(cases, kWhere, [](const BadPickle& bad) { read(bad.pickle); });
}

std::string repeated(const std::string& piece, size_t count) {
  std::string out;
  out.reserve(piece.size() * count);
  for (size_t i = 0; i < count; ++i) out += piece;
  return out;
}

TEST_CASE("values of a pickle are what was written", "[formats][pytorch][pickle]") {
  const std::string big = integer(int64_t{1} << 40);
  const std::string pickle =
      whole("](NU\2ab" + integer(7) + integer(-7) + integer(70'000) + big + "\x8a\1\xff" + std::string("\x8a\0", 2) +
            "\x88\x89G" + std::string(8, '\0') + ")" + dict({text("k"), integer(1)}) + integer(2) + "\x85" + "e");
  const PickleGraph graph = read(pickle);
  REQUIRE(graph.root.kind == PickleKind::list);
  const std::vector<PickleValue>& items = graph.items(graph.root);
  REQUIRE(items.size() == 14);
  CHECK(items[0].kind == PickleKind::none);
  CHECK(graph.text(items[1]) == "ab");
  const std::vector<int64_t> integers = {7, -7, 70'000, int64_t{1} << 40, -1, 0};
  for (size_t i = 0; i < integers.size(); ++i) {
    CHECK(items[2 + i].kind == PickleKind::integer);
    CHECK(items[2 + i].integer == integers[i]);
  }
  CHECK(items[8].integer == 1);
  CHECK(items[9].kind == PickleKind::boolean);
  CHECK(items[10].kind == PickleKind::number);
  CHECK(graph.items(items[11]).empty());
  CHECK(graph.items(items[12]).size() == 2);
  CHECK(graph.items(items[13]).front().integer == 2);
}

TEST_CASE("what is put into the memo comes out of it", "[formats][pytorch][pickle]") {
  const std::string pickle = whole("](" + text("a") + "q" + "\5" + "h" + "\5" + "r" + std::string("\7\0\0\0", 4) + "j" +
                                   std::string("\7\0\0\0", 4) + "e");
  const PickleGraph graph = read(pickle);
  REQUIRE(graph.items(graph.root).size() == 3);
  for (const PickleValue& item : graph.items(graph.root)) CHECK(graph.text(item) == "a");
}

TEST_CASE("a tensor is a view of its storage", "[formats][pytorch][pickle]") {
  const std::string pickle = whole("(" + tensor(floats(), 1, integers<int>({2, 3}), integers<int>({5, 1})) +
                                   tensor(floats(), 0, integers<int>({}), integers<int>({})) + "t");
  const PickleGraph graph = read(pickle);
  REQUIRE(graph.storages.size() == 1);
  CHECK(graph.storages[0].key == "0");
  CHECK(graph.storages[0].elements == 12);
  REQUIRE(graph.tensors.size() == 2);
  CHECK(graph.tensors[0].type->name == "float32");
  CHECK(graph.tensors[0].shape == Shape{2, 3});
  CHECK(graph.tensors[0].strides == std::vector<uint64_t>{5, 1});
  CHECK(graph.tensors[0].offset == 1);
  CHECK(graph.tensors[1].shape.empty());
}

TEST_CASE("tensors of every function that makes them are read", "[formats][pytorch][pickle]") {
  const std::string plain = tensor(floats(), 0, integers<int>({12}), integers<int>({1}));
  const std::string raw = storage("UntypedStorage", "0", 24);
  const std::vector<std::string> v3 = {raw,    integer(2),     integers<int>({10}),      integers<int>({1}),
                                       "\x89", ordered_dict(), global("torch", "uint16")};
  const std::string v2 = global("torch._utils", "_rebuild_tensor_v2");
  const std::string arguments = tuple({floats(), integer(0), integers<int>({12}), integers<int>({1}), "\x89", "N"});
  const std::vector<std::pair<std::string, std::string_view>> cases = {
      {call(global("torch._utils", "_rebuild_tensor"), {floats(), integer(0), integers<int>({3}), integers<int>({1})}),
       "float32"},
      {call(global("torch._utils", "_rebuild_tensor_v3"), v3), "uint16"},
      {call(global("torch._utils", "_rebuild_parameter"), {plain, "\x88", ordered_dict()}), "float32"},
      {call(global("torch._tensor", "_rebuild_from_type_v2"),
            {v2, global("torch.nn.parameter", "Parameter"), arguments, "}"}),
       "float32"},
      {call(v2, {floats(), integer(0), global("torch", "Size") + integers<int>({2}) + "\x85R", integers<int>({1}),
                 "\x89", ordered_dict(), "}"}),
       "float32"},
  };
  for (const auto& [value, type] : cases) {
    const std::string pickle = whole(value);
    const PickleGraph graph = read(pickle);
    REQUIRE(graph.root.kind == PickleKind::tensor);
    CHECK(graph.tensors[graph.root.index].type->name == type);
  }
  const std::string pickle = whole(call(global("torch._utils", "_rebuild_sparse_tensor"), {"N", "N"}));
  const PickleGraph sparse = read(pickle);
  CHECK(sparse.tensors[0].other_layout == "_rebuild_sparse_tensor");
}

TEST_CASE("dicts of Python 2 are made of pairs", "[formats][pytorch][pickle]") {
  const std::string pairs = "](](" + text("a") + integer(1) + "e](" + text("b") + integer(2) + "ee";
  const std::string pickle = whole(call(global("collections", "OrderedDict"), {pairs}));
  const PickleGraph graph = read(pickle);
  REQUIRE(graph.root.kind == PickleKind::dict);
  REQUIRE(graph.items(graph.root).size() == 4);
  CHECK(graph.text(graph.items(graph.root)[2]) == "b");
  CHECK(graph.items(graph.root)[3].integer == 2);
}

TEST_CASE("what a training script adds to a checkpoint is passed over", "[formats][pytorch][pickle]") {
  for (const std::string& value : {
           call(global("_codecs", "encode"), {text("bytes"), text("latin1")}),
           call(global("__builtin__", "set"), {"]"}),
           call(global("collections", "Counter"), {"}"}),
           call(global("torch", "device"), {text("cuda"), integer(0)}),
           global("torch", "float16"),
           global("torch.cuda", "FloatTensor"),
       }) {
    CHECK_NOTHROW(read(whole(value)));
  }
}

TEST_CASE("a name that is not in the tables is refused with it", "[formats][pytorch][pickle]") {
  const auto named = [](const char* name, std::string_view module, std::string_view global_name, const char* advice) {
    return BadPickle{name,
                     whole(call(global(module, global_name), {text("x")})),
                     Errc::unsupported,
                     {"byte 2", "GLOBAL", message(module, ".", global_name), advice}};
  };
  expect_all_refused({
      named("case 74: a function of the system", "os", "system", "no code of a pickle is ever run"),
      named("case 75: eval", "builtins", "eval", "no code of a pickle is ever run"),
      named("case 75: eval of Python 2", "__builtin__", "eval", "no code of a pickle is ever run"),
      named("case 76: another load", "torch", "load", "state_dict()"),
      named("case 77: an array of NumPy", "numpy.core.multiarray", "_reconstruct", "NumPy"),
      named("case 123: a module", "torch.nn.modules.linear", "Linear", "pickled nn.Module"),
      named("case 123: a module of one's own", "__main__", "Net", "state_dict()"),
      named("a name that begins like one that is read", "torch._utils", "_rebuild_tensor_v22", "state_dict()"),
      named("a module that begins like one with advice", "numpyx", "array", "no code of a pickle is ever run"),
      named("dots in a name", "torch", "nn.Linear", "state_dict()"),
  });
}

TEST_CASE("other opcodes and protocols are refused by their names", "[formats][pytorch][pickle]") {
  expect_all_refused({
      {"case 78: INST", whole("(ios\nsystem\n"), Errc::malformed, {"byte 3", "opcode INST", "torch.save"}},
      {"case 78: EXT1", whole("\x82\1"), Errc::malformed, {"byte 2", "opcode EXT1"}},
      {"case 78: LONG as text", whole("L12L\n"), Errc::malformed, {"byte 2", "opcode LONG"}},
      {"case 78: DUP", whole("N2"), Errc::malformed, {"byte 3", "opcode DUP"}},
      {"no opcode", whole("\xff"), Errc::malformed, {"byte 2", "255 is no opcode"}},
      {"case 79: protocol 4", "\x80\x04\x95", Errc::unsupported, {"protocol 4", "pickle_protocol=2"}},
      {"case 79: STACK_GLOBAL",
       whole(text("os") + text("system") + "\x93"),
       Errc::unsupported,
       {"STACK_GLOBAL", "protocol 4", "pickle_protocol=2"}},
      {"protocol 0", "N.", Errc::malformed, {"does not begin with opcode PROTO"}},
  });
}

TEST_CASE("a pickle that ends early is refused", "[formats][pytorch][pickle]") {
  const std::string good = whole(dict({text("w"), tensor(floats(), 0, integers<int>({3, 4}), integers<int>({4, 1}))}));
  CHECK_NOTHROW(read(good));
  for (size_t size = 0; size < good.size(); ++size) {  // case 80
    INFO("first " << size << " bytes");
    expect_error(Errc::malformed, {kWhere}, [&] { read(good.substr(0, size)); });
  }
  expect_all_refused({
      {"case 83: no STOP", kProto + "N", Errc::malformed, {"byte 3", "STOP", "truncated"}},
      {"case 84: a text of 4 GiB",
       kProto + "X\xff\xff\xff\xff" + "abc",
       Errc::malformed,
       {"byte 2", "BINUNICODE", "4294967295 bytes", "only 3"}},
      {"a name without an end", kProto + "cos\nsystem", Errc::malformed, {"GLOBAL", "truncated"}},
      {"bytes behind STOP", whole("N") + "x", Errc::malformed, {"1 bytes follow opcode STOP"}},
  });
}

TEST_CASE("a pickle that misuses the stack or the memo is refused", "[formats][pytorch][pickle]") {
  expect_all_refused({
      {"case 81: nothing on the stack", kProto + kStop, Errc::malformed, {"byte 2", "STOP", "there is none"}},
      {"case 81: no MARK", whole("Nt"), Errc::malformed, {"byte 3", "TUPLE", "MARK"}},
      {"case 81: a value below the mark", whole("N(\x85"), Errc::malformed, {"TUPLE1", "there is none"}},
      {"values that are left", whole("NN"), Errc::malformed, {"STOP", "leaves values"}},
      {"a mark that is left", kProto + "(N.", Errc::malformed, {"STOP", "leaves values"}},
      {"case 82: an empty memo", whole("h\3"), Errc::malformed, {"byte 2", "BINGET", "memo entry 3"}},
      {"case 82: a hole in the memo", whole("Nq\3h\2"), Errc::malformed, {"memo entry 2"}},
      {"a memo entry beyond reason",
       whole("Nr\xff\xff\xff\x7f"),
       Errc::malformed,
       {"LONG_BINPUT", "2147483647", "8 bytes so far"}},
      {"case 85: an integer of 255 bytes",
       whole("\x8a\xff" + std::string(255, '\1')),
       Errc::malformed,
       {"LONG1", "255 bytes"}},
      {"case 88: an entry of a tensor",
       whole(tensor(floats(), 0, integers<int>({1}), integers<int>({1})) + text("k") + "Ns"),
       Errc::malformed,
       {"SETITEM", "adds to a tensor"}},
      {"case 88: state of a tensor",
       whole(tensor(floats(), 0, integers<int>({1}), integers<int>({1})) + "}b"),
       Errc::malformed,
       {"BUILD", "a tensor"}},
      {"an item of a dict", whole("}Na"), Errc::malformed, {"APPEND", "adds to a dict", "a list"}},
      {"half a pair", whole("}(Nu"), Errc::malformed, {"SETITEMS", "1 values"}},
      {"a call of a text", whole(text("f") + ")R"), Errc::malformed, {"REDUCE", "there is a text"}},
      {"a call of a class", whole(global("torch", "Tensor") + ")R"), Errc::malformed, {"calls torch.Tensor"}},
      {"a call of a class of TorchScript",
       whole(global("__torch__", "Net") + ")R"),
       Errc::malformed,
       {"calls __torch__.Net"}},
      {"an object of another class",
       whole(global("torch", "Tensor") + ")\x81"),
       Errc::malformed,
       {"NEWOBJ", "torch.Tensor"}},
      {"state for the second time",
       whole(global("__torch__", "Net") + ")\x81}b}b"),
       Errc::malformed,
       {"BUILD", "second time"}},
      {"too few arguments",
       whole(call(global("torch._utils", "_rebuild_tensor_v2"), {"N"})),
       Errc::malformed,
       {"_rebuild_tensor_v2", "1 arguments", "6 to 7"}},
      {"a dict of a text",
       whole(call(global("collections", "OrderedDict"), {text("k")})),
       Errc::malformed,
       {"REDUCE", "a text", "a list of pairs"}},
      {"a dict of what are no pairs",
       whole(call(global("collections", "OrderedDict"), {"](]Ne"})),
       Errc::malformed,
       {"REDUCE", "a list", "expected pairs"}},
      {"a tensor of a tensor of its own class",
       whole(call(global("torch._tensor", "_rebuild_from_type_v2"),
                  {global("torch._tensor", "_rebuild_from_type_v2"), "N", ")", "N"})),
       Errc::malformed,
       {"own class"}},
  });
}

TEST_CASE("nesting is bounded, and no container contains itself", "[formats][pytorch][pickle]") {
  const size_t deep = 20'000;
  expect_all_refused({
      {"case 86: lists", whole(repeated("]", deep) + repeated("a", deep - 1)), Errc::limit, {"deeper", "256"}},
      {"case 86: tuples", whole(")" + repeated("\x85", deep)), Errc::limit, {"deeper", "256"}},
      {"one level too many", whole(")" + repeated("\x85", kMaxPickleDepth)), Errc::limit, {"deeper", "256"}},
      {"case 87: a list in itself",
       whole("]q" + std::string(1, '\0') + "h" + std::string(1, '\0') + "a"),
       Errc::malformed,
       {"a list contains itself"}},
      {"case 87: a dict in a list in itself",
       whole("}q\1" + text("k") + "](h\1" + "es"),
       Errc::malformed,
       {"contains itself"}},
  });
  CHECK_NOTHROW(read(whole(")" + repeated("\x85", kMaxPickleDepth - 1))));
  // Shared, not nested: each level holds the one before twice, so that there are 2^200 paths.
  std::string shared = ")q" + std::string(1, '\0');
  for (int i = 0; i < 200; ++i) shared += "h" + std::string(1, '\0') + "\x86q" + std::string(1, '\0');
  CHECK_NOTHROW(read(whole(shared)));
}

TEST_CASE("a storage that contradicts itself is refused", "[formats][pytorch][pickle]") {
  const auto id = [](const std::vector<std::string>& parts) { return whole(tuple(parts) + "Q"); };
  const std::string type = global("torch", "FloatStorage");
  const auto keyed = [](const std::string& key) { return whole(storage("FloatStorage", key, 1)); };
  expect_all_refused({
      {"case 89: a persistent id of something else",
       id({text("module"), type, text("0"), text("cpu"), integer(1)}),
       Errc::malformed,
       {"BINPERSID", "\"module\""}},
      {"case 89: no tuple", whole(text("storage") + "Q"), Errc::malformed, {"\"storage\"", "a tuple"}},
      {"case 89: too few parts", id({text("storage"), type}), Errc::malformed, {"2 parts", "expected 5"}},
      {"a part of another storage",
       id({text("storage"), type, text("0"), text("cpu"), integer(1), tuple({text("1"), integer(0), integer(1)})}),
       Errc::unsupported,
       {"part of another", "0.4"}},
      {"a class that is none of storages",
       id({text("storage"), global("torch", "Size"), text("0"), text("cpu"), integer(1)}),
       Errc::malformed,
       {"torch.Size"}},
      {"case 90: a key that leads elsewhere", keyed("../../etc/passwd"), Errc::malformed, {"../../etc/passwd", "bare"}},
      {"case 90: an empty key", keyed(""), Errc::malformed, {"\"\"", "bare"}},
      {"case 90: a key with NUL", keyed(std::string("0\0", 2)), Errc::malformed, {"0\\x00", "bare"}},
      {"case 94: a negative number of elements", whole(floats(-1)), Errc::malformed, {"storage 0", "-1"}},
      {"case 94: 2^62 elements",
       whole(floats(int64_t{1} << 62)),
       Errc::malformed,
       {"4611686018427387904", "overflows"}},
      {"case 99: one key, two types",
       whole("(" + floats() + storage("HalfStorage", "0", 12) + "t"),
       Errc::malformed,
       {"storage 0", "float16", "float32"}},
      {"case 99: one key, two sizes",
       whole("(" + floats() + floats(13) + "t"),
       Errc::malformed,
       {"storage 0", "13 elements", "12"}},
      {"case 99: one key, as bytes and not",
       whole("(" + storage("ByteStorage", "0", 12) + storage("UntypedStorage", "0", 12) + "t"),
       Errc::malformed,
       {"storage 0"}},
  });
}

TEST_CASE("a tensor that does not lie inside its storage is refused", "[formats][pytorch][pickle]") {
  const int64_t far = int64_t{1} << 62;
  CHECK_NOTHROW(read(sized({3, 4}, {4, 1})));
  CHECK_NOTHROW(read(sized({0, 4}, {4, 1}, 12)));
  expect_all_refused({
      {"case 95: beyond the end",
       sized({3, 4}, {4, 1}, 1),
       Errc::malformed,
       {"_rebuild_tensor_v2", "[3, 4]", "storage_offset 1", "element 13", "12"}},
      {"case 95: an offset beyond the end", sized({}, {}, 12), Errc::malformed, {"storage_offset 12"}},
      {"case 95: an empty tensor beyond the end", sized({0}, {1}, 13), Errc::malformed, {"storage_offset 13"}},
      {"case 95: a negative offset", sized({1}, {1}, -1), Errc::malformed, {"storage_offset is -1"}},
      {"case 96: a negative stride", sized({2}, {-1}, 5), Errc::malformed, {"stride[0] is -1"}},
      {"case 96: a stride beyond the end", sized({2, 2}, {12, 1}), Errc::malformed, {"stride [12, 1]", "12"}},
      {"case 96: strides that overflow", sized({3, 3}, {far, far}), Errc::malformed, {"overflows"}},
      {"a negative dimension", sized({-1}, {1}), Errc::malformed, {"size[0] is -1"}},
      {"a dimension beyond 2^48", sized({int64_t{1} << 48}, {0}), Errc::malformed, {"size[0]"}},
      {"dimensions whose product overflows",
       sized({int64_t{1} << 40, int64_t{1} << 40}, {0, 0}),
       Errc::malformed,
       {"overflows"}},
      {"case 97: another number of strides", sized({3, 4}, {1}), Errc::malformed, {"[3, 4]", "[1]"}},
      {"nine dimensions",
       sized(std::vector<int64_t>(9, 1), std::vector<int64_t>(9, 1)),
       Errc::unsupported,
       {"9 dimensions", "8"}},
      {"a size that is a text",
       whole(tensor(floats(), 0, text("3"), integers<int>({1}))),
       Errc::malformed,
       {"size", "\"3\"", "a tuple"}},
      {"a storage that is none",
       whole(tensor("N", 0, integers<int>({1}), integers<int>({1}))),
       Errc::malformed,
       {"storage", "None"}},
  });
}

}  // namespace
}  // namespace lathe
