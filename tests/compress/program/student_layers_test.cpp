#include "compress/program/student_layers.h"

#include "tests/compress/program/student_fixture.h"

namespace lathe {

using namespace test;

TEST_CASE("layers are spread evenly from the first to the last", "[compress][student]") {
  const auto kept = [](size_t layers, size_t count) {
    std::vector<size_t> out;
    const std::vector<bool> keep = spread_layers(layers, count);
    for (size_t layer = 0; layer < keep.size(); ++layer) {
      if (keep[layer]) out.push_back(layer);
    }
    return out;
  };
  CHECK(kept(6, 1) == std::vector<size_t>{5});
  CHECK(kept(6, 2) == std::vector<size_t>{0, 5});
  CHECK(kept(6, 3) == std::vector<size_t>{0, 3, 5});
  CHECK(kept(12, 6) == std::vector<size_t>{0, 2, 4, 7, 9, 11});
  CHECK(kept(3, 3) == std::vector<size_t>{0, 1, 2});
  for (size_t layers = 1; layers < 30; ++layers) {
    for (size_t count = 1; count <= layers; ++count) REQUIRE(kept(layers, count).size() == count);
  }
}

TEST_CASE("a student with one layer is the model that has just that layer", "[compress][student]") {
  const Fixture f;
  const Student student = f.student(layers_spec(1));
  TinyModel alone;
  alone.config["num_hidden_layers"] = "1";
  std::erase_if(alone.tensors, [](const auto& tensor) { return tensor.first.rfind(kLayer + "0.", 0) == 0; });
  alone.rename_all([](std::string name) {
    if (name.rfind(kLayer + "1.", 0) == 0) name[kLayer.size()] = '0';
    return name;
  });
  const TempDir dir;
  const SourceModel by_hand = open_source(alone.write(dir), false);
  CHECK(f.outputs(student.model) == f.outputs(by_hand));
  CHECK(f.outputs(student.model) != f.outputs(f.teacher));
  CHECK(student.model.parameters() == by_hand.parameters());
  CHECK(student.model.derived.empty());
  for (const std::string& name : student.model.program.weights) CHECK(name.find("layer.0") == std::string::npos);
  REQUIRE_FALSE(student.notes.empty());
  CHECK_THAT(student.notes[0], Catch::Contains("1 of 2 layers"));
}

TEST_CASE("a layer of a student is matched with the layer that ends at the same share of the teacher",
          "[compress][student]") {
  const Fixture f(deep_model(6));
  const Student student = f.student(layers_spec(3));
  check_widths(f, student);
  std::vector<std::pair<std::string, std::string>> matched;
  for (const MatchedValue& match : student.matched) {
    matched.emplace_back(name_of(student.model, match.student), name_of(f.teacher, match.teacher));
  }
  const auto end = [](int layer) { return kLayer + std::to_string(layer) + ".output.LayerNorm"; };
  CHECK(matched ==
        std::vector<std::pair<std::string, std::string>>{
            {"embeddings.LayerNorm", "embeddings.LayerNorm"}, {end(0), end(1)}, {end(3), end(3)}, {end(5), end(5)}});
}

TEST_CASE("the layer that changes nothing is the least important one", "[compress][student]") {
  for (const std::string idle : {"0", "1", "2"}) {
    CAPTURE(idle);
    TinyModel model = deep_model(3);
    for (auto& [name, tensor] : model.tensors) {
      const bool norm = name.find("LayerNorm") != std::string::npos;
      const bool gamma = name.find("LayerNorm.weight") != std::string::npos;
      if (norm) tensor.values.assign(tensor.values.size(), gamma ? 1.0f : 0.0f);
      // Nothing is added to what the layer reads, and a norm of what is normalized changes nothing.
      const bool last = name.find("output.dense") != std::string::npos;
      if (last && name.rfind(kLayer + idle + ".", 0) == 0) tensor.values.assign(tensor.values.size(), 0.0f);
    }
    const Fixture f(model);
    const Student student = f.student(layers_spec(2, true));
    for (const std::string& name : student.model.program.weights) {
      CHECK(name.rfind(kLayer + idle + ".", 0) == std::string::npos);
    }
    CHECK(f.error(student.model) < 1e-5);
  }
}

}  // namespace lathe
