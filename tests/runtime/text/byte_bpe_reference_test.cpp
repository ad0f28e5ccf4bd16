// What Hugging Face `tokenizers` returned for byte-level BPE with the vocabulary of SmolLM2
// (experiments/references/record_bpe_ids.py).

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "formats/gguf/gguf_tokenizer.h"
#include "formats/huggingface/hf_tokenizer.h"
#include "formats/json.h"
#include "runtime/text/tokenizer.h"
#include "tests/runtime/text/tokenizer_data.h"

namespace lathe {
namespace {

using test::count_and_hash;
using test::fetched_data;

struct VariantRow {
  BpeSplit split;
  bool nfc, ignore_merges, add_prefix_space;
};
const std::map<std::string, VariantRow> kVariants = {
    {"gpt2", {BpeSplit::gpt2, false, false, false}},     {"gpt2_space", {BpeSplit::gpt2, false, false, true}},
    {"llama3", {BpeSplit::llama3, false, true, false}},  {"qwen2", {BpeSplit::qwen2, true, false, false}},
    {"smollm", {BpeSplit::smollm, false, false, false}}, {"none", {BpeSplit::none, false, false, false}}};

/// The small tokenizer with the steps of a variant, as its tokenizer.json would say it.
TokenizerSpec small_variant(const std::string& name) {
  const Json variants = read_json_file(test::recorded("bpe/variants.json"));
  const Json& variant = variants.at(name);
  Json file = read_json_file(test::recorded("bpe/tokenizer.json"));
  file.set("normalizer", variant.at("normalizer")).set("pre_tokenizer", variant.at("pre_tokenizer"));
  Json model = file.at("model");
  file.set("model", model.set("ignore_merges", variant.at("ignore_merges")));
  return parse_tokenizer_json(to_text(file), name);
}

/// Absent, with a warning that says why, where the data have not been fetched.
std::optional<TokenizerSpec> smollm_spec() {
  const std::filesystem::path file = fetched_data() / "smollm2/model.gguf";
  if (fetched_data().empty() || !std::filesystem::exists(file)) {
    WARN("skipped: LATHE_TEST_DATA does not name a folder with smollm2/model.gguf (experiments/data/fetch.py)");
    return std::nullopt;
  }
  return read_gguf_tokenizer(GgufFile(file));
}

TokenizerSpec with_steps(TokenizerSpec spec, const VariantRow& variant) {
  spec.split = variant.split;
  spec.nfc = variant.nfc;
  spec.ignore_merges = variant.ignore_merges;
  spec.add_prefix_space = variant.add_prefix_space;
  return spec;
}

TEST_CASE("the steps of a tokenizer.json are told", "[text][bpe]") {
  for (const auto& [name, row] : kVariants) {
    CAPTURE(name);
    const TokenizerSpec spec = small_variant(name);
    CHECK(spec.split == row.split);
    CHECK(spec == with_steps(spec, row));
  }
}

TEST_CASE("hard cases get the ids of Hugging Face tokenizers by byte-level BPE", "[text][bpe]") {
  std::map<std::string, Tokenizer> tokenizers;
  for (const auto& [name, row] : kVariants) tokenizers.emplace(name, small_variant(name));
  const Tokenizer& plain = tokenizers.at("smollm");
  if (const auto full = smollm_spec()) tokenizers.emplace("full", *full);
  const std::vector<std::string> lines = test::read_lines(test::recorded("bpe/cases.tsv"));
  const std::vector<std::string> titles = test::split(lines.at(0), '\t');
  REQUIRE(lines.size() >= 300);
  REQUIRE(titles.size() == 2 + kVariants.size() + 2);
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string> fields = test::split(lines[i], '\t');
    REQUIRE(fields.size() == titles.size());
    const std::string text = test::unescaped(fields[1]);
    for (size_t column = 2; column < titles.size(); ++column) {
      const std::string& title = titles[column];
      if (title != "plain" && !tokenizers.contains(title)) continue;
      const std::vector<int32_t> ids =
          title == "plain" ? plain.encode_plain(text) : tokenizers.at(title).encode(text, Tokenizer::kNoLimit);
      INFO(fields[0] << " by " << title << ": " << fields[1].substr(0, 200));
      CHECK(count_and_hash(ids) == fields[column]);
    }
  }
}

TEST_CASE("whole texts get the ids of Hugging Face tokenizers by byte-level BPE", "[text][bpe][data]") {
  const std::optional<TokenizerSpec> spec = smollm_spec();
  if (!spec) return;
  for (const std::string& line : test::read_lines(test::recorded("bpe/texts.tsv"))) {
    const std::vector<std::string> fields = test::split(line, '\t');
    const std::filesystem::path file = fetched_data() / "wikipedia" / (fields.at(0) + ".txt");
    if (!std::filesystem::exists(file)) {
      WARN("skipped: " << file.string() << " does not exist (experiments/data/fetch.py)");
      continue;
    }
    INFO(line);
    const Tokenizer tokenizer(with_steps(*spec, kVariants.at(fields.at(1))));
    CHECK(count_and_hash(tokenizer.encode_plain(test::text_of(file))) == fields.at(2));
  }
}

TEST_CASE("the vocabulary and merges of SmolLM2 are stored in few bytes", "[text][bpe][data]") {
  const std::optional<TokenizerSpec> spec = smollm_spec();
  if (!spec) return;
  const std::vector<std::byte> bytes = encode_tokenizer(*spec);
  CHECK(bytes.size() < 400'000);
  CHECK(decode_tokenizer(bytes, "x.lathe") == *spec);
}

TEST_CASE("the tokenizer of SmolLM2's GGUF file is read with its chat template", "[text][bpe][data]") {
  const std::optional<TokenizerSpec> spec = smollm_spec();
  if (!spec) return;
  CHECK(spec->vocabulary.size() == 49152);
  CHECK(spec->merges.size() == 48900);
  CHECK(spec->split == BpeSplit::smollm);
  CHECK(spec->added_tokens.size() == 17);
  CHECK(spec->begin_id == 1);
  CHECK(spec->end_id == 2);
  CHECK(spec->pad_id == 2);
  CHECK_FALSE(spec->add_begin);
  CHECK(spec->max_length == 8192);
  CHECK(spec->stop_ids == std::vector<uint32_t>{2, 0});
  CHECK(spec->chat == ChatForm::jinja);
  CHECK_THAT(spec->chat_template, Catch::Matchers::Contains("<|im_start|>"));
  CHECK(Tokenizer(*spec).encode("Hello world! 123") == std::vector<int32_t>{19556, 905, 17, 216, 33, 34, 35});
}

}  // namespace
}  // namespace lathe
