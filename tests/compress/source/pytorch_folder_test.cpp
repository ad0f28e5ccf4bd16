// A model folder is the same model whether its weights are safetensors, a file of torch.save, or shards of one.

#include <catch2/catch.hpp>

#include "formats/artifact/artifact.h"
#include "formats/artifact/program_section.h"
#include "tests/support/compress_tiny.h"
#include "tests/support/paths.h"
#include "tests/support/torch_builder.h"

namespace lathe {
namespace {

using test::TempDir;
using test::TorchBuilder;

const std::map<DType, const char*> kStorages = {
    {DType::f32, "FloatStorage"}, {DType::f16, "HalfStorage"}, {DType::bf16, "BFloat16Storage"}};

void add_tensor(TorchBuilder& builder, const Checkpoint& checkpoint, const std::string& name) {
  const TensorView tensor = checkpoint.tensor(name);
  builder.add(name, kStorages.at(tensor.dtype), tensor.shape,
              {reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()});
}

/// The folder three times, with its weights in each form.
std::vector<std::filesystem::path> write_folders(const TempDir& dir, const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> folders;
  for (const char* form : {"safetensors", "file", "shards"}) {
    folders.push_back(dir / form / "model");
    std::filesystem::create_directories(folders.back());
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      std::filesystem::copy(file.path(), folders.back() / file.path().filename());
    }
  }
  const auto checkpoint = open_checkpoint(folder);
  TorchBuilder whole, shards[2];
  Json map = Json::object();
  for (const std::string& name : checkpoint->names()) {
    const size_t shard = name.size() % 2;
    add_tensor(whole, *checkpoint, name);
    add_tensor(shards[shard], *checkpoint, name);
    map.set(name, message("part-", shard, ".bin"));
  }
  dir.write("file/model/pytorch_model.bin", whole.build());
  for (size_t i = 0; i < 2; ++i) dir.write(message("shards/model/part-", i, ".bin"), shards[i].build());
  dir.write("shards/model/pytorch_model.bin.index.json", to_text(Json::object({{"weight_map", map}})));
  for (size_t i = 1; i < folders.size(); ++i) std::filesystem::remove(folders[i] / "model.safetensors");
  return folders;
}

std::string bytes_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// All that an artifact holds but where it came from.
std::string artifact_content(const std::filesystem::path& path) {
  const Artifact artifact = Artifact::open(path);
  std::string content;
  for (const StoredTensor& tensor : artifact.tensors()) {
    content += tensor.name;
    for (const Bytes plane : tensor.tensor.planes) content += bytes_text(plane);
  }
  for (const auto section :
       {layout::Section::program, layout::Section::tokenizer, layout::Section::task, layout::Section::recipe}) {
    content += artifact.section_text(section);
  }
  return content;
}

}  // namespace

TEST_CASE("a model folder of torch.save is the model that it is as safetensors", "[compress][source][pytorch]") {
  for (const char* name : {"bert_tiny", "bert_classifier", "decoders/llama", "decoders/gpt2"}) {
    DYNAMIC_SECTION(name) {
      const TempDir dir;
      const std::filesystem::path data = dir / "data";
      std::filesystem::copy(test::data_path(name), data);
      if (std::string_view(name).starts_with("decoders/")) {
        for (const char* file : {"tokenizer.json", "tokenizer_config.json"}) {
          std::filesystem::copy(test::data_path("decoders") / file, data / file);
        }
      }
      std::string expected;
      for (const auto& folder : write_folders(dir, data)) {
        INFO(folder);
        const SourceModel source = open_source(folder, false);
        CHECK(source.name == "model");
        std::string content = bytes_text(as_bytes_of(encode_program(source.program)));
        for (const std::string& weight : source.program.weights) {
          for (const Bytes plane : source.weight(weight).planes) content += bytes_text(plane);
        }
        const auto out = folder.parent_path() / "out.lathe";
        test::compress_to(source, test::quick_recipe("int8"), out);
        content += artifact_content(out);
        if (expected.empty()) expected = content;
        CHECK(content == expected);
      }
    }
  }
}

}  // namespace lathe
