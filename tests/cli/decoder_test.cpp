// Models that generate text as the users of the command meet them.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "formats/json.h"
#include "tests/cli/checks.h"
#include "tests/cli/process.h"
#include "tests/support/tiny_artifact.h"
#include "tests/support/tiny_decoder.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using test::CommandResult;
using test::expect_failure;
using test::json_of;
using test::quoted;
using test::run_compress;
using test::TempDir;
using test::TinyDecoder;
using test::TinyDecoderOptions;

struct Fixture {
  TempDir dir;
  const std::string file = TinyDecoder().write(dir / "d.lathe").string();
  const std::string text = dir.write("prose.txt", test::tiny_prose(60)).string();

  std::string noisy() const {
    TinyDecoderOptions options;
    options.noise = 0.02f;
    return TinyDecoder(options).write(dir / "noisy.lathe").string();
  }
};

const Json& output(const Json& json, size_t index) { return json.at("outputs").items().at(index); }

}  // namespace

TEST_CASE("run continues a prompt, on standard output alone", "[cli][decoder]") {
  const Fixture f;
  const CommandResult text = run_compress("run " + quoted(f.file) + " -p 'the sun' -n 12 --threads 1");
  CHECK(text.code == 0);
  CHECK_THAT(text.out, EndsWith("\n"));
  CHECK_THAT(text.err, Contains("prompt tokens") && Contains("to the first token") && Contains("ended by"));
  CHECK(run_compress("run -q " + quoted(f.file) + " -p 'the sun' -n 12").err.empty());

  const Json json = json_of(run_compress("run --json -q " + quoted(f.file) + " -p 'the sun' -n 12"));
  CHECK(json.at("command").as_string() == "run");
  CHECK(output(json, 0).at("text").as_string() + "\n" == text.out);
  CHECK(output(json, 0).at("prompt_tokens").as_u64() == 5);  // "the", " ", "s", "u", "n"
  const uint64_t tokens = output(json, 0).at("tokens").as_u64();
  CHECK((tokens == 12) == (output(json, 0).at("stop").as_string() == "length"));
  CHECK(json.at("time_to_first_token_ms").as_f64() > 0);
  CHECK(json.at("cache_bytes").as_u64() > 0);
}

TEST_CASE("the prompt may come from a file or from standard input, whole or line by line", "[cli][decoder]") {
  const Fixture f;
  const std::string tail = " -q -n 6 " + quoted(f.file);
  const std::string expected = run_compress("run -p 'an ant\nran'" + tail).out;
  const std::string prompt = f.dir.write("prompt.txt", "an ant\nran\n").string();
  CHECK(run_compress("run -i " + quoted(prompt) + tail).out == expected);
  CHECK(run_compress("run" + tail + " < " + quoted(prompt)).out == expected);
  const CommandResult lines = run_compress("run --lines -i " + quoted(prompt) + tail);
  CHECK(lines.out == run_compress("run -p 'an ant' -p ran" + tail).out);
  CHECK(lines.out == run_compress("run -p 'an ant'" + tail).out + run_compress("run -p ran" + tail).out);
  const Json json = json_of(run_compress("run --json -p 'an ant' -p ran" + tail));
  CHECK(json.at("outputs").items().size() == 2);
}

TEST_CASE("drawing depends on the seed alone, and both kinds of cache are there", "[cli][decoder]") {
  const Fixture f;
  const std::string draw = "run -q -p hat -n 20 --temperature 1 --top-k 50 --top-p 0.9 " + quoted(f.file);
  const std::string first = run_compress(draw + " --seed 1 --threads 1").out;
  CHECK(run_compress(draw + " --seed 1 --threads 2").out == first);
  CHECK(run_compress(draw + " --seed 2").out != first);
  const auto cache_bytes = [&](const std::string& type) {
    const Json json = json_of(run_compress("run -q --json -p hat -n 20 --cache " + type + " " + quoted(f.file)));
    return json.at("cache_bytes").as_u64();
  };
  CHECK(cache_bytes("int8") < cache_bytes("f16"));
}

