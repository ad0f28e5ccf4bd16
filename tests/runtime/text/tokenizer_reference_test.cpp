// What Hugging Face `tokenizers` returned for the vocabulary of all-MiniLM-L6-v2
// (experiments/references/record_tokenizer_ids.py).

#include <catch2/catch.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "formats/huggingface/hf_tokenizer.h"
#include "runtime/text/tokenizer.h"
#include "tests/runtime/text/tokenizer_data.h"

namespace lathe {
namespace {

using test::count_and_hash;
using test::fetched_data;
using test::unescaped;

/// Absent, with a warning that says why, where the data have not been fetched.
std::optional<Tokenizer> minilm_tokenizer() {
  const std::filesystem::path folder = fetched_data() / "minilm";
  if (fetched_data().empty() || !std::filesystem::exists(folder / "tokenizer.json")) {
    WARN("skipped: LATHE_TEST_DATA does not name a folder with minilm/tokenizer.json (experiments/data/fetch.py)");
    return std::nullopt;
  }
  return Tokenizer(read_hf_tokenizer(folder));
}

std::string joined(const std::vector<int32_t>& ids) {
  std::string out;
  for (const int32_t id : ids) out += (out.empty() ? "" : " ") + std::to_string(id);
  return out;
}

TEST_CASE("hard cases get the ids of Hugging Face tokenizers", "[text][data]") {
  const auto tokenizer = minilm_tokenizer();
  if (!tokenizer) return;
  const std::vector<std::string> lines = test::read_lines(test::recorded("cases.tsv"));
  CHECK(lines.size() >= 250);
  for (const std::string& line : lines) {
    const std::vector<std::string> fields = test::split(line, '\t');
    REQUIRE(fields.size() == 4);
    INFO(fields[0] << ": " << fields[2].substr(0, 200));
    const size_t max_length = fields[1] == "-" ? Tokenizer::kNoLimit : std::stoul(fields[1]);
    CHECK(joined(tokenizer->encode(unescaped(fields[2]), max_length)) == fields[3]);
  }
}

TEST_CASE("every line of whole texts gets the ids of Hugging Face tokenizers", "[text][data]") {
  const auto tokenizer = minilm_tokenizer();
  if (!tokenizer) return;
  for (const std::string text : {"lee/lee", "lee/background", "wikipedia/calibrate", "wikipedia/evaluate"}) {
    const std::filesystem::path file = fetched_data() / (text + ".txt");
    if (!std::filesystem::exists(file)) {
      WARN("skipped: " << file.string() << " does not exist (experiments/data/fetch.py)");
      continue;
    }
    const std::vector<std::string> lines = test::read_lines(file);
    const std::vector<std::string> expected =
        test::read_lines(test::recorded(text.substr(text.find('/') + 1) + ".ids"));
    REQUIRE(lines.size() == expected.size());
    for (size_t i = 0; i < lines.size(); ++i) {
      const std::string actual = count_and_hash(tokenizer->encode(lines[i], Tokenizer::kNoLimit));
      if (actual == expected[i]) continue;
      FAIL_CHECK(file.string() << " line " << i + 1 << ": " << actual << ", recorded " << expected[i]);
    }
  }
}

TEST_CASE("the vocabulary is stored in fewer bytes than as text", "[text][data]") {
  const auto tokenizer = minilm_tokenizer();
  if (!tokenizer) return;
  const std::vector<std::byte> bytes = encode_tokenizer(tokenizer->spec());
  constexpr size_t kVocabTxt = 231508;
  CHECK(bytes.size() < kVocabTxt * 95 / 100);
  CHECK(decode_tokenizer(bytes, "x.lathe") == tokenizer->spec());
}

}  // namespace
}  // namespace lathe
