// The forward pass of the runtime against PyTorch: small random decoders of every architecture, whose logits were
// recorded by experiments/references/record_decoders.py, and what their configs may and may not say.

#include <catch2/catch.hpp>
#include <cmath>

#include "compress/source/source_model.h"
#include "formats/artifact/op_table.h"
#include "runtime/session.h"
#include "tests/support/recorded_decoder.h"

namespace lathe {
namespace {

using test::RecordedDecoder;

// Float rounding over two layers, of logits of up to about 10; an error in any op is far above it.
constexpr double kTolerance = 1e-4;

SourceModel opened(const RecordedDecoder& decoder) {
  const test::TempDir dir;
  return open_source(decoder.write(dir), false);  // the mapping outlives the folder
}

std::vector<float> logits_of(const SourceModel& source, const std::vector<std::vector<int32_t>>& sequences,
                             size_t threads = 1) {
  const Model model = Model::build(
      source.program, [&](const std::string& name) { return source.weight(name); }, "test");
  TokenBatch batch;
  for (const auto& ids : sequences) batch.add(ids);
  std::vector<float> logits(batch.tokens() * source.task.dimension);
  float* const out[] = {logits.data()};
  Session(model, threads).run(batch, {}, out);
  return logits;
}

double worst_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
  return worst;
}

// The rows of the tokens that were recorded: all of them, or the last two.
std::vector<float> recorded_rows(const std::vector<float>& logits, const test::ReferenceSequence& wanted) {
  const auto last = wanted.numbers.find("last");
  if (last == wanted.numbers.end()) return logits;
  return {logits.end() - static_cast<std::ptrdiff_t>(last->second.size()), logits.end()};
}

void check_logits(const SourceModel& source, const RecordedDecoder& decoder, size_t threads) {
  const auto sequences = decoder.inputs();
  const auto expected = decoder.expected();
  REQUIRE(sequences.size() == expected.size());
  const std::vector<float> together = logits_of(source, sequences, threads);
  size_t at = 0;
  for (size_t s = 0; s < sequences.size(); ++s) {
    CAPTURE(s, threads);
    const size_t size = sequences[s].size() * source.task.dimension;
    const auto begin = together.begin() + static_cast<std::ptrdiff_t>(at);
    const std::vector<float> rows(begin, begin + static_cast<std::ptrdiff_t>(size));
    at += size;
    const std::string key = expected[s].numbers.contains("last") ? "last" : "logits";
    CHECK(worst_difference(recorded_rows(rows, expected[s]), expected[s].numbers.at(key)) < kTolerance);
    CHECK((logits_of(source, {sequences[s]}, threads) == rows));  // the company of other sequences changes no bit
  }
}

// How far two models are apart on the recorded inputs.
double difference(const SourceModel& a, const SourceModel& b, const RecordedDecoder& decoder) {
  return worst_difference(logits_of(a, decoder.inputs()), logits_of(b, decoder.inputs()));
}

}  // namespace

TEST_CASE("logits of every decoder equal PyTorch's for every length", "[compress][decoders]") {
  const std::string name = GENERATE(from_range(test::recorded_decoders()));
  CAPTURE(name);
  const RecordedDecoder decoder(name);
  const test::TempDir dir;
  const SourceModel source = open_source(decoder.copy(dir), false);
  for (const size_t threads : {1, 2, 3}) check_logits(source, decoder, threads);
}

TEST_CASE("a decoder's task says what it is for", "[compress][decoders]") {
  const SourceModel source = opened(RecordedDecoder("mistral"));
  CHECK(source.task.generates());
  CHECK(source.task.dimension == 303);
  CHECK(source.task.architecture == "mistral");
  CHECK(source.task.context == 96);
  CHECK(source.task.rope_theta == 1000);
  CHECK(source.tokenizer.max_length == 96);
  const std::string text = task_text(source.task, source.name);
  for (const char* line : {"kind=generation\n", "dimension=303\n", "architecture=mistral\n", "context=96\n",
                           "rope_theta=1000\n", "source=model\n"}) {
    CHECK_THAT(text, Catch::Contains(line));
  }
  const SourceModel gpt2 = opened(RecordedDecoder("gpt2"));
  CHECK(gpt2.task.architecture == "gpt2");
  CHECK(gpt2.task.context == 48);
  CHECK_THAT(task_text(gpt2.task, "x"), !Catch::Contains("rope_theta"));
}

