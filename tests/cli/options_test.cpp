#include "cli/options.h"

#include <catch2/catch.hpp>

#include "cli/exit_codes.h"
#include "tests/formats/expect_error.h"

namespace lathe::cli {
namespace {

using test::expect_error;

enum class Form { tsv, json };
constexpr NamedValues<Form, 2> kForms = {{{Form::tsv, "tsv"}, {Form::json, "json"}}};

// One of each kind.
struct Targets {
  bool json = false;
  std::string output;
  std::vector<std::string> texts;
  uint64_t threads = 0;
  std::vector<uint32_t> batch = {1, 8};
  std::optional<double> drop;
  Form format = Form::tsv;
  std::optional<uint64_t> size;
  std::vector<std::string> files;

  bool parse(const std::vector<std::string>& args) {
    Options options("compress test", "FILE", "Does nothing.");
    options.flag("json", "one object", json)
        .text("output,o", "FILE", "where to", output)
        .texts("text", "TEXT", "a text", texts)
        .integer("threads", "N", "threads", 1, 64, threads)
        .integers("batch", "LIST", "batches", 1, 100, batch)
        .number("max-drop", "X", "a bound", 0, 2, drop)
        .choice("format", "form", kForms, format)
        .bytes("max-size", "a size", size)
        .operands(1, 2, files);
    return options.parse(args);
  }
};

void refuse(const std::vector<std::string>& args, const std::vector<std::string>& parts) {
  std::string shown;
  for (const std::string& arg : args) shown += arg + " ";
  INFO("arguments: " << shown);
  expect_error(Errc::usage, parts, [&] { Targets().parse(args); });
}

}  // namespace

TEST_CASE("options of every kind fill in their targets", "[cli][options]") {
  Targets t;
  REQUIRE(t.parse({"a.lathe", "--json", "-o", "x", "--text", "one", "--text=two words", "--threads=4", "--batch",
                   "2,16", "--max-drop", "0.25", "--format", "json", "--max-size", "1.5kB", "b.lathe"}));
  CHECK(t.json);
  CHECK(t.output == "x");
  CHECK(t.texts == std::vector<std::string>{"one", "two words"});
  CHECK(t.threads == 4);
  CHECK(t.batch == std::vector<uint32_t>{2, 16});
  CHECK(t.drop == 0.25);
  CHECK(t.format == Form::json);
  CHECK(t.size == 1500);
  CHECK(t.files == std::vector<std::string>{"a.lathe", "b.lathe"});
}

TEST_CASE("options that are not given leave their targets alone", "[cli][options]") {
  Targets t;
  REQUIRE(t.parse({"--", "--strange-name"}));
  CHECK(t.files == std::vector<std::string>{"--strange-name"});
  CHECK(t.batch == std::vector<uint32_t>{1, 8});
  CHECK_FALSE(t.drop.has_value());
}

TEST_CASE("an unknown option is answered with the nearest one", "[cli][options]") {
  refuse({"a", "--thread", "2"}, {"--thread'", "did you mean '--threads'", "compress test --help"});
  refuse({"a", "--jsno"}, {"did you mean '--json'"});
  refuse({"a", "--bathc=2"}, {"did you mean '--batch'"});
  refuse({"a", "--hepl"}, {"did you mean '--help'"});
  expect_error(Errc::usage, {"unknown option '--zzzzzz'"}, [] { Targets().parse({"a", "--zzzzzz"}); });
  refuse({"a", "-z"}, {"unknown option '-z'"});
}

TEST_CASE("values outside their bounds are refused with the bounds", "[cli][options]") {
  refuse({"a", "--threads", "0"}, {"--threads", "\"0\"", "[1, 64]"});
  refuse({"a", "--threads", "65"}, {"65"});
  refuse({"a", "--threads", "-1"}, {"--threads"});
  refuse({"a", "--threads", "4x"}, {"4x"});
  refuse({"a", "--threads", "18446744073709551617"}, {"[1, 64]"});
  refuse({"a", "--batch", "1,,2"}, {"--batch", "\"\""});
  refuse({"a", "--batch", "1,101"}, {"101", "[1, 100]"});
  refuse({"a", "--max-drop", "nan"}, {"nan", "[0.0, 2.0]"});
  refuse({"a", "--max-drop", "2.5"}, {"2.5"});
  refuse({"a", "--format", "xml"}, {"xml", "tsv|json"});
}

TEST_CASE("a size is a decimal number of bytes with a unit of powers of 1000", "[cli][options]") {
  const auto size_of = [](const std::string& text) {
    Targets t;
    REQUIRE(t.parse({"a", "--max-size", text}));
    return t.size.value();
  };
  CHECK(size_of("1234567") == 1234567);
  CHECK(size_of("12MB") == 12'000'000);
  CHECK(size_of("800kb") == 800'000);
  CHECK(size_of("0.5GB") == 500'000'000);
  for (const char* text :
       {"MB", "0", "-1", "0x10", "0X10MB", "1e3", "inf", "nan", "12 MB", "12MiB", "0.1B", "99999999999999999999GB"}) {
    refuse({"a", message("--max-size=", text)}, {"--max-size", text, "12MB"});
  }
}

TEST_CASE("missing and superfluous arguments are refused", "[cli][options]") {
  refuse({}, {"expected FILE"});
  refuse({"a", "b", "c"}, {"unexpected argument 'c'"});
  refuse({"a", "-o"}, {"--output"});
  refuse({"a", "-o", "x", "--output", "y"}, {"--output", "twice"});
  refuse({"a", "--json=yes"}, {"--json"});
}

TEST_CASE("help names every option and keeps its lines short", "[cli][options]") {
  bool flag = false;
  std::string value;
  Options options("compress test", "FILE", "Does nothing.");
  std::string words;
  for (int i = 0; i < 60; ++i) words += "word ";
  options.flag("quiet,q", words, flag).group("More").text("a-name-that-is-much-too-long", "VALUE", "help", value);
  const std::string help = options.help();
  CHECK_THAT(help, Catch::Matchers::StartsWith("Usage: compress test FILE [options]\n"));
  CHECK_THAT(help, Catch::Matchers::Contains("  -q, --quiet"));
  CHECK_THAT(help, Catch::Matchers::Contains("\nMore:\n"));
  CHECK_THAT(help, Catch::Matchers::Contains("--a-name-that-is-much-too-long VALUE\n"));
  CHECK_THAT(help, Catch::Matchers::Contains("-h, --help"));
  for (size_t begin = 0; begin < help.size();) {
    const size_t end = help.find('\n', begin);
    CHECK(end - begin <= 100);
    begin = end + 1;
  }
}

TEST_CASE("the nearest candidate is a slip away or not at all", "[cli][options]") {
  const std::vector<std::string> commands = {"inspect", "run", "bench"};
  CHECK(nearest("insepct", commands) == "inspect");
  CHECK(nearest("bnech", commands) == "bench");
  CHECK(nearest("minilm", commands).empty());
  CHECK(nearest("xy", commands).empty());
}

TEST_CASE("every kind of error has its exit code", "[cli][exit_codes]") {
  CHECK(exit_code(Errc::internal) == 1);
  CHECK(exit_code(Errc::usage) == 64);
  CHECK(exit_code(Errc::malformed) == 65);
  CHECK(exit_code(Errc::limit) == 65);
  CHECK(exit_code(Errc::no_input) == 66);
  CHECK(exit_code(Errc::unsupported) == 69);
  CHECK(exit_code(Errc::cannot_create) == 73);
  CHECK(exit_code(Errc::io) == 74);
  CHECK(exit_code(Errc::interrupted) == 75);
  CHECK(exit_code(Errc::bad_recipe) == 78);
}

}  // namespace lathe::cli
