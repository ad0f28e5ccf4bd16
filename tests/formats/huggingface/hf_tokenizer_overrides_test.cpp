// What a model folder's files say against each other. The expected outcomes were measured with transformers 5.24.

#include "formats/huggingface/hf_tokenizer_overrides.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "formats/huggingface/hf_tokenizer.h"
#include "tests/formats/expect_error.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_error;
using test::TempDir;

constexpr const char* kVocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nhello\n##s\n";

std::string wordpiece_json(bool lowercase) {
  return message(R"({"added_tokens": [{"id": 2, "content": "[CLS]", "special": true}], "model": {"type": "WordPiece",
      "unk_token": "[UNK]", "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "hello": 4, "##s": 5}},
      "normalizer": {"type": "BertNormalizer", "handle_chinese_chars": true, "strip_accents": null, "lowercase": )",
                 lowercase ? "true" : "false", R"(}, "pre_tokenizer": {"type": "BertPreTokenizer"},
      "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}})");
}

struct Folder {
  TempDir dir;
  std::vector<std::string> notes = {};

  TokenizerSpec read() {
    notes.clear();
    return read_hf_tokenizer(dir.path(), notes);
  }
  bool notes_name(std::string_view part) const {
    return std::any_of(notes.begin(), notes.end(), [&](const auto& note) { return note.find(part) != note.npos; });
  }
};