TEST_CASE("a layer of Llama stands in the order that passes rely on", "[compress][decoders]") {
  const Program program = opened(RecordedDecoder("qwen3")).program;
  std::vector<std::string> kinds;
  for (const Op& op : program.ops) kinds.emplace_back(op_name(op.attributes));
  const std::vector<std::string> layer = {"rms_norm", "linear", "linear",     "linear",   "rms_norm", "rms_norm",
                                          "rope",     "rope",   "attention",  "linear",   "add",      "rms_norm",
                                          "linear",   "linear", "activation", "multiply", "linear",   "add"};
  std::vector<std::string> expected = {"embedding"};
  for (int i = 0; i < 2; ++i) expected.insert(expected.end(), layer.begin(), layer.end());
  expected.insert(expected.end(), {"rms_norm", "linear"});
  CHECK(kinds == expected);
  CHECK(program.ops[2].inputs == program.ops[3].inputs);
  CHECK(program.ops[2].inputs == program.ops[4].inputs);
  CHECK(program.ops[13].inputs == program.ops[14].inputs);
  CHECK(program.outputs == std::vector<uint32_t>{program.ops.back().output});
}

TEST_CASE("a tied head is the table itself: one weight, used twice", "[compress][decoders]") {
  const Program program = opened(RecordedDecoder("llama")).program;
  CHECK(program.ops.front().weights[0] == program.ops.back().weights[0]);
  CHECK(std::count(program.weights.begin(), program.weights.end(), "model.embed_tokens.weight") == 1);
  CHECK(weight_roles(program).at("model.embed_tokens.weight") == WeightRole::embedding);
}

TEST_CASE("an untied head is a head, and the frequencies of rope are no parameters", "[compress][decoders]") {
  const SourceModel source = opened(RecordedDecoder("mistral"));
  const auto roles = weight_roles(source.program);
  CHECK(roles.at("lm_head.weight") == WeightRole::head);
  CHECK(roles.at("model.embed_tokens.weight") == WeightRole::embedding);
  CHECK(roles.at("model.layers.0.mlp.down_proj.weight") == WeightRole::linear);
  CHECK(roles.at("model.norm.weight") == WeightRole::other);
  CHECK(constant_weights(source.program) == std::set<std::string>{"rope.frequencies"});
  uint64_t tensors = 0;
  for (const std::string& name : source.checkpoint->names()) {
    tensors += element_count(source.checkpoint->tensor(name).shape, name);
  }
  CHECK(source.parameters() == tensors);
}

TEST_CASE("windows are those of the layers that the config names", "[compress][decoders]") {
  const auto windows = [](const RecordedDecoder& decoder) {
    std::vector<uint32_t> found;
    for (const Op& op : opened(decoder).program.ops) {
      if (const auto* attention = op.as<ops::Attention>()) found.push_back(attention->window);
    }
    return found;
  };
  CHECK(windows(RecordedDecoder("mistral")) == std::vector<uint32_t>{7, 7});
  CHECK(windows(RecordedDecoder("llama")) == std::vector<uint32_t>{0, 0});
  RecordedDecoder qwen("qwen2");
  CHECK(windows(qwen) == std::vector<uint32_t>{0, 5});
  qwen.config.set("layer_types", parse_json(R"(["sliding_attention", "full_attention"])", "test"));
  CHECK(windows(qwen) == std::vector<uint32_t>{5, 0});
  qwen.config.set("use_sliding_window", false);
  CHECK(windows(qwen) == std::vector<uint32_t>{0, 0});
  RecordedDecoder mistral("mistral");
  mistral.config.set("sliding_window", Json());
  CHECK(windows(mistral) == std::vector<uint32_t>{0, 0});
}

