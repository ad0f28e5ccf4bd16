#include <catch2/catch.hpp>

#include "formats/bpe_tokenizer.h"
#include "formats/huggingface/hf_chat_template.h"
#include "formats/huggingface/hf_tokenizer.h"
#include "formats/json.h"
#include "tests/formats/expect_error.h"
#include "tests/formats/huggingface/tokenizer_json.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_all_refused;
using test::expect_error;
using test::kTokenizerPath;
using test::parse_tokenizer;
using test::TempDir;

constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

Json typed(std::string_view type) { return Json::object({{"type", type}}); }
Json added(uint64_t id, std::string_view content, bool special = true) {
  return Json::object({{"id", id}, {"content", content}, {"special", special}});
}
Json byte_level(bool use_regex = true, bool space = false) {
  return typed("ByteLevel").set("use_regex", use_regex).set("add_prefix_space", space);
}
Json steps(std::string_view key, Json::Array list) { return typed("Sequence").set(key, std::move(list)); }
Json split(std::string_view expression, std::string_view behavior = "Isolated", bool invert = false) {
  return typed("Split")
      .set("pattern", Json::object({{"Regex", expression}}))
      .set("behavior", behavior)
      .set("invert", invert);
}
Json digits(bool individual) { return typed("Digits").set("individual_digits", individual); }
Json pre_tokenizers(Json first, Json second) {
  return steps("pretokenizers", Json::Array{std::move(first), std::move(second)});
}

Json vocab() { return Json::object({{"<|endoftext|>", 0}, {"a", 1}, {"b", 2}, {"c", 3}, {"ab", 4}, {"abc", 5}}); }
Json model() {
  return Json::object({{"type", "BPE"},
                       {"dropout", nullptr},
                       {"unk_token", nullptr},
                       {"continuing_subword_prefix", ""},
                       {"end_of_word_suffix", nullptr},
                       {"fuse_unk", false},
                       {"byte_fallback", false},
                       {"ignore_merges", false},
                       {"vocab", vocab()},
                       {"merges", Json::array({"a b", Json::array({"ab", "c"})})}});
}
Json good() {
  return Json::object({{"added_tokens", Json::array({added(0, "<|endoftext|>"), added(6, "<user>", false)})},
                       {"normalizer", nullptr},
                       {"pre_tokenizer", byte_level()},
                       {"post_processor", nullptr},
                       {"decoder", typed("ByteLevel")},
                       {"model", model()}});
}
Json with(std::string_view key, Json value) { return good().set(key, std::move(value)); }
Json with_model(std::string_view key, Json value) { return with("model", model().set(key, std::move(value))); }

Json begin_template(Json single) {
  const Json token = Json::object({{"id", "<|endoftext|>"}, {"ids", Json::array({0})}});
  return typed("TemplateProcessing")
      .set("single", std::move(single))
      .set("special_tokens", Json::object({{"<|endoftext|>", token}}));
}
Json sequence_step() { return Json::object({{"Sequence", Json::object({{"id", "A"}, {"type_id", 0}})}}); }
Json special_step() {
  return Json::object({{"SpecialToken", Json::object({{"id", "<|endoftext|>"}, {"type_id", 0}})}});
}

TEST_CASE("a byte-level tokenizer.json becomes a specification", "[formats][tokenizer][bpe]") {
  const TokenizerSpec spec = parse_tokenizer(good());
  CHECK(spec.kind == TokenizerKind::byte_bpe);
  CHECK(spec.vocabulary == std::vector<std::string>{"<|endoftext|>", "a", "b", "c", "ab", "abc", "<user>"});
  CHECK(spec.merges == std::vector<BpeMerge>{{1, 2, 4}, {4, 3, 5}});
  CHECK(spec.split == BpeSplit::gpt2);
  CHECK_FALSE((spec.nfc || spec.add_prefix_space || spec.ignore_merges || spec.add_begin));
  REQUIRE(spec.added_tokens.size() == 2);
  CHECK(spec.added_tokens[0].special);
  CHECK_FALSE(spec.added_tokens[1].special);
  CHECK(spec.unknown_id == kNoToken);
  CHECK(spec.begin_id == kNoToken);
  CHECK(spec.max_length == kAnyLength);
  CHECK(decode_tokenizer(encode_tokenizer(spec), "x") == spec);

  Json old = Json::object();  // as the first files were written: no type of the model
  const Json typed_model = model();
  for (const Json::Member& member : typed_model.members()) {
    if (member.key != "type") old.set(member.key, member.value);
  }
  CHECK(parse_tokenizer(with("model", old)) == spec);
}

