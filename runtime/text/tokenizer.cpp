#include "runtime/text/tokenizer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "formats/artifact/error.h"

namespace lathe {
namespace {

constexpr size_t kTemplateTokens = 2;  // [CLS] and [SEP]

text::NormalizerOptions normalizer_of(const TokenizerSpec& spec) {
  return {spec.clean_text, spec.split_chinese, spec.strip_accents, spec.lowercase};
}

std::vector<AddedToken> raw_tokens_of(const TokenizerSpec& spec) {
  std::vector<AddedToken> tokens = spec.added_tokens;
  std::erase_if(tokens, [](const AddedToken& token) { return token.normalized; });
  return tokens;
}

/// With the content as it looks in normalized text.
std::vector<AddedToken> normalized_tokens_of(const TokenizerSpec& spec) {
  std::vector<AddedToken> tokens = spec.added_tokens;
  std::erase_if(tokens, [](const AddedToken& token) { return !token.normalized; });
  for (AddedToken& token : tokens) {
    std::string content;
    text::normalize(token.content, normalizer_of(spec), content);
    token.content = std::move(content);
  }
  return tokens;
}

/// Tokens that were added behind the vocabulary that the model was trained with are no pieces of words. Special tokens
/// of that vocabulary may be counted among them, which changes nothing: brackets are never part of a word.
size_t piece_count_of(const TokenizerSpec& spec) {
  std::vector<bool> added(spec.vocabulary.size());
  for (const AddedToken& token : spec.added_tokens) added[token.id] = true;
  size_t count = added.size();
  while (count > 0 && added[count - 1]) --count;
  return count;
}

TokenizerSpec checked(TokenizerSpec spec) {
  if (spec.kind != TokenizerKind::wordpiece) {
    fail(Errc::unsupported, message("tokenizer kind ", +static_cast<uint8_t>(spec.kind), " cannot cut text"));
  }
  constexpr size_t kMaxIds = std::numeric_limits<int32_t>::max();
  const size_t size = spec.vocabulary.size();
  if (size > kMaxIds) fail(Errc::malformed, message("tokenizer: ", size, " tokens, the limit is ", kMaxIds));
  std::vector<uint32_t> ids = {spec.unknown_id, spec.begin_id, spec.end_id, spec.pad_id};
  for (const AddedToken& token : spec.added_tokens) ids.push_back(token.id);
  const uint32_t highest = *std::max_element(ids.begin(), ids.end());
  if (highest >= size) fail(Errc::malformed, message("tokenizer: id ", highest, " in a vocabulary of ", size));
  return spec;
}

}  // namespace

struct Tokenizer::Output {
  std::vector<int32_t> ids;
  size_t limit;                  // of ids; a word may go beyond it
  std::string normalized;        // scratch
  std::vector<uint32_t> hashes;  // scratch

  bool full() const { return ids.size() >= limit; }
};

Tokenizer::Tokenizer(TokenizerSpec spec)
    : spec_(checked(std::move(spec))),
      normalizer_(normalizer_of(spec_)),
      raw_tokens_(raw_tokens_of(spec_)),
      normalized_tokens_(normalized_tokens_of(spec_)),
      piece_count_(piece_count_of(spec_)),
      first_pieces_(pieces(), ""),
      continuing_pieces_(pieces(), spec_.continuing_prefix) {}

std::vector<int32_t> Tokenizer::encode(std::string_view text, size_t max_length) const {
  if (max_length < kTemplateTokens) {
    fail(Errc::usage, message("tokenizer: max_length is ", max_length, ", the least is ", kTemplateTokens));
  }
  Output output{{}, max_length - 1, {}, {}};
  output.ids.push_back(static_cast<int32_t>(spec_.begin_id));
  for (const text::Segment& segment : raw_tokens_.split(text)) {
    if (output.full()) break;
    if (segment.id == text::Segment::kNoToken) {
      append_segment(segment.text, output);
    } else {
      output.ids.push_back(segment.id);
    }
  }
  output.ids.resize(std::min(output.ids.size(), output.limit));
  output.ids.push_back(static_cast<int32_t>(spec_.end_id));
  return std::move(output.ids);
}

void Tokenizer::append_segment(std::string_view text, Output& output) const {
  output.normalized.clear();
  text::normalize(text, normalizer_, output.normalized);
  if (normalized_tokens_.empty()) return append_words(output.normalized, output);
  for (const text::Segment& segment : normalized_tokens_.split(output.normalized)) {
    if (segment.id == text::Segment::kNoToken) {
      append_words(segment.text, output);
    } else {
      output.ids.push_back(segment.id);
    }
  }
}

void Tokenizer::append_words(std::string_view normalized, Output& output) const {
  const auto unknown = static_cast<int32_t>(spec_.unknown_id);
  for (size_t at = 0; !output.full();) {
    const text::Word word = text::next_word(normalized, at);
    if (word.text.empty()) return;
    if (word.code_points > spec_.max_chars_per_word) {
      output.ids.push_back(unknown);
    } else {
      append_pieces(pieces(), first_pieces_, continuing_pieces_, word.text, unknown, output.hashes, output.ids);
    }
  }
}

}  // namespace lathe
