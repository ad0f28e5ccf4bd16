#include "formats/checkpoint.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "formats/shard_index.h"
#include "tests/formats/expect_error.h"
#include "tests/support/safetensors_builder.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_error;
using test::raw_bytes;
using test::SafetensorsBuilder;
using test::TempDir;

constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kFirst = "model-00001-of-00002.safetensors";
constexpr const char* kSecond = "model-00002-of-00002.safetensors";

std::string index_text(std::string_view weight_map, uint64_t total_size = 24) {
  return message("{\"metadata\":{\"total_size\":", total_size, "},\"weight_map\":", weight_map, "}");
}
std::string good_map() { return message("{\"a\":\"", kFirst, "\",\"b\":\"", kSecond, "\",\"c\":\"", kFirst, "\"}"); }

/// Tensors a [2] and c [1] in the first shard, b [3] in the second.
void write_shards(const TempDir& dir) {
  dir.write(kFirst, SafetensorsBuilder().add_f32("a", {2}, {1, 2}).add_f32("c", {1}, {3}).build());
  dir.write(kSecond, SafetensorsBuilder().add_f32("b", {3}, {4, 5, 6}).build());
}

TEST_CASE("a safetensors file is opened by its path or its folder", "[formats][checkpoint]") {
  const TempDir dir;
  const std::string content = SafetensorsBuilder().add_f32("z", {2}, {1, 2}).add_f32("a", {1}, {3}).build();
  const auto file = dir.write("model.safetensors", content);
  for (const auto& path : {file, dir.path()}) {
    const auto checkpoint = open_checkpoint(path);
    CHECK(checkpoint->names() == std::vector<std::string>{"a", "z"});
    CHECK(checkpoint->has("a"));
    CHECK_FALSE(checkpoint->has("b"));
    CHECK(checkpoint->tensor("z").shape == Shape{2});
    CHECK(read_f32(*checkpoint, "z") == std::vector<float>{1, 2});
    CHECK(checkpoint->where("a") == file.string());
    REQUIRE(checkpoint->files().size() == 1);
    CHECK(checkpoint->files()[0].path == file.string());
    CHECK(checkpoint->files()[0].bytes == content.size());
    CHECK(checkpoint->warnings().empty());
    expect_error(Errc::malformed, {file.string(), "tensor nothing.weight", "missing"},
                 [&] { checkpoint->tensor("nothing.weight"); });
  }
}

