#pragma once
// A tiny teacher with samples, for the tests of students.

#include <catch2/catch.hpp>
#include <cmath>

#include "compress/calibration/samples.h"
#include "compress/program/student.h"
#include "tests/support/compress_tiny.h"

namespace lathe::test {

inline const std::string kLayer = "encoder.layer.";

// A tiny model with that many layers: the ones beyond the second are copies of the first two, a little changed.
inline TinyModel deep_model(size_t layers) {
  TinyModel model;
  model.config["num_hidden_layers"] = std::to_string(layers);
  const auto tensors = model.tensors;
  for (size_t layer = TinyModel::kLayers; layer < layers; ++layer) {
    const std::string from = kLayer + std::to_string(layer % 2) + ".";
    for (const auto& [name, tensor] : tensors) {
      if (name.rfind(from, 0) != 0) continue;
      const std::string copy = kLayer + std::to_string(layer) + "." + name.substr(from.size());
      model.tensors[copy] = tensor;
      for (float& value : model.tensors[copy].values) value *= 1 + 0.05f * static_cast<float>(layer);
    }
  }
  return model;
}

struct Fixture {
  TempDir dir;
  SourceModel teacher;
  TokenBatch samples;
  TokenBatch unseen;

  explicit Fixture(const TinyModel& model = TinyModel(), uint32_t tokens = 4096)
      : teacher(open_source(model.write(dir), false)) {
    Recipe recipe = quick_recipe("int8");
    recipe.calibration_tokens = tokens;
    samples = samples_of(teacher, recipe).batch;
    recipe.seed = 1;
    recipe.calibration_tokens = 1024;
    unseen = samples_of(teacher, recipe).batch;
  }

  Student student(const StudentSpec& spec, size_t threads = 1) const {
    SilentProgress silent;
    return make_student(teacher, spec, samples, silent, threads);
  }
  std::vector<float> outputs(const SourceModel& model) const {
    const auto weights = [&](const std::string& name) { return model.weight(name); };
    const Model ready = Model::build(model.program, weights, "test");
    return Session(ready, 1).embed(unseen);
  }
  double error(const SourceModel& model) const { return relative_error(outputs(teacher), outputs(model)); }

  static double relative_error(const std::vector<float>& expected, const std::vector<float>& actual) {
    REQUIRE(expected.size() == actual.size());
    double change = 0;
    double energy = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      change += (static_cast<double>(expected[i]) - actual[i]) * (static_cast<double>(expected[i]) - actual[i]);
      energy += static_cast<double>(expected[i]) * expected[i];
    }
    return std::sqrt(change / energy);
  }
};

inline StudentSpec layers_spec(uint32_t layers, bool importance = false) {
  StudentSpec spec;
  spec.layers = layers;
  spec.layers_by_importance = importance;
  return spec;
}
inline StudentSpec heads_spec(uint32_t heads) {
  StudentSpec spec;
  spec.heads = heads;
  return spec;
}
inline StudentSpec neurons_spec(uint32_t neurons) {
  StudentSpec spec;
  spec.neurons = neurons;
  return spec;
}
inline StudentSpec embedding_spec(uint32_t rank) {
  StudentSpec spec;
  spec.embedding_rank = rank;
  return spec;
}

inline std::string name_of(const SourceModel& model, uint32_t value) { return model.program.values[value].name; }

inline void check_widths(const Fixture& f, const Student& student) {
  REQUIRE_FALSE(student.matched.empty());
  for (const MatchedValue& match : student.matched) {
    const Value& own = student.model.program.values.at(match.student);
    const Value& other = f.teacher.program.values.at(match.teacher);
    CHECK(own.shape == other.shape);
    CHECK(own.rows == other.rows);
  }
}

}  // namespace lathe::test
