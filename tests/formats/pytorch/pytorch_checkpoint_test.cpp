// Files that PyTorch wrote, against what PyTorch reads from them (experiments/references/record_pytorch_tiny.py), and
// files that are made here.

#include "formats/pytorch/pytorch_checkpoint.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>
#include <thread>

#include "formats/artifact/checksum.h"
#include "tests/formats/expect_error.h"
#include "tests/support/paths.h"
#include "tests/support/real_data.h"
#include "tests/support/resident_memory.h"
#include "tests/support/temp_dir.h"
#include "tests/support/torch_builder.h"

namespace lathe {
namespace {

using namespace test::pickle;
using test::expect_error;
using test::TempDir;
using test::TorchBuilder;
using test::ZipBuilder;

/// What PyTorch read of a tensor.
struct Recorded {
  std::string type;
  std::string shape;
  std::string hash;
  bool operator==(const Recorded&) const = default;
};
using RecordedTensors = std::map<std::string, Recorded>;

/// By file.
std::map<std::string, RecordedTensors> read_recorded(const char* name) {
  std::ifstream table(test::data_path("pytorch") / name);
  std::map<std::string, RecordedTensors> files;
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string file, tensor;
    Recorded recorded;
    std::getline(fields, file, '\t');
    std::getline(fields, tensor, '\t');
    std::getline(fields, recorded.type, '\t');
    std::getline(fields, recorded.shape, '\t');
    std::getline(fields, recorded.hash, '\t');
    files[file][tensor] = recorded;
  }
  return files;
}

Recorded as_recorded(const TensorView& tensor) {
  std::string shape;
  for (const uint64_t dim : tensor.shape) shape += message(shape.empty() ? "" : ",", dim);
  return {dtype_name(tensor.dtype), shape, content_hash(tensor.bytes)};
}

/// All tensors that can be read.
RecordedTensors read_all(const Checkpoint& checkpoint) {
  RecordedTensors tensors;
  for (const std::string& name : checkpoint.names()) {
    try {
      tensors[name] = as_recorded(checkpoint.tensor(name));
    } catch (const Error& error) {
      if (error.code() != Errc::unsupported) throw;
    }
    checkpoint.release(name);
  }
  return tensors;
}

void expect_recorded(const std::filesystem::path& file, const RecordedTensors& expected) {
  INFO(file);
  const auto checkpoint = open_checkpoint(file);
  for (int turn = 0; turn < 2; ++turn) {  // once more after all have been released
    const RecordedTensors read = read_all(*checkpoint);
    REQUIRE(read.size() == expected.size());
    for (const auto& [name, recorded] : expected) {
      INFO("tensor " << name);
      REQUIRE(read.contains(name));
      CHECK(read.at(name) == recorded);
    }
  }
}

TEST_CASE("every tensor that PyTorch wrote is what PyTorch reads", "[formats][pytorch]") {
  const auto files = read_recorded("expected.tsv");
  REQUIRE(files.size() == 11);
  for (const auto& [file, tensors] : files) expect_recorded(test::data_path("pytorch") / file, tensors);
}

TEST_CASE("every tensor of real models is what PyTorch reads", "[formats][pytorch][data][real]") {
  const auto recorded = read_recorded("real.tsv");
  REQUIRE(recorded.size() == 4);
  for (const char* file : {"crepe/tiny.pth", "crepe/full.pth", "ocr/english_g2.pth", "ocr/craft_mlt_25k.pth"}) {
    const std::filesystem::path folder = test::real_data(file);
    if (folder.empty()) return;
    expect_recorded(folder / file, recorded.at(std::filesystem::path(file).filename().string()));
  }
}

TEST_CASE("files that PyTorch wrote and nobody should read are refused", "[formats][pytorch]") {
  const auto expect_refused = [](const char* file, std::vector<std::string> parts) {
    parts.emplace_back(file);
    expect_error(Errc::unsupported, parts, [&] { open_checkpoint(test::data_path("pytorch") / file); });
  };
  expect_refused("refused_module.pt", {"torch.nn.modules.linear.Linear", "state_dict()"});
  expect_refused("refused_numpy.pt", {"_reconstruct", "NumPy"});
  expect_refused("refused_protocol_4.pt", {"protocol 4", "pickle_protocol=2"});
}

TEST_CASE("types and layouts that are not read are errors of their tensors alone", "[formats][pytorch]") {
  const auto types = open_checkpoint(test::data_path("pytorch") / "types_and_views.pt");
  expect_error(Errc::unsupported, {"tensor type.complex", "complex64"}, [&] { types->tensor("type.complex"); });
  expect_error(Errc::unsupported, {"tensor type.float8", "float8_e4m3fn"}, [&] { types->tensor("type.float8"); });
  const auto sparse = open_checkpoint(test::data_path("pytorch") / "sparse.pt");
  CHECK(read_f32(*sparse, "dense") == std::vector<float>{1, 1});
  expect_error(Errc::unsupported, {"tensor sparse", "_rebuild_sparse_tensor"}, [&] { sparse->tensor("sparse"); });
  sparse->release("sparse");
}

TEST_CASE("notes say what was taken and what was left out", "[formats][pytorch]") {
  const auto notes_of = [](const char* file) {
    std::string notes;
    for (const std::string& note : open_checkpoint(test::data_path("pytorch") / file)->warnings()) notes += note + "\n";
    return notes;
  };
  CHECK(notes_of("state_dict.pth").empty());
  CHECK_THAT(notes_of("nested.pt"),
             Catch::Matchers::Contains("entry state_dict; ignored are arguments, epoch, loss, optimizer"));
  CHECK_THAT(notes_of("data_parallel.pt"), Catch::Matchers::Contains("begin with module."));
  CHECK_THAT(notes_of("script.pt"), Catch::Matchers::Contains("TorchScript"));
  CHECK_THAT(notes_of("no_checksums.pt"), Catch::Matchers::Contains("1 of 1 records have no checksum"));
  CHECK(notes_of("pytorch_model.bin.index.json").empty());
}

TEST_CASE("a file of torch.save is opened by its path or its folder", "[formats][pytorch][checkpoint]") {
  const TempDir dir;
  const auto file = dir.write("pytorch_model.bin", TorchBuilder().add_f32("a", {2}, {1, 2}).build());
  for (const auto& path : {file, dir.path()}) {
    const auto checkpoint = open_checkpoint(path);
    CHECK(checkpoint->names() == std::vector<std::string>{"a"});
    CHECK(checkpoint->has("a"));
    CHECK_FALSE(checkpoint->has("b"));
    CHECK(read_f32(*checkpoint, "a") == std::vector<float>{1, 2});
    CHECK(checkpoint->where("a") == file.string());
    REQUIRE(checkpoint->files().size() == 1);
    CHECK(checkpoint->files()[0].path == file.string());
    CHECK(checkpoint->files()[0].bytes == std::filesystem::file_size(file));
    checkpoint->release("b");
    expect_error(Errc::malformed, {file.string(), "tensor b is missing"}, [&] { checkpoint->tensor("b"); });
  }
  dir.write("model.safetensors", test::SafetensorsBuilder().add_f32("b", {1}, {3}).build());
  CHECK(open_checkpoint(dir.path())->names() == std::vector<std::string>{"b"});  // what holds no code comes first
}

TEST_CASE("a pointer to the weights of a folder is told apart from them", "[formats][pytorch][checkpoint]") {
  const TempDir dir;
  const auto file = dir.write("pytorch_model.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  expect_error(Errc::malformed, {file.string(), "git lfs pull"}, [&] { open_checkpoint(dir.path()); });
}

TEST_CASE("shards of torch.save keep the names that their index knows", "[formats][pytorch][checkpoint]") {
  const TempDir dir;
  dir.write("one.bin", TorchBuilder().add_f32("module.a", {2}, {1, 2}).build());
  dir.write("two.bin", TorchBuilder().add_f32("module.b", {1}, {3}).build());
  const auto index = dir.write("pytorch_model.bin.index.json",
                               R"({"metadata": {"total_size": 12},
                                   "weight_map": {"module.a": "one.bin", "module.b": "two.bin"}})");
  for (const auto& path : {index, dir.path()}) {
    const auto checkpoint = open_checkpoint(path);
    CHECK(checkpoint->names() == std::vector<std::string>{"module.a", "module.b"});
    CHECK(read_f32(*checkpoint, "module.b") == std::vector<float>{3});
    CHECK(checkpoint->files().size() == 3);
    CHECK(checkpoint->warnings().empty());
  }
}

/// Two names for one storage, and views of it.
TorchBuilder tied() {
  TorchBuilder builder;
  const std::string key = builder.add_record(test::raw_bytes<float>({1, 2, 3, 4, 5, 6}));
  const std::string floats = storage("FloatStorage", key, 6);
  builder.add_entry("table", tensor(floats, 0, integers<int>({3, 2}), integers<int>({2, 1})));
  builder.add_entry("head", tensor(floats, 0, integers<int>({3, 2}), integers<int>({2, 1})));
  builder.add_entry("last", tensor(floats, 4, integers<int>({2}), integers<int>({1})));
  builder.add_entry("turned", tensor(floats, 0, integers<int>({2, 3}), integers<int>({1, 2})));
  return builder;
}

TEST_CASE("tensors that share a storage share its bytes", "[formats][pytorch]") {
  const TempDir dir;
  ZipBuilder compressed = tied().zip();
  const std::string record = compressed.find("archive/data/0")->data;
  std::erase_if(compressed.parts, [](const test::ZipPart& part) { return part.name == "archive/data/0"; });
  compressed.add_deflated("archive/data/0", record);
  for (const std::string& content : {tied().build(), compressed.build(), tied().build_legacy()}) {
    const auto checkpoint = open_pytorch(dir.write("model.pt", content));
    CHECK(checkpoint->tensor("head").bytes.data() == checkpoint->tensor("table").bytes.data());
    CHECK(checkpoint->tensor("last").bytes.data() == checkpoint->tensor("table").bytes.data() + 16);
    CHECK(read_f32(*checkpoint, "last") == std::vector<float>{5, 6});
    CHECK(read_f32(*checkpoint, "turned") == std::vector<float>{1, 3, 5, 2, 4, 6});
    uint64_t stored = 0;
    for (const std::string& name : checkpoint->names()) stored += checkpoint->stored_bytes(name);
    CHECK(stored == 24);
    for (const std::string& name : checkpoint->names()) checkpoint->release(name);
    CHECK(read_f32(*checkpoint, "head") == std::vector<float>{1, 2, 3, 4, 5, 6});
    CHECK(read_f32(*checkpoint, "turned") == std::vector<float>{1, 3, 5, 2, 4, 6});
  }
}

TEST_CASE("case 98: a tensor that repeats its storage has a bound", "[formats][pytorch]") {
  const TempDir dir;
  TorchBuilder builder;
  const std::string floats = storage("FloatStorage", builder.add_record(std::string(16, '\0')), 4);
  builder.add_entry("bomb", tensor(floats, 0, integers<int>({1'000'000, 1'000'000}), integers<int>({0, 0})));
  builder.add_entry("just", tensor(floats, 1, integers<int>({2, 2}), integers<int>({0, 1})));
  builder.add_entry("over", tensor(floats, 1, integers<int>({5}), integers<int>({0})));
  const auto file = dir.write("model.pt", builder.build());
  const auto checkpoint = open_checkpoint(file);
  expect_error(Errc::limit, {file.string(), "tensor bomb", "[1000000, 1000000]", "4000000000000 bytes", "16"},
               [&] { checkpoint->tensor("bomb"); });
  expect_error(Errc::limit, {"tensor over", "20 bytes", "16"}, [&] { checkpoint->tensor("over"); });
  CHECK(read_f32(*checkpoint, "just") == std::vector<float>(4, 0.0f));
}

TEST_CASE("case 102: values of a big-endian machine are turned", "[formats][pytorch]") {
  const TempDir dir;
  TorchBuilder builder;
  builder.add("i16", "ShortStorage", {2}, std::string("\1\2\3\4", 4));
  builder.add("u8", "ByteStorage", {2}, std::string("\1\2", 2));
  builder.add("f64", "DoubleStorage", {1}, std::string("\x3f\xf8\0\0\0\0\0\0", 8));
  ZipBuilder zip = builder.zip();
  zip.find("archive/byteorder")->data = "big";
  const auto checkpoint = open_checkpoint(dir.write("model.pt", zip.build()));
  CHECK(load_le<int16_t>(checkpoint->tensor("i16").bytes.data()) == 0x0102);
  CHECK(load_le<int16_t>(checkpoint->tensor("i16").bytes.data() + 2) == 0x0304);
  CHECK(load_le<uint8_t>(checkpoint->tensor("u8").bytes.data()) == 1);
  CHECK(read_f32(*checkpoint, "f64") == std::vector<float>{1.5f});
}

TEST_CASE("case 107: a damaged record is found when a tensor of it is asked for", "[formats][pytorch]") {
  const TempDir dir;
  ZipBuilder zip = TorchBuilder().add_f32("bad", {2}, {1, 2}).add_f32("good", {1}, {3}).zip();
  zip.find("archive/data/0")->crc = 77;
  const auto file = dir.write("model.pt", zip.build());
  const auto checkpoint = open_checkpoint(file);
  CHECK(read_f32(*checkpoint, "good") == std::vector<float>{3});
  for (int i = 0; i < 2; ++i) {
    expect_error(Errc::malformed, {file.string(), "archive/data/0", "expected 77", "damaged"},
                 [&] { checkpoint->tensor("bad"); });
  }
}

TEST_CASE("case 109: a compressed record is read, and its damage found", "[formats][pytorch]") {
  const TempDir dir;
  ZipBuilder zip = TorchBuilder().add_f32("a", {2, 2}, {1, 2, 3, 4}).zip();
  const std::string record = zip.find("archive/data/0")->data;
  std::erase_if(zip.parts, [](const test::ZipPart& part) { return part.name == "archive/data/0"; });
  zip.add_deflated("archive/data/0", record);
  CHECK(read_f32(*open_checkpoint(dir.write("good.pt", zip.build())), "a") == std::vector<float>{1, 2, 3, 4});
  zip.find("archive/data/0")->crc = 1;
  const auto damaged = open_checkpoint(dir.write("damaged.pt", zip.build()));
  expect_error(Errc::malformed, {"damaged.pt", "archive/data/0", "CRC-32"}, [&] { damaged->tensor("a"); });
}

TEST_CASE("released tensors need no memory", "[formats][pytorch]") {
  constexpr uint64_t kNumbers = uint64_t{8} << 20;  // 32 MiB
  const TempDir dir;
  TorchBuilder builder;
  const std::string key = builder.add_record(std::string(kNumbers * sizeof(float), 'x'));
  const std::string floats = storage("FloatStorage", key, static_cast<int64_t>(kNumbers));
  builder.add_entry("plain", tensor(floats, 0, integers<uint64_t>({kNumbers}), integers<int>({1})));
  builder.add_entry("turned", tensor(floats, 0, integers<uint64_t>({2, kNumbers / 2}), integers<int>({1, 2})));
  const auto checkpoint = open_pytorch(dir.write("model.pt", builder.build()));
  const uint64_t before = test::resident_file_kilobytes();
  for (const char* name : {"plain", "turned"}) {
    uint64_t sum = 0;
    for (const std::byte byte : checkpoint->tensor(name).bytes) sum += static_cast<uint64_t>(byte);
    CHECK(sum == kNumbers * sizeof(float) * 'x');
    CHECK(test::resident_file_kilobytes() > before + 20'000);  // some of it was read on opening
    checkpoint->release(name);
    CHECK(test::resident_file_kilobytes() < before + 5'000);
  }
}

TEST_CASE("tensors of one file may be read by several threads", "[formats][pytorch]") {
  const TempDir dir;
  const auto checkpoint = open_pytorch(dir.write("model.pt", tied().build()));
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        if (read_f32(*checkpoint, "turned") != std::vector<float>{1, 3, 5, 2, 4, 6}) ++wrong;
        if (read_f32(*checkpoint, "last") != std::vector<float>{5, 6}) ++wrong;
        checkpoint->release("turned");
        checkpoint->release("last");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace lathe