TEST_CASE("a released tensor can be read again", "[formats][checkpoint]") {
  const TempDir dir;
  const std::vector<float> values(100'000, 1.25f);
  const auto file = dir.write("model.safetensors", SafetensorsBuilder().add_f32("a", {100'000}, values).build());
  const auto checkpoint = open_checkpoint(file);
  CHECK(read_f32(*checkpoint, "a") == values);
  checkpoint->release("a");
  checkpoint->release("not there");
  CHECK(read_f32(*checkpoint, "a") == values);
}

TEST_CASE("a sharded checkpoint is opened by its index or its folder", "[formats][checkpoint]") {
  const TempDir dir;
  write_shards(dir);
  const auto index = dir.write(kIndex, index_text(good_map()));
  for (const auto& path : {index, dir.path()}) {
    const auto checkpoint = open_checkpoint(path);
    CHECK(checkpoint->names() == std::vector<std::string>{"a", "b", "c"});
    CHECK(read_f32(*checkpoint, "a") == std::vector<float>{1, 2});
    CHECK(read_f32(*checkpoint, "b") == std::vector<float>{4, 5, 6});
    CHECK(read_f32(*checkpoint, "c") == std::vector<float>{3});
    CHECK(checkpoint->where("b") == (dir / kSecond).string());
    CHECK(checkpoint->where("nothing") == index.string());
    CHECK(checkpoint->files().size() == 3);
    CHECK(checkpoint->warnings().empty());
    checkpoint->release("b");
    CHECK(read_f32(*checkpoint, "b") == std::vector<float>{4, 5, 6});
    expect_error(Errc::malformed, {index.string(), "tensor d", "missing"}, [&] { checkpoint->tensor("d"); });
  }
}

TEST_CASE("model.safetensors is preferred to an index", "[formats][checkpoint]") {
  const TempDir dir;
  dir.write(kIndex, "not even JSON");
  dir.write("model.safetensors", SafetensorsBuilder().add_f32("a", {1}, {3}).build());
  CHECK(open_checkpoint(dir.path())->names() == std::vector<std::string>{"a"});
}

TEST_CASE("a shard index of another structure is refused", "[formats][checkpoint]") {
  struct Case {
    const char* name;
    std::string text;
    std::vector<std::string> parts;
  };
  const auto sent_to = [](std::string_view shard) { return message(R"({"weight_map":{"w":")", shard, "\"}}"); };
  const std::vector<Case> cases = {
      {"case 47: not JSON", "{\"weight_map\": {", {"not valid JSON at byte"}},
      {"case 47: an array", "[]", {"an array", "expected an object"}},
      {"case 48: weight_map missing", "{\"metadata\":{}}", {"no \"weight_map\""}},
      {"case 48: weight_map is an array", R"({"weight_map":[]})", {"weight_map is an array", "expected an object"}},
      {"case 48: weight_map is empty", R"({"weight_map":{}})", {"weight_map is empty"}},
      {"case 48: value is a number", R"({"weight_map":{"w":1}})", {"weight_map: w is 1", "expected a string"}},
      {"case 49: parent folder", sent_to("../x.safetensors"), {"tensor w", "../x.safetensors", "bare name"}},
      {"case 49: parent folder itself", sent_to(".."), {"tensor w", "\"..\"", "bare name"}},
      {"case 50: absolute", sent_to("/etc/passwd"), {"tensor w", "/etc/passwd", "bare name"}},
      {"case 51: slash", sent_to("sub/x.safetensors"), {"tensor w", "sub/x.safetensors", "bare name"}},
      {"case 51: backslash", sent_to("sub\\\\x.safetensors"), {"tensor w", "sub\\x.safetensors", "bare name"}},
      {"case 52: NUL", sent_to("x\\u0000.safetensors"), {"tensor w", "x\\x00.safetensors", "bare name"}},
      {"case 53: empty", sent_to(""), {"tensor w", "\"\"", "bare name"}},
      {"tensor name with a control character", R"({"weight_map":{"w\n":"x"}})", {"w\\x0a", "control"}},
      {"tensor listed twice", R"({"weight_map":{"w":"x","w":"y"}})", {"\"w\"", "twice"}},
  };
  for (const Case& bad : cases) {
    DYNAMIC_SECTION(bad.name) {
      const TempDir dir;
      const auto index = dir.write(kIndex, bad.text);
      std::vector<std::string> parts = bad.parts;
      parts.push_back(index.string());
      expect_error(Errc::malformed, parts, [&] { open_checkpoint(dir.path()); });
    }
  }
}

TEST_CASE("more shards than the limit are refused", "[formats][checkpoint]") {
  std::string map = "{\"weight_map\":{";
  for (size_t i = 0; i <= kMaxShards; ++i) map += message(i == 0 ? "" : ",", "\"w", i, "\":\"s", i, "\"");
  expect_error(Errc::limit, {"index.json", "10001 shards", "10000"},
               [&] { parse_shard_index(map + "}}", "index.json"); });
}

TEST_CASE("case 54: a missing shard is named with the tensors it should hold", "[formats][checkpoint]") {
  const TempDir dir;
  write_shards(dir);
  const auto index = dir.write(kIndex, index_text(good_map()));
  std::filesystem::remove(dir / kFirst);
  expect_error(Errc::no_input, {index.string(), kFirst, "2 tensors"}, [&] { open_checkpoint(dir.path()); });
}

TEST_CASE("case 55: a tensor that its shard does not hold is an error", "[formats][checkpoint]") {
  const TempDir dir;
  write_shards(dir);
  const auto index = dir.write(kIndex, index_text(message("{\"a\":\"", kSecond, "\",\"b\":\"", kSecond, "\"}")));
  expect_error(Errc::malformed, {index.string(), "tensor a", kSecond}, [&] { open_checkpoint(dir.path()); });
}

TEST_CASE("case 56: a tensor that the index does not list is left out with a warning", "[formats][checkpoint]") {
  const TempDir dir;
  write_shards(dir);
  dir.write(kIndex, index_text(message("{\"a\":\"", kFirst, "\",\"b\":\"", kSecond, "\"}"), 20));
  const auto checkpoint = open_checkpoint(dir.path());
  CHECK(checkpoint->names() == std::vector<std::string>{"a", "b"});
  REQUIRE(checkpoint->warnings().size() == 1);
  CHECK_THAT(checkpoint->warnings()[0], Catch::Matchers::Contains("1 tensors") && Catch::Matchers::Contains(" c ") &&
                                            Catch::Matchers::Contains(kFirst));
}

TEST_CASE("case 57: a tensor in two shards is an error, listed or not", "[formats][checkpoint]") {
  const TempDir dir;
  write_shards(dir);
  dir.write(kSecond, SafetensorsBuilder().add_f32("b", {3}, {4, 5, 6}).add_f32("c", {1}, {3}).build());
  for (const std::string& map : {good_map(), message("{\"a\":\"", kFirst, "\",\"b\":\"", kSecond, "\"}")}) {
    const auto index = dir.write(kIndex, index_text(map));
    expect_error(Errc::malformed, {index.string(), "tensor c", kFirst, kSecond}, [&] { open_checkpoint(dir.path()); });
  }
}

TEST_CASE("case 58: a wrong total size is a warning", "[formats][checkpoint]") {
  const TempDir dir;
  write_shards(dir);
  dir.write(kIndex, index_text(good_map(), 25));
  const auto checkpoint = open_checkpoint(dir.path());
  CHECK(checkpoint->names().size() == 3);
  REQUIRE(checkpoint->warnings().size() == 1);
  CHECK_THAT(checkpoint->warnings()[0], Catch::Matchers::Contains("25") && Catch::Matchers::Contains("24"));
}

TEST_CASE("a bad shard is named by its own path", "[formats][checkpoint]") {
  const TempDir dir;
  write_shards(dir);
  dir.write(kIndex, index_text(good_map()));
  dir.write(kSecond, "short");
  expect_error(Errc::malformed, {(dir / kSecond).string(), "5 bytes"}, [&] { open_checkpoint(dir.path()); });
}

TEST_CASE("case 62: integers where floats are needed are an error", "[formats][checkpoint]") {
  const TempDir dir;
  const auto file =
      dir.write("model.safetensors", SafetensorsBuilder().add("ids", "I64", {2}, raw_bytes<int64_t>({1, 2})).build());
  const auto checkpoint = open_checkpoint(file);
  CHECK(checkpoint->tensor("ids").dtype == DType::i64);
  expect_error(Errc::malformed, {file.string(), "tensor ids", "i64"}, [&] { float_tensor(*checkpoint, "ids"); });
  expect_error(Errc::malformed, {file.string(), "tensor ids", "i64"}, [&] { read_f32(*checkpoint, "ids"); });
}

TEST_CASE("case 72: a hub cache made of symbolic links is read", "[formats][checkpoint]") {
  const TempDir dir;
  dir.write("blobs/0123abcd", SafetensorsBuilder().add_f32("a", {2}, {1, 2}).add_f32("c", {1}, {3}).build());
  dir.write("blobs/4567cdef", SafetensorsBuilder().add_f32("b", {3}, {4, 5, 6}).build());
  dir.write("blobs/89abcdef", index_text(good_map()));
  const auto snapshot = dir / "snapshots/revision";
  std::filesystem::create_directories(snapshot);
  std::filesystem::create_symlink("../../blobs/0123abcd", snapshot / kFirst);
  std::filesystem::create_symlink("../../blobs/4567cdef", snapshot / kSecond);
  std::filesystem::create_symlink("../../blobs/89abcdef", snapshot / kIndex);
  CHECK(read_f32(*open_checkpoint(snapshot), "b") == std::vector<float>{4, 5, 6});
  std::filesystem::create_symlink("../../blobs/4567cdef", snapshot / "model.safetensors");
  CHECK(open_checkpoint(snapshot)->names() == std::vector<std::string>{"b"});
}

TEST_CASE("case 73: a folder without weights says what is looked for", "[formats][checkpoint]") {
  const TempDir dir;
  dir.write("config.json", "{}");
  expect_error(Errc::no_input, {dir.path().string(), "model.safetensors", kIndex, "pytorch_model.bin"},
               [&] { open_checkpoint(dir.path()); });
  dir.write("flax_model.msgpack", "x");
  expect_error(Errc::unsupported, {dir.path().string(), "flax_model.msgpack"}, [&] { open_checkpoint(dir.path()); });
}

TEST_CASE("a path that does not exist is named", "[formats][checkpoint]") {
  const TempDir dir;
  expect_error(Errc::no_input, {(dir / "nothing").string()}, [&] { open_checkpoint(dir / "nothing"); });
}

TEST_CASE("files of other formats are told apart by their first bytes", "[formats][checkpoint]") {
  using namespace std::string_literals;
  struct Case {
    const char* name;
    std::string content;
    Errc code;
    const char* part;
  };
  const std::vector<Case> cases = {
      {"GGUF", "GGUF\3\0\0\0\1\0\0\0"s, Errc::unsupported, "GGUF"},
      {"zip with version 2.0", "PK\3\4\x14\0\0\0\0\0"s, Errc::malformed, "the file is truncated"},
      {"zip as PyTorch writes it", "PK\3\4\0\0\x08\x08\0\0"s, Errc::malformed, "the file is truncated"},
      {"a tar archive", "storages" + std::string(249, '\0') + "ustar" + std::string(250, '\0'), Errc::unsupported,
       "tar"},
      {"a pickle of another protocol", "\x80\x04\x95\x0a\0\0\0\0\0"s, Errc::unsupported, "torch.save"},
      {"a pickle", "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20"s, Errc::unsupported, "torch.save"},
      {"Git LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", Errc::malformed,
       "git lfs pull"},
      {"text", "once upon a time there was a model", Errc::malformed, "not safetensors"},
      {"another JSON file", R"({"model_type": "bert"})", Errc::malformed, "weight_map"},
  };
  for (const Case& other : cases) {
    DYNAMIC_SECTION(other.name) {
      const TempDir dir;
      const auto file = dir.write("model.safetensors", other.content);
      expect_error(other.code, {file.string(), other.part}, [&] { open_checkpoint(file); });
    }
  }
}

TEST_CASE("special values of 16-bit and 64-bit floats become the same f32", "[formats][checkpoint]") {
  const TempDir dir;
  const float infinity = std::numeric_limits<float>::infinity();
  const auto half =
      raw_bytes<uint16_t>({0x0000, 0x8000, 0x0001, 0x83ff, 0x0400, 0x3c00, 0x3555, 0xfbff, 0x7c00, 0xfc00});
  const std::vector<float> half_values = {0.0f, -0.0f,       0x1p-24f,  -0x1.ff8p-15f, 0x1p-14f,
                                          1.0f, 0x1.554p-2f, -65504.0f, infinity,      -infinity};
  const auto brain = raw_bytes<uint16_t>({0x0000, 0x8000, 0x0001, 0x0080, 0x3f80, 0x4049, 0xff7f, 0x7f80, 0xff80});
  const std::vector<float> brain_values = {0.0f,      -0.0f,         0x1p-133f, 0x1p-126f, 1.0f,
                                           3.140625f, -0x1.fep+127f, infinity,  -infinity};
  const auto file =
      dir.write("model.safetensors", SafetensorsBuilder()
                                         .add("half", "F16", {10}, half)
                                         .add("brain", "BF16", {9}, brain)
                                         .add("double", "F64", {3}, raw_bytes<double>({1e300, -0x1p-149, 0.1}))
                                         .add("nan", "F16", {2}, raw_bytes<uint16_t>({0x7e00, 0xfc01}))
                                         .build());
  const auto checkpoint = open_checkpoint(file);
  // As bits, so that the sign of zero counts.
  CHECK(raw_bytes(read_f32(*checkpoint, "half")) == raw_bytes(half_values));
  CHECK(raw_bytes(read_f32(*checkpoint, "brain")) == raw_bytes(brain_values));
  CHECK(read_f32(*checkpoint, "double") == std::vector<float>{infinity, -0x1p-149f, 0.1f});
  for (const float value : read_f32(*checkpoint, "nan")) CHECK(std::isnan(value));
}

}  // namespace
}  // namespace lathe