TEST_CASE("a stop text ends the output and is left out", "[cli][decoder]") {
  const Fixture f;
  const std::string draw = "run -q -p hat -n 40 --temperature 1 --seed 3 " + quoted(f.file);
  const std::string whole = output(json_of(run_compress(draw + " --json")), 0).at("text").as_string();
  // A piece of plain letters in the middle.
  const auto plain = [](char c) { return c > ' ' && c < 127 && c != '\''; };
  const auto at = std::adjacent_find(whole.begin(), whole.end(), [&](char a, char b) { return plain(a) && plain(b); });
  REQUIRE(at != whole.end());
  const std::string stop(at, at + 2);
  const Json json = json_of(run_compress(draw + " --json --stop " + quoted(stop)));
  CHECK(output(json, 0).at("text").as_string() == whole.substr(0, whole.find(stop)));
  CHECK(output(json, 0).at("stop").as_string() == "stop text");
  CHECK(output(json, 0).at("tokens").as_u64() < 40);
  CHECK(run_compress(draw + " --stop " + quoted(stop)).out == whole.substr(0, whole.find(stop)) + "\n");
}

TEST_CASE("a chat puts the prompt into the model's form", "[cli][decoder]") {
  const Fixture f;
  const auto prompt_tokens = [&](const std::string& options) {
    const Json json = json_of(run_compress("run -q --json -n 2 -p hat " + options + " " + quoted(f.file)));
    return output(json, 0).at("prompt_tokens").as_u64();
  };
  CHECK(prompt_tokens("") == 3);
  CHECK(prompt_tokens("--chat") > 10);
  CHECK(prompt_tokens("--chat --system 'the sun'") > prompt_tokens("--chat"));
  TinyDecoder plain;
  plain.tokenizer.chat = ChatForm::none;
  const std::string without = plain.write(f.dir / "plain.lathe").string();
  expect_failure("run --chat -p hat " + quoted(without), 69, {"chat"});
  expect_failure("run --system x -p hat " + quoted(f.file), 64, {"--system", "--chat"});
}

TEST_CASE("a chat template goes with the model and is run, on the prompt and the system's words",
          "[cli][decoder][chat]") {
  const Fixture f;
  TinyDecoder decoder;
  const std::filesystem::path folder = decoder.write_folder(f.dir);
  const std::string art = (f.dir / "t.lathe").string();
  const auto compressed = [&](const std::string& text, const std::string& options = "") {
    f.dir.write(folder.filename().string() + "/chat_template.jinja", text);
    return run_compress(quoted(folder.string()) + " --no-bench -q -o " + quoted(art) + " " + options);
  };
  const auto tokens = [&](const std::string& options) {
    return output(json_of(run_compress("run -q --json -n 1 " + options + " " + quoted(art))), 0)
        .at("prompt_tokens")
        .as_u64();
  };
  REQUIRE(compressed("{{ '<|im_end|>' }}{% for m in messages %}{{ m.role[0] + m.content }}{% endfor %}").code == 0);
  CHECK(tokens("--chat -p x") == 3);
  CHECK(tokens("--chat -p x --system y") == 5);
  CHECK(tokens("--chat -p '<|im_end|>'") == 3);  // as in transformers
  CHECK(run_compress("verify -q " + quoted(art)).code == 0);

  expect_failure(quoted(folder.string()) + " --no-bench -q -o " + quoted(art) + " --chat-template " +
                     quoted(f.dir.write("bad.jinja", "a\n{% include 'b' %}").string()),
                 69, {"chat template: line 2", "the tag 'include'"});
  REQUIRE(compressed("{{ raise_exception('not ' ~ messages[0].content) }}").code == 0);
  expect_failure("run --chat -p you " + quoted(art), 64, {"the chat template says: not you"});
  REQUIRE(compressed("{{ nothing.here }}").code == 0);
  expect_failure("run --chat -p you " + quoted(art), 65, {"line 1: 'nothing' is undefined"});
  f.dir.write(folder.filename().string() + "/chat_template.jinja", "{% weird %}");
  const std::string to_art = quoted(folder.string()) + " --no-bench -q -o " + quoted(art);
  expect_failure(to_art, 69, {"line 1: the tag 'weird'", "--chat-template"});
  REQUIRE(run_compress(to_art + " --chat-template none").code == 0);
  expect_failure("run --chat -p you " + quoted(art), 69, {"no chat template"});
  REQUIRE(run_compress(to_art + " --chat-template " + quoted(f.dir.write("own.jinja", "{{ eos_token }}ab").string()))
              .code == 0);
  CHECK(tokens("--chat -p you") == 3);
}

