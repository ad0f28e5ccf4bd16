#include "formats/huggingface/hf_tokenizer.h"

#include <catch2/catch.hpp>

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

Json special(uint64_t id, std::string_view content) {
  return Json::object({{"id", id},
                       {"special", true},
                       {"content", content},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", false}});
}
Json special_step(std::string_view id, int type) {
  return Json::object({{"SpecialToken", Json::object({{"id", id}, {"type_id", type}})}});
}
Json sequence_step(std::string_view id, int type) {
  return Json::object({{"Sequence", Json::object({{"id", id}, {"type_id", type}})}});
}
Json template_token(std::string_view name, uint64_t id) {
  return Json::object({{"id", name}, {"ids", Json::array({id})}, {"tokens", Json::array({name})}});
}
Json good_template() {
  return Json::object(
      {{"type", "TemplateProcessing"},
       {"single", Json::array({special_step("[CLS]", 0), sequence_step("A", 0), special_step("[SEP]", 0)})},
       {"pair", Json::array({special_step("[CLS]", 0), sequence_step("A", 0), special_step("[SEP]", 0),
                             sequence_step("B", 1), special_step("[SEP]", 1)})},
       {"special_tokens",
        Json::object({{"[CLS]", template_token("[CLS]", 2)}, {"[SEP]", template_token("[SEP]", 3)}})}});
}
Json vocab() {
  return Json::object({{"[PAD]", 0}, {"[UNK]", 1}, {"[CLS]", 2}, {"[SEP]", 3}, {"hello", 4}, {"##s", 5}});
}
Json model() {
  return Json::object({{"type", "WordPiece"},
                       {"unk_token", "[UNK]"},
                       {"continuing_subword_prefix", "##"},
                       {"max_input_chars_per_word", 100},
                       {"vocab", vocab()}});
}
Json normalizer() {
  return Json::object({{"type", "BertNormalizer"},
                       {"clean_text", true},
                       {"handle_chinese_chars", true},
                       {"strip_accents", nullptr},
                       {"lowercase", true}});
}
/// tokenizer.json with six tokens.
Json good() {
  return Json::object({{"version", "1.0"},
                       {"truncation", Json::object({{"max_length", 128}})},
                       {"padding", nullptr},
                       {"added_tokens", Json::array({special(0, "[PAD]"), special(1, "[UNK]"), special(2, "[CLS]"),
                                                     special(3, "[SEP]")})},
                       {"normalizer", normalizer()},
                       {"pre_tokenizer", Json::object({{"type", "BertPreTokenizer"}})},
                       {"post_processor", good_template()},
                       {"decoder", Json::object({{"type", "WordPiece"}})},
                       {"model", model()}});
}
Json with(std::string_view key, Json value) { return good().set(key, std::move(value)); }

TEST_CASE("a BERT tokenizer.json becomes a specification", "[formats][tokenizer]") {
  const TokenizerSpec spec = parse_tokenizer(good());
  CHECK(spec.kind == TokenizerKind::wordpiece);
  CHECK(spec.vocabulary == std::vector<std::string>{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "hello", "##s"});
  CHECK(spec.unknown_id == 1);
  CHECK(spec.begin_id == 2);
  CHECK(spec.end_id == 3);
  CHECK(spec.pad_id == 0);
  CHECK(spec.continuing_prefix == "##");
  CHECK(spec.max_chars_per_word == 100);
  CHECK((spec.clean_text && spec.split_chinese && spec.lowercase && spec.strip_accents));
  REQUIRE(spec.added_tokens.size() == 4);
  CHECK(spec.added_tokens[3].id == 3);
  CHECK(spec.added_tokens[3].content == "[SEP]");
  CHECK_FALSE(spec.added_tokens[3].normalized);
}

TEST_CASE("strip_accents that is null follows lowercase", "[formats][tokenizer]") {
  struct Row {
    Json lowercase, strip_accents;
    bool lowers, strips;
  };
  for (const Row& row : {Row{true, nullptr, true, true}, Row{false, nullptr, false, false},
                         Row{true, false, true, false}, Row{false, true, false, true}}) {
    const TokenizerSpec spec = parse_tokenizer(
        with("normalizer", normalizer().set("lowercase", row.lowercase).set("strip_accents", row.strip_accents)));
    CHECK(spec.lowercase == row.lowers);
    CHECK(spec.strip_accents == row.strips);
  }
  const TokenizerSpec none = parse_tokenizer(with("normalizer", nullptr));
  CHECK_FALSE((none.clean_text || none.split_chinese || none.lowercase || none.strip_accents));
}

TEST_CASE("the older post-processor and flags of added tokens are read", "[formats][tokenizer]") {
  const Json bert = Json::object(
      {{"type", "BertProcessing"}, {"sep", Json::array({"[SEP]", 3})}, {"cls", Json::array({"[CLS]", 2})}});
  CHECK(parse_tokenizer(with("post_processor", bert)).begin_id == 2);
  CHECK(parse_tokenizer(with("post_processor", bert)).end_id == 3);
  Json extra = special(6, "<new>");
  extra.set("lstrip", true).set("rstrip", true).set("single_word", true).set("normalized", true);
  const TokenizerSpec spec = parse_tokenizer(with("added_tokens", Json::array({extra})));
  CHECK(spec.vocabulary.back() == "<new>");
  REQUIRE(spec.added_tokens.size() == 1);
  const AddedToken& token = spec.added_tokens[0];
  CHECK((token.lstrip && token.rstrip && token.single_word && token.normalized));
}

TEST_CASE("case 174: a tokenizer.json cut anywhere is not valid JSON", "[formats][tokenizer]") {
  const std::string text = to_text(good());
  for (size_t size = 0; size < text.size(); size += 7) {
    expect_error(Errc::malformed, {kTokenizerPath, "not valid JSON at byte"},
                 [&] { parse_tokenizer_json(text.substr(0, size), kTokenizerPath); });
  }
}

TEST_CASE("a tokenizer whose model is missing or of another type is refused", "[formats][tokenizer]") {
  Json no_model = Json::object();
  const Json all = good();
  for (const Json::Member& member : all.members()) {
    if (member.key != "model") no_model.set(member.key, member.value);
  }
  const auto with_model = [](std::string_view key, Json value) {
    return with("model", model().set(key, std::move(value)));
  };
  expect_all_refused({
      {"case 175: an array", Json::array(), Errc::malformed, {"an array", "an object"}},
      {"case 175: no model", no_model, Errc::malformed, {"no \"model\""}},
      {"case 175: no type",
       with("model", Json::object({{"vocab", vocab()}})),
       Errc::malformed,
       {"model has no \"type\""}},
      {"case 175: Unigram",
       with_model("type", "Unigram"),
       Errc::unsupported,
       {"model", "\"Unigram\"", "WordPiece or BPE"}},
      {"case 175: WordPiece that calls itself BPE",
       with_model("type", "BPE"),
       Errc::unsupported,
       {"\"BertNormalizer\""}},
      {"case 175: no vocab", with("model", Json::object({{"type", "WordPiece"}})), Errc::malformed, {"no \"vocab\""}},
      {"case 175: vocab is an array",
       with_model("vocab", Json::array()),
       Errc::malformed,
       {"model: vocab is an array"}},
      {"case 175: vocab is empty",
       with("added_tokens", nullptr).set("model", model().set("vocab", Json::object())),
       Errc::malformed,
       {"vocabulary is empty"}},
      {"word length 0", with_model("max_input_chars_per_word", 0), Errc::malformed, {"max_input_chars_per_word is 0"}},
  });
}

TEST_CASE("ids that are not 0..n-1 each once are refused", "[formats][tokenizer]") {
  const auto with_id = [](Json id) { return with("model", model().set("vocab", vocab().set("hello", std::move(id)))); };
  expect_all_refused({
      {"case 176: duplicate id", with_id(5), Errc::malformed, {"id 5", "hello", "##s"}},
      {"case 176: added token takes an id",
       with("added_tokens", Json::array({special(4, "<new>")})),
       Errc::malformed,
       {"id 4", "hello", "<new>"}},
      {"case 176: added token with a second id",
       with("added_tokens", Json::array({special(6, "hello")})),
       Errc::malformed,
       {"hello", "4", "6"}},
      {"case 176: added twice",
       with("added_tokens", Json::array({special(0, "[PAD]"), special(0, "[PAD]")})),
       Errc::malformed,
       {"added_tokens[1]", "id 0", "twice"}},
      {"case 177: a gap", with_id(6), Errc::malformed, {"id 5", "id 4", "6 tokens"}},
      {"case 177: far outside", with_id(4'000'000), Errc::malformed, {"##s", "no token has id 4"}},
      {"case 177: added token far outside",
       with("added_tokens", Json::array({special(999'999'999, "<new>")})),
       Errc::malformed,
       {"added_tokens[0]: id", "999999999"}},
      {"case 178: negative", with_id(-1), Errc::malformed, {"vocab: hello is -1"}},
      {"case 178: 2^33", with_id(uint64_t{1} << 33), Errc::malformed, {"vocab: hello is 8589934592"}},
      {"case 178: a double", with_id(4.0), Errc::malformed, {"vocab: hello is 4.0"}},
      {"case 178: a string", with_id("4"), Errc::malformed, {"vocab: hello is \"4\""}},
      {"empty added token",
       with("added_tokens", Json::array({special(6, "")})),
       Errc::malformed,
       {"added_tokens[0]", "content is empty"}},
      {"token of more than 64 KiB",
       with("model", model().set("vocab", vocab().set(std::string(65'537, 'x'), 6))),
       Errc::limit,
       {"id 6", "65536"}},
  });
}

TEST_CASE("case 177: ids beyond the embedding are refused", "[formats][tokenizer]") {
  const TokenizerSpec spec = parse_tokenizer(good());
  check_vocabulary_fits(spec, 6, kTokenizerPath);
  check_vocabulary_fits(spec, 100, kTokenizerPath);
  expect_error(Errc::malformed, {kTokenizerPath, "##s", "id 5", "5 rows"},
               [&] { check_vocabulary_fits(spec, 5, kTokenizerPath); });
}

TEST_CASE("special tokens must be in the vocabulary", "[formats][tokenizer]") {
  const auto with_template = [](std::string_view key, Json value) {
    return with("post_processor", good_template().set(key, std::move(value)));
  };
  const auto tokens = [](Json begin) {
    return Json::object({{"[CLS]", std::move(begin)}, {"[SEP]", template_token("[SEP]", 3)}});
  };
  expect_all_refused({
      {"case 181: unknown token",
       with("model", model().set("unk_token", "<unk>")),
       Errc::malformed,
       {"unk_token", "<unk>", "not in the vocabulary"}},
      {"case 181: template without its token",
       with_template("special_tokens", Json::object()),
       Errc::malformed,
       {"special_tokens has no \"[CLS]\""}},
      {"case 181: begin token not in the vocabulary",
       with("post_processor",
            Json::object(
                {{"type", "BertProcessing"}, {"sep", Json::array({"[SEP]", 3})}, {"cls", Json::array({"<s>", 2})}})),
       Errc::malformed,
       {"cls", "<s>", "not in the vocabulary"}},
      {"case 181: another id than the vocabulary's",
       with_template("special_tokens", tokens(template_token("[CLS]", 4))),
       Errc::malformed,
       {"special_tokens: [CLS]", "id 4", "says 2"}},
      {"case 181: two ids",
       with_template("special_tokens", tokens(Json::object({{"ids", Json::array({2, 3})}}))),
       Errc::unsupported,
       {"special_tokens: [CLS]: ids", "2 ids"}},
  });
}

TEST_CASE("case 182: steps that are not handled are named", "[formats][tokenizer]") {
  const auto typed = [](std::string_view type) { return Json::object({{"type", type}}); };
  const auto with_template = [](std::string_view key, Json value) {
    return with("post_processor", good_template().set(key, std::move(value)));
  };
  const Json single = Json::array({special_step("[CLS]", 0), sequence_step("A", 0)});
  expect_all_refused({
      {"normalizer NFC",
       with("normalizer", typed("NFC")),
       Errc::unsupported,
       {"normalizer", "\"NFC\"", "BertNormalizer"}},
      {"normalizer Sequence", with("normalizer", typed("Sequence")), Errc::unsupported, {"normalizer", "\"Sequence\""}},
      {"pre-tokenizer ByteLevel",
       with("pre_tokenizer", typed("ByteLevel")),
       Errc::unsupported,
       {"pre_tokenizer", "\"ByteLevel\"", "BertPreTokenizer"}},
      {"no pre-tokenizer", with("pre_tokenizer", nullptr), Errc::unsupported, {"pre_tokenizer is absent"}},
      {"post-processor RobertaProcessing",
       with("post_processor", typed("RobertaProcessing")),
       Errc::unsupported,
       {"post_processor", "\"RobertaProcessing\""}},
      {"no post-processor", with("post_processor", nullptr), Errc::unsupported, {"post_processor is absent"}},
      {"template without an end token", with_template("single", single), Errc::unsupported, {"post_processor: single"}},
      {"pair without types",
       with_template("pair", Json::array({special_step("[CLS]", 0), sequence_step("A", 0), special_step("[SEP]", 0),
                                          sequence_step("B", 0), special_step("[SEP]", 0)})),
       Errc::unsupported,
       {"post_processor: pair"}},
      {"flag of another kind",
       with("normalizer", normalizer().set("lowercase", 1)),
       Errc::malformed,
       {"normalizer: lowercase is 1", "true or false"}},
  });
}

constexpr const char* kVocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n##s\n";

TEST_CASE("vocab.txt is read with the options of tokenizer_config.json", "[formats][tokenizer]") {
  const TempDir dir;
  dir.write("vocab.txt", kVocab);
  const TokenizerSpec plain = read_hf_tokenizer(dir.path());
  CHECK(plain.vocabulary == std::vector<std::string>{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "##s"});
  CHECK((plain.lowercase && plain.strip_accents && plain.split_chinese && plain.clean_text));
  CHECK(plain.unknown_id == 1);
  CHECK(plain.begin_id == 2);
  CHECK(plain.end_id == 3);
  CHECK(plain.added_tokens.size() == 5);
  CHECK(plain.added_tokens[4].content == "[MASK]");
  CHECK(plain.max_length == 512);

  dir.write("tokenizer_config.json", R"({"do_lower_case": false, "strip_accents": null, "tokenize_chinese_chars": false,
      "cls_token": {"content": "hello"}, "tokenizer_class": "BertTokenizerFast"})");
  const TokenizerSpec cased = read_hf_tokenizer(dir.path());
  CHECK_FALSE((cased.lowercase || cased.strip_accents || cased.split_chinese));
  CHECK(cased.begin_id == 5);

  dir.write("tokenizer_config.json", R"({"tokenizer_class": "XLNetTokenizer"})");
  expect_error(Errc::unsupported, {"tokenizer_config.json: tokenizer_class", "XLNetTokenizer"},
               [&] { read_hf_tokenizer(dir.path()); });
}

TEST_CASE("a vocab.txt with carriage returns or without a last newline is the same", "[formats][tokenizer]") {
  std::string windows;
  for (const char c : std::string_view(kVocab)) windows += c == '\n' ? "\r\n" : std::string(1, c);
  const TokenizerSpec expected = parse_vocab_txt(kVocab, "v");
  CHECK(parse_vocab_txt(windows, "v") == expected);
  std::string_view cut = kVocab;
  cut.remove_suffix(1);
  CHECK(parse_vocab_txt(cut, "v") == expected);
}

TEST_CASE("a bad vocab.txt is refused with its line", "[formats][tokenizer]") {
  const std::string path = "m/vocab.txt";
  const std::string vocab = kVocab;
  expect_error(Errc::malformed, {path, "line 8", "empty"}, [&] { parse_vocab_txt(vocab + "\nx\n", path); });
  expect_error(Errc::malformed, {path, "\"hello\"", "5", "7"}, [&] { parse_vocab_txt(vocab + "hello\n", path); });
  expect_error(Errc::malformed, {path, "line 8", "\\xff", "UTF-8"}, [&] { parse_vocab_txt(vocab + "\xff\n", path); });
  expect_error(Errc::malformed, {path, "[UNK]", "not in the vocabulary"}, [&] { parse_vocab_txt("[CLS]\n", path); });
  expect_error(Errc::malformed, {path, "vocabulary is empty"}, [&] { parse_vocab_txt("", path); });
}

TEST_CASE("the length comes from the model, not from the truncation of tokenizer.json", "[formats][tokenizer]") {
  const TempDir dir;
  dir.write("tokenizer.json", to_text(good()));
  const auto length = [&] { return read_hf_tokenizer(dir.path()).max_length; };
  CHECK(length() == 512);
  dir.write("tokenizer_config.json", R"({"model_max_length": 384})");
  CHECK(length() == 384);
  // What transformers writes for "no limit": an integer that fits no integer type.
  dir.write("tokenizer_config.json", R"({"model_max_length": 1000000000000000019884624838656})");
  CHECK(length() == 512);
  dir.write("tokenizer_config.json", R"({"model_max_length": 1e30})");
  CHECK(length() == 512);
  dir.write("sentence_bert_config.json", R"({"max_seq_length": 256})");
  CHECK(length() == 256);
  std::filesystem::remove(dir / "sentence_bert_config.json");
  dir.write("tokenizer_config.json", R"({"model_max_length": -1})");
  expect_error(Errc::malformed, {"tokenizer_config.json: model_max_length is -1"}, length);
}

TEST_CASE("pad token and lower case of the folder's other files are used", "[formats][tokenizer]") {
  const TempDir dir;
  dir.write("tokenizer.json", to_text(with("normalizer", nullptr)));
  CHECK(read_hf_tokenizer(dir.path()).pad_id == 0);
  CHECK_FALSE(read_hf_tokenizer(dir.path()).lowercase);
  dir.write("tokenizer_config.json", R"({"pad_token": "hello"})");
  dir.write("sentence_bert_config.json", R"({"do_lower_case": true})");
  CHECK(read_hf_tokenizer(dir.path()).pad_id == 4);
  CHECK(read_hf_tokenizer(dir.path()).lowercase);
}

TEST_CASE("a folder without a tokenizer says what is looked for", "[formats][tokenizer]") {
  const TempDir dir;
  expect_error(Errc::no_input, {dir.path().string(), "tokenizer.json or vocab.txt"},
               [&] { read_hf_tokenizer(dir.path()); });
  const auto file = dir.write("tokenizer.json", "{}");
  expect_error(Errc::malformed, {file.string(), "no \"model\""}, [&] { read_hf_tokenizer(dir.path()); });
}

}  // namespace
}  // namespace lathe
