#include "formats/pytorch/torch_file.h"

#include <catch2/catch.hpp>

#include "tests/formats/expect_error.h"
#include "tests/support/torch_builder.h"

namespace lathe {
namespace {

using namespace test::pickle;
using test::expect_error;
using test::TorchBuilder;
using test::ZipBuilder;

constexpr const char* kPath = "some/model.pt";

TorchContents read(const std::string& file) {
  return read_torch_file(std::as_bytes(std::span(file)), kPath, TorchNames::without_module);
}

TorchBuilder small() {
  TorchBuilder builder;
  builder.add_f32("a", {2, 2}, {1, 2, 3, 4}).add_f32("b", {3}, {5, 6, 7});
  return builder;
}

/// A small file with another pickle, whose records are of 16 and 12 bytes.
std::string with_pickle(const std::string& value) { return small().zip(kProto + value + kStop).build(); }
std::string floats(const std::string& key, int64_t count) {
  return tensor(storage("FloatStorage", key, count), 0, integers<int64_t>({count}), integers<int>({1}));
}

/// A small file with a member changed, added or (nullptr) taken away.
std::string with_member(const std::string& name, const char* content) {
  ZipBuilder zip = small().zip();
  std::erase_if(zip.parts, [&](const test::ZipPart& part) { return part.name == name; });
  if (content != nullptr) zip.add(name, content);
  return zip.build();
}

struct BadFile {
  const char* name;
  std::string file;
  Errc code;
  std::vector<std::string> parts;  // besides the path
};

void expect_all_refused(const std::vector<BadFile>& cases) {
  test::expect_all_refused(cases, kPath, [](const BadFile& bad) { read(bad.file); });
}

std::vector<std::string> names_of(const TorchContents& contents) {
  std::vector<std::string> names;
  for (const TorchTensor& tensor : contents.tensors) names.push_back(tensor.name);
  return names;
}

TEST_CASE("the tensors of a file of torch.save are described", "[formats][pytorch]") {
  const TorchContents contents = read(small().build());
  CHECK(names_of(contents) == std::vector<std::string>{"a", "b"});
  CHECK(contents.notes.empty());
  CHECK_FALSE(contents.is_big_endian);
  const TorchTensor* b = contents.find("b");
  REQUIRE(b != nullptr);
  CHECK(b->layout.shape == Shape{3});
  CHECK(contents.records[b->layout.storage].bytes == 12);
  CHECK(contents.find("c") == nullptr);
}

TEST_CASE("every truncation of a file of torch.save is an error", "[formats][pytorch]") {
  const std::string file = small().build();
  for (size_t size = 0; size < file.size(); ++size) {
    INFO("first " << size << " bytes");
    expect_error(Errc::malformed, {kPath}, [&] { read(file.substr(0, size)); });
  }
}

TEST_CASE("a changed byte is an error or changes nothing but values", "[formats][pytorch]") {
  const std::string file = small().build();
  for (size_t at = 0; at < file.size(); ++at) {
    INFO("byte " << at);
    std::string changed = file;
    changed[at] = static_cast<char>(changed[at] ^ 0xff);
    try {
      const std::vector<std::string> names = names_of(read(changed));
      CHECK(names == std::vector<std::string>{"a", "b"});
    } catch (const Error& error) {
      CHECK_THAT(error.what(), Catch::Matchers::Contains(kPath));
      CHECK(error.code() != Errc::internal);
    }
  }
}

TEST_CASE("an archive that is no file of torch.save is refused", "[formats][pytorch]") {
  ZipBuilder loose = small().zip();
  loose.add("readme.txt", "");
  ZipBuilder two_roots = small().zip();
  two_roots.add("other/data.pkl", "");
  ZipBuilder twice = small().zip();
  twice.add("archive/data/0", std::string(16, 'x'));
  expect_all_refused({
      {"case 91: a record that is missing",
       with_member("archive/data/1", nullptr),
       Errc::malformed,
       {"archive/data/1"}},
      {"case 92: more elements than the record",
       with_pickle(dict({text("b"), floats("1", 4)})),
       Errc::malformed,
       {"archive/data/1", "12 bytes", "4 elements of float32", "16"}},
      {"case 93: fewer elements than the record",
       with_pickle(dict({text("b"), floats("1", 2)})),
       Errc::malformed,
       {"archive/data/1", "12 bytes", "2 elements of float32", "8"}},
      {"case 102: byteorder middle",
       with_member("archive/byteorder", "middle"),
       Errc::malformed,
       {"archive/byteorder", "\"middle\"", "\"little\" or \"big\""}},
      {"case 103: no version", with_member("archive/version", nullptr), Errc::malformed, {"archive/version"}},
      {"case 103: version 99",
       with_member("archive/version", "99\n"),
       Errc::malformed,
       {"archive/version", "\"99\"", "1 to 10"}},
      {"case 103: version abc", with_member("archive/version", "abc"), Errc::malformed, {"\"abc\"", "1 to 10"}},
      {"case 103: version 0", with_member("archive/version", "0"), Errc::malformed, {"\"0\"", "1 to 10"}},
      {"case 103: an empty version", with_member("archive/version", ""), Errc::malformed, {"\"\"", "1 to 10"}},
      {"case 103: a version of a later place",
       with_member("archive/.data/version", "99"),
       Errc::malformed,
       {"archive/.data/version", "99"}},
      {"case 104: no pickle", with_member("archive/data.pkl", nullptr), Errc::malformed, {"archive/data.pkl"}},
      {"case 105: two folders",
       two_roots.build(),
       Errc::malformed,
       {"archive/byteorder", "other/data.pkl", "two folders"}},
      {"case 105: a member in no folder", loose.build(), Errc::malformed, {"readme.txt", "two folders"}},
      {"case 106: a record twice", twice.build(), Errc::malformed, {"archive/data/0", "twice"}},
      {"no members", ZipBuilder().build(), Errc::malformed, {"without members"}},
  });
}

TEST_CASE("a damaged pickle is found by its checksum", "[formats][pytorch]") {
  ZipBuilder zip = small().zip();
  zip.find("archive/data.pkl")->crc = 1;
  expect_error(Errc::malformed, {kPath, "archive/data.pkl", "CRC-32", "damaged"}, [&] { read(zip.build()); });
}

TEST_CASE("a compressed pickle is read", "[formats][pytorch]") {
  ZipBuilder zip = small().zip();
  const std::string pickle = zip.find("archive/data.pkl")->data;
  std::erase_if(zip.parts, [](const test::ZipPart& part) { return part.name == "archive/data.pkl"; });
  zip.add_deflated("archive/data.pkl", pickle);
  CHECK(names_of(read(zip.build())) == std::vector<std::string>{"a", "b"});
}

TEST_CASE("what a dict has as keys has to be names", "[formats][pytorch]") {
  const std::string weight = floats("0", 4);
  expect_all_refused({
      {"case 100: a key twice",
       with_pickle(dict({text("w"), weight, text("w"), weight})),
       Errc::malformed,
       {"key w", "twice"}},
      {"case 101: a number", with_pickle(dict({integer(1), weight})), Errc::malformed, {"key 0", "an integer"}},
      {"a name that is not UTF-8", with_pickle(dict({text("w\xff"), weight})), Errc::malformed, {"w\\xff", "UTF-8"}},
      {"a name with control characters",
       with_pickle(dict({text("w\n"), weight})),
       Errc::malformed,
       {"w\\x0a", "control"}},
      {"a name of 513 bytes", with_pickle(dict({text(std::string(513, 'w')), weight})), Errc::limit, {"512"}},
  });
}

TEST_CASE("the state dict is found among what a checkpoint holds", "[formats][pytorch]") {
  const std::string weights = dict({text("w"), floats("0", 4), text("step"), integer(3)});
  for (const char* name : {"state_dict", "model_state_dict", "model", "module"}) {
    const TorchContents contents =
        read(with_pickle(dict({text("epoch"), integer(3), text(name), weights, text("best"), floats("1", 3)})));
    CHECK(names_of(contents) == std::vector<std::string>{"w"});
    REQUIRE(contents.notes.size() == 2);
    CHECK_THAT(contents.notes[0], Catch::Matchers::Contains(message("entry ", name, "; ignored are best, epoch")));
    CHECK_THAT(contents.notes[1], Catch::Matchers::Contains("no tensors are ignored: step"));
  }
  expect_all_refused({
      {"two state dicts",
       with_pickle(dict({text("model"), weights, text("state_dict"), weights})),
       Errc::unsupported,
       {"several state dicts: model, state_dict"}},
      {"none",
       with_pickle(dict({text("ema"), weights, text("epoch"), integer(3)})),
       Errc::unsupported,
       {"without tensors", "state_dict", "ema, epoch"}},
      {"an empty dict", with_pickle("}"), Errc::unsupported, {"without tensors"}},
      {"a list", with_pickle("]"), Errc::unsupported, {"a list", "state dict"}},
      {"a tensor", with_pickle(floats("0", 4)), Errc::unsupported, {"a tensor", "state dict"}},
  });
}

TEST_CASE("the prefix of DataParallel is left out where all names have it", "[formats][pytorch]") {
  const std::string both = with_pickle(dict({text("module.a"), floats("0", 4), text("module.b"), floats("1", 3)}));
  const TorchContents contents = read(both);
  CHECK(names_of(contents) == std::vector<std::string>{"a", "b"});
  REQUIRE(contents.notes.size() == 1);
  CHECK_THAT(contents.notes[0], Catch::Matchers::Contains("module."));
  CHECK(names_of(read_torch_file(std::as_bytes(std::span(both)), kPath, TorchNames::as_stored)) ==
        std::vector<std::string>{"module.a", "module.b"});
  CHECK(names_of(read(with_pickle(dict({text("a"), floats("0", 4), text("module.b"), floats("1", 3)})))) ==
        std::vector<std::string>{"a", "module.b"});
}

TEST_CASE("case 108: a file without checksums is read with a note", "[formats][pytorch]") {
  ZipBuilder zip = small().zip();
  for (test::ZipPart& part : zip.parts) part.crc = 0;
  const TorchContents contents = read(zip.build());
  CHECK(contents.tensors.size() == 2);
  REQUIRE(contents.notes.size() == 1);
  CHECK_THAT(contents.notes[0], Catch::Matchers::Contains("2 of 2 records have no checksum"));
}

// TorchScript: an object with a tensor of its own and one with a tensor inside.

std::string object(const std::string& type, const std::vector<std::string>& attributes) {
  return global("__torch__", type) + ")\x81" + dict(attributes) + "b";
}
std::string script_pickle() {
  const std::string part = object("Part", {text("bias"), floats("1", 3), text("training"), "\x89"});
  return object("Net", {text("weight"), floats("0", 4), text("part"), part, text("sizes"), "]"});
}
ZipBuilder script(const std::string& pickle, const std::string& constants) {
  ZipBuilder zip = small().zip(kProto + pickle + kStop);
  zip.add("archive/constants.pkl", kProto + constants + kStop);
  zip.add("archive/constants/0", std::string(8, 'x'));
  zip.add("archive/code/__torch__.py", "import os");
  return zip;
}

TEST_CASE("case 124: the tensors of a TorchScript module are named by its attributes", "[formats][pytorch]") {
  const TorchContents contents = read(script(script_pickle(), tuple({floats("0", 2)})).build());
  CHECK(names_of(contents) == std::vector<std::string>{"part.bias", "weight"});
  REQUIRE(contents.notes.size() == 1);
  CHECK_THAT(contents.notes[0], Catch::Matchers::Contains("TorchScript"));
}

TEST_CASE("a TorchScript archive that does not hold together is refused", "[formats][pytorch]") {
  // Every object holds the one before twice, so that there are 2^25 paths to the first.
  const std::string zero(1, '\0');
  std::string shared = object("P", {text("w"), floats("0", 4)});
  for (int i = 0; i < 25; ++i) shared = object("P", {text("a"), shared + "q" + zero, text("b"), "h" + zero});
  expect_all_refused({
      {"case 125: a constant that is missing",
       script(script_pickle(), tuple({floats("7", 2)})).build(),
       Errc::malformed,
       {"archive/constants/7"}},
      {"case 125: no constants.pkl", with_pickle(script_pickle()), Errc::malformed, {"__torch__.Net", "constants.pkl"}},
      {"no object", script(dict({text("w"), floats("0", 4)}), ")").build(), Errc::malformed, {"a dict", "module"}},
      {"a constant of another size",
       script(script_pickle(), tuple({floats("0", 3)})).build(),
       Errc::malformed,
       {"archive/constants/0", "8 bytes", "12"}},
      {"more paths than tensors can have", script(shared, ")").build(), Errc::limit, {"1000000 attributes"}},
      {"no parameters", script(object("Net", {text("training"), "\x89"}), ")").build(), Errc::unsupported, {"frozen"}},
      {"an attribute twice",
       script(object("Net", {text("w"), floats("0", 4), text("w"), floats("0", 4)}), ")").build(),
       Errc::malformed,
       {"key w", "twice"}},
      {"an attribute whose name is none",
       script(object("Net", {integer(1), floats("0", 4)}), ")").build(),
       Errc::malformed,
       {"an integer"}},
  });
}

TEST_CASE("the legacy form is read", "[formats][pytorch]") {
  const TorchContents contents = read(small().build_legacy());
  CHECK(names_of(contents) == std::vector<std::string>{"a", "b"});
  CHECK(contents.notes.empty());
  CHECK_FALSE(contents.is_big_endian);
  CHECK(read(small().build_legacy(dict({text("little_endian"), "\x89"}))).is_big_endian);
  CHECK(names_of(read(TorchBuilder().add_f32("module.a", {1}, {1}).build_legacy())) == std::vector<std::string>{"a"});
}

TEST_CASE("every truncation of the legacy form is an error", "[formats][pytorch]") {
  const std::string file = small().build_legacy();
  for (size_t size = 0; size < file.size(); ++size) {
    INFO("first " << size << " bytes");
    const bool has_magic = size == 0 || size >= TorchBuilder::kLegacyMagic.size();
    expect_error(has_magic ? Errc::malformed : Errc::unsupported, {kPath}, [&] { read(file.substr(0, size)); });
  }
}

TEST_CASE("a file of the legacy form that does not hold together is refused", "[formats][pytorch]") {
  const std::string good = small().build_legacy();
  const auto keys = [&](const std::string& with) {
    std::string file = good;
    const std::string own = "](" + text("0") + text("1") + "e";
    return file.replace(file.find(own), own.size(), with);
  };
  std::string other_count = good;
  other_count[good.size() - 12 - 8] = 4;
  expect_all_refused({
      {"case 122: another protocol",
       TorchBuilder::kLegacyMagic + "\x80\x02M\xea\x03.",
       Errc::malformed,
       {"legacy", "byte 15", "1001"}},
      {"no byte order", small().build_legacy("}"), Errc::malformed, {"little_endian"}},
      {"a byte order that is no boolean",
       small().build_legacy(dict({text("little_endian"), "N"})),
       Errc::malformed,
       {"little_endian"}},
      {"a machine that is no dict", small().build_legacy("]"), Errc::malformed, {"little_endian"}},
      {"case 91: fewer keys", keys("](" + text("0") + "e"), Errc::malformed, {"keys of storages", "the 2"}},
      {"case 91: another key", keys("](" + text("0") + text("2") + "e"), Errc::malformed, {"keys of storages have 2"}},
      {"case 106: a key twice", keys("](" + text("0") + text("0") + "e"), Errc::malformed, {"keys of storages have 0"}},
      {"a key that is no text", keys("](" + text("0") + "Ne"), Errc::malformed, {"keys of storages"}},
      {"keys that are no list", keys("}"), Errc::malformed, {"a dict", "expected a list"}},
      {"case 92: another number of elements", other_count, Errc::malformed, {"storage 1", "4 elements", "says 3"}},
      {"bytes behind the last storage", good + "x", Errc::malformed, {"1 bytes follow the last storage"}},
  });
}

TEST_CASE("what torch.save does not write is refused with advice", "[formats][pytorch]") {
  const std::string tar = "storages" + std::string(249, '\0') + "ustar" + std::string(250, '\0');
  expect_all_refused({
      {"case 121: tar", tar, Errc::unsupported, {"tar archive", "_use_new_zipfile_serialization=True"}},
      {"a pickle alone", kProto + "}" + kStop, Errc::unsupported, {"a pickle without the archive"}},
      {"nothing of the kind", "once upon a time", Errc::malformed, {"not a zip archive"}},
      {"nothing", "", Errc::malformed, {"0 bytes"}},
  });
}

}  // namespace
}  // namespace lathe