TEST_CASE("the steps before the merges are told by their names and expressions", "[formats][tokenizer][bpe]") {
  const auto of = [](Json pre) { return parse_tokenizer(with("pre_tokenizer", std::move(pre))); };
  CHECK(of(byte_level(true, true)).add_prefix_space);
  CHECK(of(typed("ByteLevel")).add_prefix_space);  // the default of the format
  CHECK(of(byte_level(false)).split == BpeSplit::none);
  CHECK(of(pre_tokenizers(split(kLlama3), byte_level(false))).split == BpeSplit::llama3);
  CHECK(of(pre_tokenizers(split(kLlama3, "Removed", true), byte_level(false))).split == BpeSplit::llama3);
  std::string one = kLlama3;
  one.replace(one.find("{1,3}"), 5, "");
  CHECK(of(pre_tokenizers(split(one), byte_level(false))).split == BpeSplit::qwen2);
  CHECK(of(pre_tokenizers(digits(true), byte_level())).split == BpeSplit::smollm);
  CHECK(of(steps("pretokenizers", Json::Array{byte_level()})).split == BpeSplit::gpt2);
  CHECK(parse_tokenizer(with("normalizer", typed("NFC"))).nfc);
  CHECK(parse_tokenizer(with("normalizer", steps("normalizers", Json::Array{typed("NFC")}))).nfc);
  CHECK_FALSE(parse_tokenizer(with("normalizer", steps("normalizers", {}))).nfc);
  CHECK(parse_tokenizer(with_model("ignore_merges", true)).ignore_merges);
}

TEST_CASE("a template can put a token before the text", "[formats][tokenizer][bpe]") {
  const Json begins = begin_template(Json::array({special_step(), sequence_step()}));
  const TokenizerSpec spec =
      parse_tokenizer(with("post_processor", steps("processors", Json::Array{typed("ByteLevel"), begins})));
  CHECK(spec.add_begin);
  CHECK(spec.begin_id == 0);
  CHECK_FALSE(parse_tokenizer(with("post_processor", begin_template(Json::array({sequence_step()})))).add_begin);
  expect_error(Errc::unsupported, {kTokenizerPath, "post_processor: single"}, [] {
    parse_tokenizer(with("post_processor", begin_template(Json::array({sequence_step(), special_step()}))));
  });
}

TEST_CASE("ids and merges that break a rule are refused", "[formats][tokenizer][bpe]") {
  expect_all_refused({
      {"case 176", with_model("vocab", vocab().set("d", 5)), Errc::malformed, {"id 5", "abc", "d"}},
      {"case 177: a gap", with_model("vocab", vocab().set("d", 9)), Errc::malformed, {"no token has id 7"}},
      {"case 178", with_model("vocab", vocab().set("d", -1)), Errc::malformed, {"vocab: d is -1"}},
      {"case 178: 2^33", with_model("vocab", vocab().set("d", uint64_t{1} << 33)), Errc::malformed, {"8589934592"}},
      {"case 179: part", with_model("merges", Json::array({"a x"})), Errc::malformed, {"merges[0]", "\"x\""}},
      {"case 179: result", with_model("merges", Json::array({"b c"})), Errc::malformed, {"merges[0]", "\"bc\""}},
      {"case 179: an added token is no part",
       with_model("merges", Json::array({"a <user>"})),
       Errc::malformed,
       {"merges[0]", "<user>"}},
      {"a merge twice",
       with_model("merges", Json::array({"a b", "a b"})),
       Errc::malformed,
       {"\"a\" and \"b\"", "twice"}},
      {"case 180: one part", with_model("merges", Json::array({"ab"})), Errc::malformed, {"merges[0]", "not two"}},
      {"case 180: three parts", with_model("merges", Json::array({"a b c"})), Errc::malformed, {"merges[0]"}},
      {"case 180: a list of one",
       with_model("merges", Json::array({Json::array({"ab"})})),
       Errc::malformed,
       {"merges[0] has 1 parts"}},
      {"case 180: a list of three",
       with_model("merges", Json::array({Json::array({"a", "b", "c"})})),
       Errc::malformed,
       {"merges[0] has 3 parts"}},
      {"case 181", with_model("unk_token", "<unk>"), Errc::malformed, {"unk_token", "<unk>"}},
  });
}