TEST_CASE("special tokens that a prompt spells out are tokens, or text where that is asked for", "[cli][decoder]") {
  const Fixture f;
  const auto tokens = [&](const std::string& options) {
    return output(json_of(run_compress("run -q --json -n 1 " + options + " " + quoted(f.file))), 0)
        .at("prompt_tokens")
        .as_u64();
  };
  CHECK(tokens("-p 'x<|im_end|>y'") == 3);
  CHECK(tokens("-p 'x<|im_end|>y' --special tokens") == 3);
  CHECK(tokens("-p 'x<|im_end|>y' --special text") == 12);
  CHECK(tokens("--lines -i " + quoted(f.dir.write("lines.txt", "<|im_end|>\n").string())) == 1);
  expect_failure("run -p x --chat --special text " + quoted(f.file), 64, {"--special", "--chat"});
  expect_failure("run -p x --special all " + quoted(f.file), 64, {"--special", "tokens", "text"});
}

TEST_CASE("options of the other kind of model are refused by name", "[cli][decoder]") {
  const Fixture f;
  const std::string encoder = test::write_tiny(f.dir / "encoder.lathe").string();
  expect_failure("run " + quoted(f.file) + " -t hat", 64, {"--text", "d.lathe", "--prompt"});
  expect_failure("run " + quoted(f.file) + " -p hat --format tsv", 64, {"--format", "embed or classify"});
  expect_failure("run " + quoted(encoder) + " -p hat", 64, {"--prompt", "encoder.lathe", "generate"});
  expect_failure("run " + quoted(encoder) + " -t hat -n 3", 64, {"--tokens"});
  expect_failure("run " + quoted(f.file) + " -p hat -i x", 64, {"--prompt", "--input"});
  expect_failure("run " + quoted(f.file) + " -p hat --top-p 1.5", 64, {"top-p", "1.5"});
  expect_failure("run " + quoted(f.file) + " -p hat --stop ''", 64, {"--stop", "empty"});
  expect_failure("bench " + quoted(f.file) + " --length 8", 64, {"--length"});
  expect_failure("bench " + quoted(encoder) + " --prompt 8", 64, {"--prompt"});
  expect_failure("bench " + quoted(encoder) + " " + quoted(f.file), 64, {"generate"});
  expect_failure("eval " + quoted(encoder) + " -e lm:" + quoted(f.text), 64, {"lm:", "encoder.lathe", "generation"});
  expect_failure("eval " + quoted(f.file) + " -e sts:" + quoted(f.text), 64, {"sts:", "d.lathe"});
  expect_failure("eval " + quoted(f.file) + " -e lm:" + quoted(f.text) + " --first 3", 64, {"--first", "--windows"});
  expect_failure("eval " + quoted(f.file) + " -e lm:" + quoted(f.text) + " --context 129", 64, {"129", "128"});
}

TEST_CASE("a prompt must leave room in what the model was made for", "[cli][decoder]") {
  const Fixture f;
  expect_failure("run " + quoted(f.file) + " -p " + quoted(std::string(130, 'x')), 64, {"130 tokens", "128"});
  const Json json =
      json_of(run_compress("run -q --json -n 50 -p " + quoted(std::string(120, 'x')) + " " + quoted(f.file)));
  CHECK(output(json, 0).at("tokens").as_u64() <= 8);
}