TEST_CASE("both spellings of rope give the same frequencies", "[compress][decoders]") {
  RecordedDecoder now("llama_scaled");
  RecordedDecoder then = now;
  Json scaling = now.config.at("rope_parameters");
  Json fields;
  for (const auto& member : now.config.members()) {
    if (member.key != "rope_parameters") fields.set(member.key, member.value);
  }
  fields.set("rope_theta", scaling.at("rope_theta"));
  Json old;
  for (const auto& member : scaling.members()) {
    if (member.key != "rope_theta") old.set(member.key == "rope_type" ? "type" : member.key, member.value);
  }
  fields.set("rope_scaling", old);
  then.config = fields;
  const SourceModel a = opened(now), b = opened(then);
  CHECK(decode(a.weight("rope.frequencies")) == decode(b.weight("rope.frequencies")));
  CHECK(a.task.rope_theta == b.task.rope_theta);
}

TEST_CASE("factors of frequencies in the checkpoint divide them", "[compress][decoders]") {
  RecordedDecoder decoder("llama");
  const std::vector<float> plain = decode(opened(decoder).weight("rope.frequencies"));
  decoder.tensors["rope_freqs.weight"] = {{3}, {1, 2, 8}};
  const SourceModel source = opened(decoder);
  CHECK(decode(source.weight("rope.frequencies")) == std::vector<float>{plain[0], plain[1] / 2, plain[2] / 8});
  CHECK(source.notes.empty());
  decoder.tensors["rope_freqs.weight"].values[1] = 0;
  CHECK_THROWS_WITH(opened(decoder), Catch::Contains("rope_freqs.weight") && Catch::Contains("factor 1 is 0"));
}

TEST_CASE("a part of each head stays as it is where the config says so", "[compress][decoders]") {
  RecordedDecoder decoder("mistral");
  decoder.config.set("partial_rotary_factor", 0.4);
  CHECK(decode(opened(decoder).weight("rope.frequencies")).size() == 2);
  decoder.config.set("partial_rotary_factor", 0.5);
  CHECK_THROWS_WITH(opened(decoder), Catch::Contains("5 of the 10 numbers of a head"));
}

TEST_CASE("buffers of old checkpoints are left out", "[compress][decoders]") {
  RecordedDecoder llama("llama");
  const SourceModel plain = opened(llama);
  llama.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = {{3}, {1, 2, 3}};
  const SourceModel source = opened(llama);
  CHECK(difference(plain, source, llama) == 0);
  REQUIRE(source.notes.size() == 1);
  CHECK_THAT(source.notes[0], Catch::Contains("inv_freq") && Catch::Contains("the logits"));
  RecordedDecoder gpt2("gpt2");
  gpt2.tensors["transformer.h.1.attn.bias"] = {{1}, {1}};
  gpt2.tensors["transformer.h.1.attn.masked_bias"] = {{1}, {-1e4f}};
  CHECK_NOTHROW(opened(gpt2));
}

TEST_CASE("a tied head in the checkpoint has to equal the table", "[compress][decoders]") {
  RecordedDecoder decoder("llama");
  const SourceModel plain = opened(decoder);
  decoder.tensors["lm_head.weight"] = decoder.tensors.at("model.embed_tokens.weight");
  const SourceModel source = opened(decoder);
  CHECK(difference(plain, source, decoder) == 0);
  CHECK(source.program == plain.program);
  decoder.tensors["lm_head.weight"].values[5] += 1;
  CHECK_THROWS_WITH(opened(decoder), Catch::Contains("lm_head.weight differs from model.embed_tokens.weight"));
  decoder.config.set("tie_word_embeddings", false);
  CHECK(difference(plain, opened(decoder), decoder) > 0.1);
}

