// Any text as tokenizer.json and as vocab.txt: an error, or a specification whose ids are all in its
// vocabulary.

#include <cstdlib>

#include "formats/artifact/error.h"
#include "formats/huggingface/hf_tokenizer.h"

namespace {

template <class Read>
void check(Read read) {
  using namespace lathe;
  try {
    const TokenizerSpec spec = read();
    const size_t size = spec.vocabulary.size();
    const auto in_range = [&](uint32_t id) {
      return id < size || (id == kNoToken && spec.kind == TokenizerKind::byte_bpe);
    };
    if (!in_range(spec.unknown_id) || !in_range(spec.begin_id) || !in_range(spec.end_id)) std::abort();
    if (spec.pad_id >= size || (spec.add_begin && spec.begin_id >= size)) std::abort();
    for (const BpeMerge& merge : spec.merges) {
      if (spec.vocabulary[merge.result] != spec.vocabulary[merge.left] + spec.vocabulary[merge.right]) std::abort();
    }
    for (const AddedToken& token : spec.added_tokens) {
      if (token.id >= size || spec.vocabulary[token.id] != token.content) std::abort();
    }
  } catch (const Error& error) {
    if (error.code() == Errc::internal) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check([&] { return lathe::parse_tokenizer_json(text, "fuzz.json"); });
  check([&] { return lathe::parse_vocab_txt(text, "fuzz.txt"); });
  return 0;
}
