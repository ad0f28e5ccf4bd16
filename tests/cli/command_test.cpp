// The command as its users meet it: exit codes, standard output and standard error.

#include "tests/cli/command.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "compress/evaluation/fidelity.h"
#include "compress/evaluation/sts.h"
#include "compress/facts/facts_json.h"
#include "formats/artifact/artifact.h"
#include "formats/json.h"
#include "runtime/executor.h"
#include "tests/cli/checks.h"
#include "tests/support/tiny_artifact.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using test::CommandResult;
using test::expect_failure;
using test::json_of;
using test::quoted;
using test::run_compress;
using test::TempDir;
using test::TinyOptions;
using test::write_tiny;

constexpr const char* kSts =
    "the cat sat on the mat\ta cat sat on a mat\t4.5\nthe sun is bright\tthe dog ran\t0.5\n"
    "the moon is bright\tthe sun is bright\t3\nthe dog ran\ta dog ran\t5\n";

// Artifacts and data that most commands need.
struct Fixture {
  TempDir dir;
  std::string original = write_tiny(dir / "original.lathe").string();
  std::string small = write_tiny(dir / "small.lathe", int8_options()).string();
  std::string sts = dir.write("sts.tsv", kSts).string();

  static TinyOptions int8_options() {
    TinyOptions options;
    options.int8 = true;
    return options;
  }
};

CommandResult succeed(const std::string& arguments, const std::string& before = "") {
  const CommandResult result = run_compress(arguments, before);
  INFO("compress " << arguments << "\nstderr: " << result.err);
  CHECK(result.code == 0);
  return result;
}

std::vector<float> read_floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

}  // namespace