TEST_CASE("steps of byte-level BPE that are not handled are named", "[formats][tokenizer][bpe]") {
  const auto pre = [](Json first, Json second) {
    return with("pre_tokenizer", pre_tokenizers(std::move(first), std::move(second)));
  };
  expect_all_refused({
      {"case 182: normalizer", with("normalizer", typed("NFKC")), Errc::unsupported, {"normalizer", "\"NFKC\""}},
      {"case 182: SentencePiece", with("normalizer", typed("Prepend")), Errc::unsupported, {"normalizer", "Prepend"}},
      {"case 182: pre-tokenizer", with("pre_tokenizer", typed("Metaspace")), Errc::unsupported, {"\"Metaspace\""}},
      {"case 182: none", with("pre_tokenizer", nullptr), Errc::unsupported, {"pre_tokenizer has 0 steps"}},
      {"case 182: digits together", pre(digits(false), byte_level()), Errc::unsupported, {"individual_digits"}},
      {"case 182: two expressions", pre(split(kLlama3), byte_level(true)), Errc::unsupported, {"use_regex"}},
      {"case 182: a space in each piece", pre(digits(true), byte_level(true, true)), Errc::unsupported, {"add_prefix"}},
      {"case 182: decoder", with("decoder", typed("ByteFallback")), Errc::unsupported, {"decoder", "ByteFallback"}},
      {"case 182: post-processor",
       with("post_processor", typed("RobertaProcessing")),
       Errc::unsupported,
       {"post_processor", "RobertaProcessing"}},
      {"case 183", pre(split("\\w+|[^\\w\\s]+"), byte_level(false)), Errc::unsupported, {"\\w+|[^\\w\\s]+"}},
      {"case 183: behavior", pre(split(kLlama3, "Removed"), byte_level(false)), Errc::unsupported, {"\"Removed\""}},
      {"a text instead of an expression",
       pre(typed("Split").set("pattern", Json::object({{"String", " "}})).set("behavior", "Isolated"),
           byte_level(false)),
       Errc::unsupported,
       {"pattern"}},
      {"suffixes", with_model("end_of_word_suffix", "</w>"), Errc::unsupported, {"end_of_word_suffix", "</w>"}},
      {"byte_fallback", with_model("byte_fallback", true), Errc::unsupported, {"byte_fallback", "SentencePiece"}},
      {"dropout", with_model("dropout", 0.1), Errc::unsupported, {"dropout", "0.1"}},
      {"fuse_unk",
       with("model", model().set("unk_token", "<|endoftext|>").set("fuse_unk", true)),
       Errc::unsupported,
       {"fuse_unk"}},
  });
}

TEST_CASE("the other files of the folder name the special tokens", "[formats][tokenizer][bpe]") {
  const TempDir dir;
  dir.write("tokenizer.json", to_text(good()));
  const TokenizerSpec plain = read_hf_tokenizer(dir.path());
  CHECK(plain.end_id == kNoToken);
  CHECK(plain.stop_ids == std::vector<uint32_t>{0});  // <|endoftext|> is known
  CHECK(plain.max_length == kAnyLength);
  dir.write("tokenizer_config.json",
            R"({"eos_token": {"content": "abc"}, "bos_token": "a", "pad_token": null, "model_max_length": 99})");
  dir.write("config.json", R"({"eos_token_id": 50256})");  // no token of this vocabulary
  dir.write("generation_config.json", R"({"eos_token_id": [6, 0]})");
  const TokenizerSpec spec = read_hf_tokenizer(dir.path());
  CHECK(spec.begin_id == 1);
  CHECK(spec.end_id == 5);
  CHECK(spec.pad_id == 5);
  CHECK(spec.max_length == 99);
  CHECK(spec.stop_ids == std::vector<uint32_t>{6, 0, 5});
  dir.write("config.json", R"({"eos_token_id": "x"})");
  expect_error(Errc::malformed, {"config.json: eos_token_id"}, [&] { read_hf_tokenizer(dir.path()); });
}

