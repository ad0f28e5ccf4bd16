#include "formats/hdf5/tensor_names.h"

#include <catch2/catch.hpp>

#include "formats/hdf5/model_config.h"
#include "formats/json.h"
#include "tests/formats/expect_error.h"
#include "tests/support/safetensors_builder.h"

namespace lathe {
namespace {

using test::expect_error;

TEST_CASE("weights of Keras get the names that PyTorch gives them", "[formats][hdf5]") {
  struct Case {
    const char* layer;
    const char* weight;
    const char* name;
  };
  const std::vector<Case> cases = {
      {"dense", "dense/kernel:0", "dense.weight"},
      {"dense", "dense/bias:0", "dense.bias"},
      {"dense", "dense/dense/kernel:0", "dense.weight"},
      {"model", "dense/kernel:0", "model.dense.weight"},
      {"lstm", "lstm/lstm_cell/recurrent_kernel:0", "lstm.lstm_cell.recurrent_kernel"},
      {"norm", "norm/gamma:0", "norm.weight"},
      {"norm", "norm/moving_variance:0", "norm.running_var"},
      {"norm", "gamma", "norm.weight"},
      {"", "temperature:0", "temperature"},
      {"odd", "odd/a:b", "odd.a:b"},
      {"bert", "tf_bert_model/bert/embeddings/word_embeddings/weight:0", "bert.embeddings.word_embeddings.weight"},
      {"bert", "tf_bert_model/bert/embeddings/position_embeddings/embeddings:0",
       "bert.embeddings.position_embeddings.weight"},
      {"bert", "tf_bert_model/bert/encoder/layer_._11/attention/self/query/kernel:0",
       "bert.encoder.layer.11.attention.self.query.weight"},
      {"bert", "tf_bert_model/bert/encoder/layer_._0/output/LayerNorm/beta:0",
       "bert.encoder.layer.0.output.LayerNorm.bias"},
      {"classifier", "tf_bert_for_sequence_classification/classifier/kernel:0", "classifier.weight"},
      {"shared", "shared/shared/weight:0", "shared.weight"},
  };
  for (const Case& known : cases) CHECK(keras_weight_name(known.layer, known.weight) == known.name);
  CHECK(keras_weight_name("a", "").size() == 1);
  CHECK(keras_weight_name("", "").empty());
}

TEST_CASE("a Lambda layer is refused wherever it stands, and its name elsewhere is not", "[formats][hdf5]") {
  expect_error(Errc::unsupported, {"m.h5", "Lambda"}, [] {
    check_keras_config(R"({"config":{"layers":[{"class_name":"Dense"},{"class_name":"Lambda"}]}})", "m.h5");
  });
  CHECK(
      check_keras_config(R"({"class_name":"Dense","config":{"name":"Lambda","class_name":{"name":"Lambda"}}})", "m.h5")
          .empty());
  CHECK_THAT(check_keras_config(R"({"max_value": Infinity})", "m.h5"), Catch::Matchers::Contains("m.h5"));
}

/// What the worker would write of one f32 dataset at `path`.
Hdf5Description described(const std::string& path, const std::string& hdf5) {
  Json header = Json::object({{"__metadata__", Json::object({{"hdf5", hdf5}})}});
  header.set(path,
             Json::object({{"dtype", "F32"}, {"shape", Json::array({1, 1})}, {"data_offsets", Json::array({0, 4})}}));
  const std::string file = test::safetensors_file(to_text(header), "\1\2\3\4");
  return parse_hdf5_description(std::as_bytes(std::span(file)), "m.h5");
}

TEST_CASE("what the worker writes is checked like any file", "[formats][hdf5]") {
  const std::string good = R"({"attributes":{},"ignored":{}})";
  CHECK(name_tensors(described("a", good)).tensors.size() == 1);
  for (const char* bad :
       {"", "[]", "{}", R"({"attributes":{}})", R"({"attributes":[],"ignored":{}})",
        R"({"attributes":{"":{"layer_names":"a"}},"ignored":{}})",
        R"({"attributes":{"":{"layer_names":[1]}},"ignored":{}})", R"({"attributes":{},"ignored":{"a":1}})"}) {
    INFO(bad);
    expect_error(Errc::malformed, {"m.h5: what was read of it"}, [&] { described("a", bad); });
  }
  expect_error(Errc::malformed, {"m.h5: what was read of it"}, [] { parse_hdf5_description({}, "m.h5"); });
}

TEST_CASE("a listed weight that is a text, and a layer without a group, are refused", "[formats][hdf5]") {
  const std::string layer = R"({"attributes":{"":{"layer_names":["d"]}%},"ignored":{"d/d/kernel:0":"texts"}})";
  const auto with = [&](const std::string& more) {
    std::string text = layer;
    return text.replace(text.find('%'), 1, more);
  };
  expect_error(Errc::malformed, {"m.h5", "layer_names has d", "no weight_names"},
               [&] { name_tensors(described("x", with(""))); });
  expect_error(Errc::unsupported, {"m.h5", "d/kernel:0", "which is texts"},
               [&] { name_tensors(described("x", with(R"(,"d":{"weight_names":["d/kernel:0"]})"))); });
}

}  // namespace
}  // namespace lathe