TEST_CASE("eval gives perplexity with its error, and against another model how predictions differ", "[cli][decoder]") {
  const Fixture f;
  const std::string common = " --eval lm:" + quoted(f.text) + " --context 40 --windows 6 " + quoted(f.file);
  const Json alone = json_of(run_compress("eval --json" + common));
  const Json& task = alone.at("task");
  CHECK(task.at("task").as_string() == "lm");
  CHECK(task.at("tokens").as_u64() == 6 * 39);
  CHECK(task.at("windows").as_u64() == 6);
  CHECK(task.at("context").as_u64() == 40);
  CHECK(task.at("perplexity").as_f64() > 100);
  CHECK(task.at("perplexity_error").as_f64() > 0);

  const std::string noisy = f.noisy();
  const Json both = json_of(run_compress("eval --json --against " + quoted(noisy) + common));
  CHECK(both.at("task").at("perplexity").as_f64() == task.at("perplexity").as_f64());
  const Json& predictions = both.at("predictions");
  CHECK(predictions.at("mean_kl").as_f64() > 0);
  CHECK(predictions.at("same_top").as_f64() > 0.5);
  CHECK(std::exp(predictions.at("log_perplexity_ratio").as_f64()) ==
        Approx(task.at("perplexity").as_f64() / predictions.at("perplexity").as_f64()));
  const Json itself = json_of(run_compress("eval --json --against " + quoted(f.file) + common)).at("predictions");
  CHECK(itself.at("mean_kl").as_f64() == 0);
  CHECK(itself.at("same_top").as_f64() == 1);
  const CommandResult text = run_compress("eval --against " + quoted(noisy) + common);
  CHECK_THAT(text.out, Contains("Perplexity") && Contains("+-") && Contains("mean KL") && Contains("same token"));

  TinyDecoder other;
  other.tokenizer.merges.pop_back();
  expect_failure("eval --against " + quoted(other.write(f.dir / "other.lathe").string()) + common, 64, {"tokenizers"});
}

TEST_CASE("bench measures prompts and tokens one by one", "[cli][decoder]") {
  const Fixture f;
  const Json json = json_of(run_compress("bench --json -q --runs 2 --threads 1 --prompt 8,16 --generate 4 --depth 3 " +
                                         quoted(f.file) + " " + quoted(f.noisy())));
  REQUIRE(json.at("models").items().size() == 2);
  for (const Json& model : json.at("models").items()) {
    const auto& cases = model.at("cases").items();
    REQUIRE(cases.size() == 3);
    CHECK(cases[0].at("case").as_string() == "pp8@3");
    CHECK(cases[1].at("case").as_string() == "pp16@3");
    CHECK(cases[2].at("case").as_string() == "tg4@3");
    CHECK(cases[1].at("time_to_first_token_ms").as_f64() == cases[1].at("p50_ms").as_f64());
    CHECK(cases[2].at("tokens_per_second").as_f64() == Approx(4000 / cases[2].at("p50_ms").as_f64()));
    CHECK(cases[2].at("depth").as_u64() == 3);
    CHECK(cases[2].at("cache").as_string() == "f16");
    CHECK(cases[2].at("cache_bytes").as_u64() > 0);
    CHECK(model.at("peak_memory_bytes").as_u64() > 0);
  }
  const Json standard = json_of(run_compress("bench --json -q --runs 1 " + quoted(f.file)));
  const auto& cases = standard.at("models").items().at(0).at("cases").items();
  REQUIRE(cases.size() == 2);  // a prompt of 512 is more than the model was made for
  CHECK(cases[0].at("case").as_string() == "pp128");
  CHECK(cases[1].at("case").as_string() == "tg64");
  const Json small = json_of(run_compress("bench --json -q --runs 1 --prompt 0 --cache int8 " + quoted(f.file)));
  const Json& int8 = small.at("models").items().at(0).at("cases").items().at(0);
  CHECK(int8.at("cache").as_string() == "int8");
  CHECK(int8.at("cache_bytes").as_u64() < cases[1].at("cache_bytes").as_u64());
  CHECK_THAT(run_compress("bench -q --runs 1 " + quoted(f.file)).out,
             Contains("pp128") && Contains("tg64") && Contains("time to the first token"));
  expect_failure("bench --prompt 0 --generate 0 " + quoted(f.file), 64, {"nothing to measure"});
}