TEST_CASE("templates are found in the folder", "[formats][tokenizer][bpe]") {
  const TempDir dir;
  Json file =
      with("added_tokens", Json::array({added(0, "<|endoftext|>"), added(6, "<|im_start|>"), added(7, "<|im_end|>")}));
  dir.write("tokenizer.json", to_text(file));
  const auto chat = [&] { return read_hf_tokenizer(dir.path()).chat_template; };
  CHECK(chat().empty());
  CHECK(read_hf_tokenizer(dir.path()).chat == ChatForm::none);
  dir.write("chat_template.json", R"({"chat_template": "last"})");
  CHECK(chat() == "last");
  dir.write("tokenizer_config.json", R"({"chat_template": "<|im_start|> <|im_end|>"})");
  CHECK(chat() == "<|im_start|> <|im_end|>");
  CHECK(read_hf_tokenizer(dir.path()).chat == ChatForm::jinja);
  CHECK(read_hf_tokenizer(dir.path()).stop_ids == std::vector<uint32_t>{7, 0});
  CHECK(hf_chat_template_notes(dir.path()).empty());
  dir.write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "x"},
                                                           {"name": "default", "template": "y"}]})");
  CHECK(chat() == "y");
  CHECK_THAT(hf_chat_template_notes(dir.path()).at(0), Catch::Matchers::Contains("left out: tool_use"));
  dir.write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "x"}]})");
  CHECK(chat().empty());
  CHECK_THAT(hf_chat_template_notes(dir.path()).at(0), Catch::Matchers::Contains("none is called \"default\""));
  dir.write("chat_template.jinja", "first");
  CHECK(chat() == "first");
  CHECK(hf_chat_template_notes(dir.path()).empty());
  dir.write("chat_template.jinja", "\xFF");
  expect_error(Errc::malformed, {"chat_template.jinja", "UTF-8"}, [&] { read_hf_tokenizer(dir.path()); });
}

TEST_CASE("a template's variables are the special tokens by their names", "[formats][tokenizer][bpe]") {
  const TempDir dir;
  dir.write("tokenizer.json", to_text(with("added_tokens", Json::array({added(0, "<|endoftext|>")}))));
  dir.write("special_tokens_map.json", R"({"bos_token": "not this", "unk_token": {"content": "<u>"}})");
  dir.write("tokenizer_config.json", R"({"chat_template": "x", "bos_token": {"content": "<b>"}, "eos_token": "</e>",
                                         "pad_token": null})");
  CHECK(read_hf_tokenizer(dir.path()).chat_variables ==
        std::vector<ChatVariable>{{"bos_token", "<b>"}, {"eos_token", "</e>"}, {"unk_token", "<u>"}});
  dir.write("tokenizer_config.json", R"({"bos_token": "<b>"})");
  CHECK(read_hf_tokenizer(dir.path()).chat_variables.empty());
}

TEST_CASE("vocab.json and merges.txt are read for the classes that need no more", "[formats][tokenizer][bpe]") {
  const TempDir dir;
  dir.write("vocab.json", to_text(vocab()));
  dir.write("merges.txt", "#version: 0.2\na b\r\nab c\n");
  const TokenizerSpec spec = read_hf_tokenizer(dir.path());
  CHECK(spec.split == BpeSplit::gpt2);
  CHECK(spec.merges == std::vector<BpeMerge>{{1, 2, 4}, {4, 3, 5}});
  REQUIRE(spec.added_tokens.size() == 1);
  CHECK(spec.added_tokens[0].content == "<|endoftext|>");
  CHECK(spec.stop_ids == std::vector<uint32_t>{0});
  dir.write("tokenizer_config.json", R"({"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>",
      "added_tokens_decoder": {"6": {"content": "<|im_end|>", "special": true}}})");
  const TokenizerSpec qwen = read_hf_tokenizer(dir.path());
  CHECK(qwen.split == BpeSplit::qwen2);
  CHECK(qwen.nfc);
  CHECK(qwen.end_id == 6);
  CHECK(qwen.vocabulary.size() == 7);
  const auto refused = [&](Errc code, const std::vector<std::string>& parts) {
    expect_error(code, parts, [&] { read_hf_tokenizer(dir.path()); });
  };
  dir.write("tokenizer_config.json", R"({"added_tokens_decoder": {"x": {"content": "y"}}})");
  refused(Errc::malformed, {"added_tokens_decoder: x", "no id"});
  dir.write("tokenizer_config.json", R"({"tokenizer_class": "RobertaTokenizer"})");
  refused(Errc::unsupported, {"tokenizer_class", "RobertaTokenizer", "GPT2Tokenizer"});
  std::filesystem::remove(dir / "tokenizer_config.json");
  dir.write("merges.txt", "a b\nab\n");
  refused(Errc::malformed, {"merges.txt: line 2", "not two tokens"});
  dir.write("merges.txt", "a b\na b\n");
  refused(Errc::malformed, {"merges.txt", "twice"});
  dir.write("merges.txt", "a x\n");
  refused(Errc::malformed, {"merges.txt: line 1", "\"x\""});
}

}  // namespace
}  // namespace lathe
