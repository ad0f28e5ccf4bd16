// The tokenizer section of an artifact, and any bytes as text.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/artifact/error.h"
#include "formats/artifact/tokenizer/tokenizer_spec.h"
#include "runtime/text/stream_decoder.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/unicode/utf8.h"

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
    if (spec.kind != lathe::TokenizerKind::none) {
      const Tokenizer tokenizer(spec);
      tokenizer.decode(tokenizer.encode("[CLS] caf\xC3\xA9 unaffable!"));
    }
  } catch (const lathe::Error&) {
  }
}

/// Byte b is token b; a few merges.
TokenizerSpec fixed_bpe(uint8_t flags) {
  TokenizerSpec spec;
  spec.kind = lathe::TokenizerKind::byte_bpe;
  char32_t next = 256;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    lathe::text::append_utf8(printable ? byte : next++, spec.vocabulary.emplace_back());
  }
  constexpr std::pair<uint32_t, uint32_t> kPairs[] = {{'a', 'b'}, {'b', 'a'}, {' ', 'a'}, {'\n', '\n'}, {256, 256}};
  for (const auto& [left, right] : kPairs) {
    spec.merges.push_back({left, right, static_cast<uint32_t>(spec.vocabulary.size())});
    spec.vocabulary.push_back(spec.vocabulary[left] + spec.vocabulary[right]);
  }
  spec.added_tokens = {{.id = static_cast<uint32_t>(spec.vocabulary.size()), .content = "<x>"}};
  spec.vocabulary.emplace_back("<x>");
  spec.unknown_id = spec.begin_id = spec.end_id = lathe::kNoToken;
  spec.split = static_cast<lathe::BpeSplit>(flags % 5);
  spec.nfc = (flags & 32) != 0;
  spec.add_prefix_space = (flags & 64) != 0;
  spec.ignore_merges = (flags & 128) != 0;
  return spec;
}

/// The text comes back, whole and as a stream, where no step changes it.
void round_trip(uint8_t flags, std::string_view text) {
  const Tokenizer tokenizer(fixed_bpe(flags));
  const std::string valid = lathe::text::valid_utf8(text);
  const auto ids = tokenizer.encode_plain(text);
  if (!tokenizer.spec().nfc && !tokenizer.spec().add_prefix_space && tokenizer.decode(ids) != valid) std::abort();
  lathe::StreamDecoder stream(tokenizer);
  std::string streamed;
  for (const int32_t id : ids) streamed += stream.push(id);
  if (streamed + stream.flush() != tokenizer.decode(ids)) std::abort();
  // Any bytes as ids: what is streamed is what is decoded, with U+FFFD for what is not UTF-8.
  std::string as_ids;
  std::vector<int32_t> bytes;
  for (const char c : text) {
    bytes.push_back(static_cast<uint8_t>(c));
    as_ids += stream.push(bytes.back());
  }
  if (as_ids + stream.flush() != lathe::text::valid_utf8(tokenizer.decode(bytes))) std::abort();
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
  if (size > 0) round_trip(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