TEST_CASE("help and version go to standard output", "[cli]") {
  CHECK_THAT(succeed("--version").out, Catch::Matchers::Matches("lathe [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  const std::string help = succeed("--help").out;
  for (const char* command : {"inspect", "run", "eval", "bench", "compare", "verify", "train"}) {
    CHECK_THAT(help, Contains(std::string("compress ") + command));
    const CommandResult own = succeed(std::string(command) + " --help");
    CHECK_THAT(own.out, StartsWith(std::string("Usage: compress ") + command));
    CHECK(own.err.empty());
  }
}

TEST_CASE("wrong usage is exit code 64 with a hint", "[cli]") {
  expect_failure("", 64, {"compress --help"});
  expect_failure("insepct x.lathe", 64, {"did you mean 'inspect'"});
  expect_failure("bench --jsno x", 64, {"did you mean '--json'"});
  expect_failure("verify", 64, {"expected FILE"});
  expect_failure("eval x.lathe", 64, {"--eval or --against"});
  expect_failure("eval x.lathe --eval nli:x", 64, {"nli:x"});
  expect_failure("run x.lathe --text a --input b", 64, {"cannot be given together"});
}

TEST_CASE("each kind of bad input has its exit code and names the file", "[cli]") {
  const Fixture f;
  expect_failure("inspect " + quoted(f.dir / "absent.lathe"), 66, {"absent.lathe"});
  const std::string damaged = f.dir.write("bad.lathe", test::read_text(f.original).substr(0, 1000)).string();
  expect_failure("inspect " + quoted(damaged), 65, {"bad.lathe"});
  expect_failure("bench " + quoted(damaged), 65, {"bad.lathe"});
  expect_failure("eval " + quoted(f.original) + " --eval sts:" + quoted(f.dir / "absent.tsv"), 66, {"absent.tsv"});
  expect_failure("run " + quoted(f.original) + " --text a -o " + quoted(f.dir / "no" / "x.tsv"), 73, {"x.tsv"});
  TinyOptions options;
  options.tokenizer = false;
  const std::string mute = write_tiny(f.dir / "mute.lathe", options).string();
  expect_failure("run " + quoted(mute) + " --text a", 69, {"tokenizer"});
}

TEST_CASE("with --json an error is also one object on standard output", "[cli]") {
  const CommandResult result = run_compress("inspect --json /nowhere/x.lathe");
  CHECK(result.code == 66);
  CHECK_THAT(result.err, Contains("/nowhere/x.lathe"));
  const Json error = json_of(result, result.code).at("error");
  CHECK(error.at("code").as_u64() == 66);
  CHECK(error.at("kind").as_string() == "no_input");
  CHECK_THAT(error.at("message").as_string(), Contains("/nowhere/x.lathe"));
}

TEST_CASE("inspect shows task, program, encodings and kernels", "[cli]") {
  const Fixture f;
  const std::string text = succeed("inspect --tensors " + quoted(f.small)).out;
  for (const char* part : {"sentence-embedding", "layer_norm", "int8", "up.weight", "bits per weight", "Recipe"}) {
    CHECK_THAT(text, Contains(part));
  }
  const Json json = json_of(succeed("inspect --json --tensors " + quoted(f.small)));
  CHECK(json.at("schema").as_u64() == kJsonSchema);
  CHECK(json.at("bytes").as_u64() == std::filesystem::file_size(f.small));
  CHECK(json.at("task").at("kind").as_string() == "sentence-embedding");
  CHECK(json.at("ops").at("linear").as_u64() == 6);
  CHECK(json.at("tensors").items().size() == 18);
  CHECK(json.at("recipe").at("quant").as_string() == "f32");
  CHECK(json_of(succeed("inspect --json " + quoted(f.small))).find("tensors") == nullptr);
}

TEST_CASE("the kernels that inspect names follow LATHE_ISA", "[cli]") {
  const Fixture f;
  const Json json = json_of(succeed("inspect --json " + quoted(f.small), "LATHE_ISA=generic"));
  CHECK(json.at("isa").as_string() == "generic");
  const CommandResult unknown = run_compress("inspect " + quoted(f.small), "LATHE_ISA=z80");
  CHECK(unknown.code == 64);
  CHECK_THAT(unknown.err, Contains("z80"));
  CHECK(run_compress("--version", "LATHE_ISA=z80").code == 0);
}

TEST_CASE("run writes the same rows in every format, from every source of lines", "[cli]") {
  const Fixture f;
  const std::string lines = f.dir.write("lines.txt", "the cat sat\r\n\nthe sun is bright").string();
  const std::string model = quoted(f.original);
  const std::string input = quoted(lines);
  const std::vector<float> floats = read_floats(succeed("run " + model + " -f f32 --input " + input).out);
  REQUIRE(floats.size() == 3 * 32);  // an empty line is a text too

  const Json json = json_of(succeed("run " + model + " --json < " + input));
  CHECK(json.at("texts").as_u64() == 3);
  CHECK(json.at("dimension").as_u64() == 32);
  REQUIRE(json.at("embeddings").items().size() == 3);
  CHECK(static_cast<float>(json.at("embeddings").items()[2].items()[31].as_f64()) == floats[95]);

  succeed("run " + model + " --text 'the cat sat' --text '' --text 'the sun is bright' -o " +
          quoted(f.dir / "rows.tsv"));
  std::istringstream rows(test::read_text(f.dir / "rows.tsv"));
  for (size_t i = 0; i < floats.size(); ++i) {
    float value = 0;
    REQUIRE(rows >> value);
    REQUIRE(value == floats[i]);
  }
}

TEST_CASE("run of no lines gives no rows", "[cli]") {
  const Fixture f;
  CHECK(succeed("run " + quoted(f.original) + " < /dev/null").out.empty());
  CHECK(json_of(succeed("run --json " + quoted(f.original) + " < /dev/null")).at("embeddings").items().empty());
}

TEST_CASE("more lines than one write takes come out in order", "[cli]") {
  const Fixture f;
  std::string text;
  for (int i = 0; i < 2100; ++i) text += i % 3 == 0 ? "the cat\n" : i % 3 == 1 ? "a dog ran on the mat\n" : "sun\n";
  const std::string lines = f.dir.write("lines.txt", text).string();
  const auto rows = read_floats(succeed("run " + quoted(f.original) + " -f f32 -i " + quoted(lines)).out);
  REQUIRE(rows.size() == 2100 * 32);
  for (size_t i = 3; i < 2100; ++i) REQUIRE(std::memcmp(&rows[i * 32], &rows[(i - 3) * 32], 32 * sizeof(float)) == 0);
  CHECK(std::memcmp(&rows[0], &rows[32], 32 * sizeof(float)) != 0);
}

TEST_CASE("eval gives accuracy, and fidelity that is perfect against the model itself", "[cli]") {
  const Fixture f;
  const Json json = json_of(
      succeed("eval --json " + quoted(f.small) + " --eval sts:" + quoted(f.sts) + " --against " + quoted(f.original)));
  CHECK(json.at("task").at("pairs").as_u64() == 4);
  CHECK(std::abs(json.at("task").at("pearson").as_f64()) <= 1);
  CHECK(json.at("fidelity").at("texts").as_u64() == 6);
  CHECK(json.at("fidelity").at("mean_cosine").as_f64() > 0.99);
  CHECK(json.at("fidelity").at("mean_cosine").as_f64() < 1);
  const Json same = json_of(succeed("eval --json " + quoted(f.small) + " --texts " + quoted(f.sts) +
                                    " --first 2 --against " + quoted(f.small)));
  CHECK(same.at("fidelity").at("texts").as_u64() == 2);
  CHECK(same.at("fidelity").at("minimum_cosine").as_f64() == Approx(1));
  CHECK_THAT(succeed("eval " + quoted(f.small) + " -e sts:" + quoted(f.sts)).out, Contains("Spearman"));
}

TEST_CASE("eval refuses to compare vectors of different width", "[cli]") {
  const Fixture f;
  TinyOptions options;
  options.hidden = 16;
  const std::string narrow = write_tiny(f.dir / "narrow.lathe", options).string();
  expect_failure("eval " + quoted(f.small) + " --texts " + quoted(f.sts) + " --against " + quoted(narrow), 64, {"16"});
}

TEST_CASE("bench has a case for each combination, and measures memory in its own process", "[cli]") {
  const Fixture f;
  const Json json = json_of(succeed("bench --json --runs 3 --batch 1,2 --length 4,8 --threads 1 " + quoted(f.original) +
                                    " " + quoted(f.small)));
  REQUIRE(json.at("models").items().size() == 2);
  for (const Json& model : json.at("models").items()) {
    CHECK(model.at("load_ms").as_f64() > 0);
    CHECK(model.at("peak_memory_bytes").as_u64() > 1'000'000);
    CHECK(model.at("peak_memory_bytes").as_u64() < 1'000'000'000);
    REQUIRE(model.at("cases").items().size() == 4);
    const Json& last = model.at("cases").items()[3];
    CHECK(last.at("batch").as_u64() == 2);
    CHECK(last.at("length").as_u64() == 8);
    CHECK(last.at("runs").as_u64() == 3);
    CHECK(last.at("p50_ms").as_f64() > 0);
  }
  CHECK_THAT(succeed("bench --runs 2 --batch 1 " + quoted(f.original)).out, Contains("tokens/s"));
  expect_failure("bench --runs 1 --length 33 " + quoted(f.original), 64, {"33"});
}

TEST_CASE("compare writes its report in three forms", "[cli]") {
  const Fixture f;
  const auto folder = f.dir / "new" / "report";
  const CommandResult result =
      succeed("compare " + quoted(f.original) + " " + quoted(f.small) +
              " --runs 2 --batch 1 --eval sts:" + quoted(f.sts) + " --json --report " + quoted(folder));
  const Json json = json_of(result);
  CHECK(json.at("schema").as_u64() == kJsonSchema);
  CHECK(json.at("models").items().size() == 2);
  CHECK(test::read_text(folder / "report.json") == result.out);
  CHECK_THAT(test::read_text(folder / "report.html"), Contains("<svg"));
  CHECK_THAT(test::read_text(folder / "report.md"), Contains("small"));
  CHECK_THAT(succeed("compare --no-speed " + quoted(f.original) + " " + quoted(f.small)).out, Contains("small"));
  expect_failure("compare " + quoted(f.original), 64, {"A B"});
}

TEST_CASE("verify passes an intact file and lists each fault of a damaged one", "[cli]") {
  const Fixture f;
  CHECK_THAT(succeed("verify " + quoted(f.original)).out, Contains("intact"));
  CHECK(json_of(succeed("verify --json " + quoted(f.original))).at("intact").as_bool());
  std::string bytes = test::read_text(f.small);
  const Artifact artifact = Artifact::open(f.small);
  const auto offset_of = [&](const std::string& tensor) {
    return artifact.tensor(tensor).tensor.planes[0].data() - artifact.file().bytes().data();
  };
  for (const char* tensor : {"up.weight", "down.weight"}) bytes[static_cast<size_t>(offset_of(tensor))] ^= 1;
  const std::string damaged = f.dir.write("damaged.lathe", bytes).string();
  const CommandResult result = run_compress("verify " + quoted(damaged));
  CHECK(result.code == 65);
  CHECK_THAT(result.out, Contains("up.weight") && Contains("down.weight"));
  CHECK_THAT(result.err, Contains("2 faults"));
  const CommandResult quiet = run_compress("verify --quiet " + quoted(damaged));
  CHECK(quiet.code == 65);
  CHECK(quiet.out.empty());
  CHECK(json_of(run_compress("verify --json " + quoted(damaged)), 65).at("faults").items().size() == 2);
}

TEST_CASE("a device that is not there is an error of every command that could use it, before any work", "[cli]") {
  if (choose_device(DeviceChoice::automatic) == Device::cuda) return;  // this machine has one
  const test::TempDir dir;
  const std::string file = test::write_tiny(dir / "m.lathe").string();
  const std::string out = (dir / "out.lathe").string();
  for (const std::string& command :
       {"run " + file + " --text a", "bench " + file + " --runs 1",
        "eval " + file + " --against " + file + " --texts " + file, "compare " + file + " " + file + " --no-speed"}) {
    const auto result = test::run_compress(command + " --device cuda");
    INFO(command << result.err);
    CHECK(result.code == 69);
    CHECK(result.out.empty());
  }
  const auto result = test::run_compress("run " + file + " --text a --device auto");
  CHECK(result.code == 0);
  CHECK(test::run_compress("run " + file + " --text a --device gpu").code == 64);
}

}  // namespace lathe