TEST_CASE("compare and inspect know decoders", "[cli][decoder]") {
  const Fixture f;
  const Json json =
      json_of(run_compress("compare -q --json --runs 1 --prompt 16 --generate 8 --context 32 --windows 3 -e lm:" +
                           quoted(f.text) + " " + quoted(f.file) + " " + quoted(f.noisy())));
  const Json& second = json.at("models").items().at(1);
  CHECK(second.at("task").at("tokens").as_u64() == 3 * 31);
  CHECK(second.at("predictions").at("mean_kl").as_f64() > 0);
  CHECK(second.at("speed").items().at(0).at("case").as_string() == "pp16");
  CHECK(second.at("peak_memory_bytes").as_u64() > 0);
  const Json inspected = json_of(run_compress("inspect --json " + quoted(f.file)));
  CHECK(inspected.at("task").at("kind").as_string() == "generation");
  CHECK(inspected.at("task").at("context").as_string() == "128");
  CHECK(inspected.at("sizes").at("head").as_u64() == 265 * 32 * 4);
  CHECK(inspected.at("ops").at("rope").as_u64() == 4);
}

TEST_CASE("a decoder is compressed, proved and bounded in one command", "[cli][decoder]") {
  const Fixture f;
  const std::string folder = TinyDecoder().write_folder(f.dir).string();
  const std::string out = (f.dir / "small.lathe").string();
  const std::string calibration = f.dir.write("calibration.txt", test::tiny_prose(300)).string();
  const std::string common = quoted(folder) + " --quant int8 --calibrate " + quoted(calibration) +
                             " --calibration-tokens 512 --no-bench -q --eval lm:" + quoted(f.text) +
                             " --context 32 --windows 5 -o " + quoted(out);
  const Json report = json_of(run_compress(common + " --json --max-drop 0.5"));
  const Json& model = report.at("models").items().at(1);
  CHECK(model.at("task").at("perplexity").as_f64() > 100);
  CHECK(model.at("predictions").at("mean_kl").as_f64() < 0.05);
  CHECK(report.at("gates").items().at(0).at("unit").as_string() == "of the perplexity");
  CHECK_THAT(report.at("calibration").as_string(), Contains("windows of 128 tokens of calibration.txt"));
  const std::string text =
      output(json_of(run_compress("run -q --json -p 'the sun' -n 8 " + quoted(out))), 0).at("text").as_string();
  CHECK_FALSE(text.empty());
  expect_failure(common + " --first 3", 64, {"--first"});
}

TEST_CASE("SIGINT ends generation after the token at hand", "[cli][decoder]") {
  TinyDecoderOptions options;
  options.context = 1'000'000;
  TinyDecoder decoder(options);
  decoder.tokenizer.stop_ids.clear();
  const TempDir dir;
  const std::string file = decoder.write(dir / "d.lathe").string();
  test::Pipe in, out;
  const pid_t child =
      test::start({"run", file, "-p", "hat", "-n", "900000", "--threads", "1"}, dir, in.reader->fd, out.writer->fd);
  out.writer->close();
  char first = 0;
  REQUIRE(::read(out.reader->fd, &first, 1) == 1);  // it has begun
  ::kill(child, SIGINT);
  char rest[4096];
  char last = 0;
  for (ssize_t count; (count = ::read(out.reader->fd, rest, sizeof rest)) > 0;) last = rest[count - 1];
  CHECK(test::exit_status(child) == 130);
  CHECK(last == '\n');
  CHECK_THAT(test::read_text(dir / "err"), Contains("stopped"));
}

}  // namespace lathe
