// The tokenizer section of an artifact, and any bytes as text.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "formats/artifact/error.h"
#include "formats/artifact/tokenizer_spec.h"
#include "runtime/text/tokenizer.h"

namespace {

using lathe::Tokenizer;
using lathe::TokenizerSpec;

TokenizerSpec fixed_spec(uint8_t flags) {
  TokenizerSpec spec;
  spec.kind = lathe::TokenizerKind::wordpiece;
  spec.vocabulary = {"[PAD]", "[UNK]", "[CLS]",    "[SEP]",      "a",   "##a",
                     "ab",    "##ba",  "\xC3\xA9", "##\xCC\x81", "<x>", "Y"};
  spec.unknown_id = 1;
  spec.begin_id = 2;
  spec.end_id = 3;
  spec.clean_text = (flags & 1) != 0;
  spec.split_chinese = (flags & 2) != 0;
  spec.strip_accents = (flags & 4) != 0;
  spec.lowercase = (flags & 8) != 0;
  spec.added_tokens = {{.id = 2, .content = "[CLS]"},
                       {.id = 10, .content = "<x>", .single_word = true, .lstrip = true, .rstrip = true},
                       {.id = 11, .content = "Y", .normalized = true}};
  return spec;
}

void decode_section(lathe::Bytes bytes) {
  try {
    const TokenizerSpec spec = lathe::decode_tokenizer(bytes, "fuzz");
    if (lathe::decode_tokenizer(lathe::encode_tokenizer(spec), "again") != spec) std::abort();
    if (spec.kind != lathe::TokenizerKind::none) Tokenizer(spec).encode("[CLS] caf\xC3\xA9 unaffable!");
  } catch (const lathe::Error&) {
  }
}

void encode_text(uint8_t flags, std::string_view text) {
  const Tokenizer tokenizer(fixed_spec(flags));
  const auto all = tokenizer.encode(text, Tokenizer::kNoLimit);
  for (const int32_t id : all) {
    if (id < 0 || static_cast<size_t>(id) >= tokenizer.vocabulary_size()) std::abort();
  }
  // A cut text gives the same beginning.
  const auto cut = tokenizer.encode(text, 5);
  if (cut.size() > 5 || !std::equal(cut.begin(), cut.end() - 1, all.begin())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const lathe::Bytes bytes(reinterpret_cast<const std::byte*>(data), size);
  decode_section(bytes);
  if (size > 0) encode_text(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