TEST_CASE("tensors without the prefix of the whole model are found", "[compress][decoders]") {
  const std::string name = GENERATE("llama", "gpt2");
  CAPTURE(name);
  RecordedDecoder decoder(name);
  const SourceModel plain = opened(decoder);
  const std::string prefix = name == "llama" ? "model." : "transformer.";
  for (const std::string& tensor : std::vector<std::string>(plain.checkpoint->names())) {
    const bool known = tensor.starts_with(prefix) && decoder.tensors.contains(tensor);
    if (known) decoder.rename(tensor, tensor.substr(prefix.size()));
  }
  for (const char* fused : {".attn.c_attn.weight", ".attn.c_attn.bias"}) {
    for (const std::string layer : {"h.0", "h.1"}) {
      const std::string old = prefix + layer + fused;
      if (decoder.tensors.contains(old)) decoder.rename(old, layer + fused);
    }
  }
  CHECK(difference(plain, opened(decoder), decoder) == 0);
}

TEST_CASE("what a config asks for beyond these models is refused by name", "[compress][decoders]") {
  struct Case {
    const char* model;
    const char* field;
    Json value;
    const char* words;
  };
  const auto [model, field, value, words] = GENERATE(
      Case{"llama", "rope_scaling", parse_json(R"({"rope_type": "yarn", "factor": 4.0})", "test"), "\"yarn\""},
      Case{"qwen2", "rope_scaling", parse_json(R"({"type": "dynamic", "factor": 4.0})", "test"), "\"dynamic\""},
      Case{"mistral", "num_local_experts", uint64_t{8}, "num_local_experts is 8"},
      Case{"llama", "final_logit_softcapping", 30.0, "final_logit_softcapping"},
      Case{"llama", "residual_multiplier", 0.22, "residual_multiplier"},
      Case{"llama", "hidden_act", "geglu", "hidden_act"},
      Case{"qwen2", "layer_types", parse_json(R"(["chunked_attention", "full_attention"])", "test"), "chunked"},
      Case{"gpt2", "scale_attn_by_inverse_layer_idx", true, "scale_attn_by_inverse_layer_idx"},
      Case{"gpt2", "reorder_and_upcast_attn", true, "reorder_and_upcast_attn"},
      Case{"gpt2", "scale_attn_weights", false, "scale_attn_weights"},
      Case{"gpt2", "add_cross_attention", true, "add_cross_attention"});
  CAPTURE(model, field);
  RecordedDecoder decoder(model);
  decoder.config.set(field, value);
  try {
    opened(decoder);
    FAIL("was accepted");
  } catch (const Error& error) {
    CHECK(error.code() == Errc::unsupported);
    CHECK_THAT(error.what(), Catch::Contains(words));
  }
}

TEST_CASE("a config that contradicts itself or the tensors is an error that names the field or tensor",
          "[compress][decoders]") {
  const auto refused = [](RecordedDecoder decoder, const char* field, Json value, const char* words) {
    decoder.config.set(field, std::move(value));
    CHECK_THROWS_WITH(opened(decoder), Catch::Contains(words));
  };
  refused(RecordedDecoder("llama"), "num_key_value_heads", uint64_t{4}, "num_key_value_heads is 4");
  refused(RecordedDecoder("llama"), "num_attention_heads", uint64_t{5}, "num_key_value_heads");
  refused(RecordedDecoder("llama"), "intermediate_size", uint64_t{51}, "gate_proj.weight has shape [52, 36]");
  refused(RecordedDecoder("llama"), "attention_bias", true, "q_proj.bias");
  refused(RecordedDecoder("llama"), "tie_word_embeddings", false, "lm_head.weight");
  refused(RecordedDecoder("llama_scaled"), "mlp_bias", false, "down_proj.bias [42] is not part");
  refused(RecordedDecoder("qwen3"), "head_dim", uint64_t{16}, "q_proj.weight");
  refused(RecordedDecoder("qwen2"), "layer_types", parse_json(R"(["full_attention"])", "test"), "has 1 of 2 layers");
  refused(RecordedDecoder("gpt2"), "n_head", uint64_t{5}, "n_head is 5");
  refused(RecordedDecoder("gpt2"), "n_inner", uint64_t{100}, "mlp.c_fc.weight has shape [36, 144]");
  RecordedDecoder missing("gpt2");
  missing.tensors.erase("transformer.h.1.attn.c_attn.bias");
  CHECK_THROWS_WITH(opened(missing), Catch::Contains("transformer.h.1.attn.c_attn.bias"));
}

}  // namespace lathe