const AddedToken* find_added(const TokenizerSpec& spec, std::string_view content) {
  for (const AddedToken& token : spec.added_tokens) {
    if (token.content == content) return &token;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("BERT's class takes lower case from tokenizer_config.json, and a note says so", "[formats][tokenizer]") {
  struct Case {
    bool in_json;
    const char* config;
    bool expected;
  };
  for (const Case& c : {Case{false, R"({"tokenizer_class": "BertTokenizerFast", "do_lower_case": true})", true},
                        Case{true, R"({"tokenizer_class": "BertTokenizer", "do_lower_case": false})", false},
                        Case{false, R"({"tokenizer_class": "DistilBertTokenizer"})", true},
                        Case{true, R"({"tokenizer_class": "MPNetTokenizer"})", true},
                        Case{false, R"({"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": true})", false},
                        Case{true, R"({"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": false})", true},
                        Case{false, R"({"do_lower_case": true})", false}}) {  // the class is not known
    CAPTURE(c.in_json, c.config);
    Folder folder;
    folder.dir.write("tokenizer.json", wordpiece_json(c.in_json));
    folder.dir.write("tokenizer_config.json", c.config);
    CHECK(folder.read().lowercase == c.expected);
    CHECK(folder.notes_name("do_lower_case") == (c.in_json != c.expected));
    folder.dir.write("config.json", R"({"model_type": "bert"})");  // names the class where no file does
    const bool named = std::string_view(c.config).find("_class") != std::string_view::npos;
    CHECK(folder.read().lowercase == (named ? c.expected : true));
  }
}

TEST_CASE("accents follow lower case, and Chinese characters are told apart, as BERT's class does it",
          "[formats][tokenizer]") {
  Folder folder;
  folder.dir.write("tokenizer.json", wordpiece_json(true));
  const auto config = [&](std::string_view text) { folder.dir.write("tokenizer_config.json", text); };
  config(R"({"tokenizer_class": "BertTokenizer", "strip_accents": false})");
  CHECK_FALSE(folder.read().strip_accents);
  config(R"({"tokenizer_class": "BertTokenizer", "do_lower_case": false})");
  CHECK_FALSE(folder.read().strip_accents);
  config(R"({"tokenizer_class": "BertTokenizer", "tokenize_chinese_chars": false})");
  CHECK_FALSE(folder.read().split_chinese);
  CHECK(folder.notes.size() == 1);
}

TEST_CASE("files that name different begin tokens are refused with both names", "[formats][tokenizer]") {
  Folder folder;
  folder.dir.write("tokenizer.json", wordpiece_json(true));
  folder.dir.write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer", "cls_token": "[PAD]"})");
  const auto refused = [&] {
    expect_error(Errc::unsupported, {"tokenizer_config.json", "tokenizer.json", "[PAD]", "[CLS]"},
                 [&] { folder.read(); });
  };
  refused();
  folder.dir.write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
  folder.dir.write("special_tokens_map.json", R"({"cls_token": {"content": "[PAD]"}})");
  refused();
  folder.dir.write("special_tokens_map.json", R"({"cls_token": {"content": "[CLS]"}})");
  CHECK(folder.read().begin_id == 2);
}

TEST_CASE("tokens that stand beside the tokenizer are added to it", "[formats][tokenizer]") {
  struct Case {
    const char* file;
    const char* text;
  };
  const std::string flags = R"("special": true, "lstrip": true)";
  const std::string decoder = R"({"added_tokens_decoder": {"6": {"content": "<ent>", )" + flags + "}}}";
  for (const Case& c : {Case{"tokenizer_config.json", decoder.c_str()}, Case{"added_tokens.json", R"({"<ent>": 6})"},
                        Case{"tokenizer_config.json", R"({"additional_special_tokens": ["<ent>"]})"},
                        Case{"tokenizer_config.json", R"({"extra_special_tokens": {"ent_token": "<ent>"}})"},
                        Case{"special_tokens_map.json", R"({"additional_special_tokens": [{"content": "<ent>"}]})"}}) {
    for (const bool json : {true, false}) {
      CAPTURE(c.file, c.text, json);
      Folder folder;
      folder.dir.write(json ? "tokenizer.json" : "vocab.txt", json ? wordpiece_json(true) : kVocab);
      folder.dir.write(c.file, c.text);
      const TokenizerSpec spec = folder.read();
      REQUIRE(spec.vocabulary.size() == 7);
      const AddedToken* token = find_added(spec, "<ent>");
      REQUIRE(token != nullptr);
      CHECK(token->id == 6);
      CHECK(token->lstrip == (c.text == decoder));
      CHECK(token->normalized == (std::string_view(c.file) == "added_tokens.json"));
    }
  }
}

TEST_CASE("a token of the vocabulary that is named special is matched as a whole", "[formats][tokenizer]") {
  Folder folder;
  folder.dir.write("tokenizer.json", wordpiece_json(true));
  folder.dir.write("tokenizer_config.json", R"({"additional_special_tokens": ["##s", "[CLS]"]})");
  const TokenizerSpec spec = folder.read();
  CHECK(spec.vocabulary.size() == 6);
  CHECK(spec.added_tokens.size() == 2);
  REQUIRE(find_added(spec, "##s") != nullptr);
  CHECK(find_added(spec, "##s")->id == 5);
}

TEST_CASE("ids of added tokens that contradict the tokenizer are refused", "[formats][tokenizer]") {
  Folder folder;
  folder.dir.write("tokenizer.json", wordpiece_json(true));
  const auto expect_refused = [&](const char* file, const char* text, const std::vector<std::string>& parts) {
    folder.dir.write(file, text);
    expect_error(Errc::malformed, parts, [&] { folder.read(); });
    std::filesystem::remove(folder.dir / file);
  };
  expect_refused("added_tokens.json", R"({"<ent>": 8})", {"added_tokens.json", "<ent>", "8", "gap", "6"});
  expect_refused("added_tokens.json", R"({"<ent>": 4})", {"added_tokens.json", "<ent>", "that of hello"});
  expect_refused("added_tokens.json", R"({"hello": 5})", {"added_tokens.json", "hello", "that of ##s", "4"});
  expect_refused("added_tokens.json", R"({"<ent>": -1})", {"added_tokens.json: <ent>"});
  expect_refused("tokenizer_config.json", R"({"added_tokens_decoder": {"x": {"content": "y"}}})",
                 {"added_tokens_decoder: x", "no id"});
  expect_refused("tokenizer_config.json", R"({"additional_special_tokens": [""]})", {"additional_special_tokens"});
  expect_refused("special_tokens_map.json", R"([])", {"special_tokens_map.json"});
}

}  // namespace lathe
