#include "runtime/text/wordpiece_encoder.h"

namespace lathe::text {
namespace {

/// Tokens that were added after the vocabulary that the model was trained with are no pieces of words. Special tokens
/// of that vocabulary may be counted among them, which changes nothing: brackets are never part of a word.
size_t piece_count_of(const TokenizerSpec& spec) {
  std::vector<bool> added(spec.vocabulary.size());
  for (const AddedToken& token : spec.added_tokens) added[token.id] = true;
  size_t count = added.size();
  while (count > 0 && added[count - 1]) --count;
  return count;
}

}  // namespace

WordPieceEncoder::WordPieceEncoder(const TokenizerSpec& spec)
    : spec_(spec),
      normalizer_{spec.clean_text, spec.split_chinese, spec.strip_accents, spec.lowercase},
      piece_count_(piece_count_of(spec)),
      first_pieces_(pieces(), ""),
      continuing_pieces_(pieces(), spec.continuing_prefix) {}

void WordPieceEncoder::normalize(std::string_view text, std::string& out) const {
  text::normalize(text, normalizer_, out);
}

void WordPieceEncoder::append_tokens(std::string_view normalized, size_t limit, std::vector<int32_t>& ids) const {
  const auto unknown = static_cast<int32_t>(spec_.unknown_id);
  std::vector<uint32_t> hashes;
  for (size_t at = 0; ids.size() < limit;) {
    const Word word = next_word(normalized, at);
    if (word.text.empty()) return;
    if (word.code_points > spec_.max_chars_per_word) {
      ids.push_back(unknown);
    } else {
      append_pieces(pieces(), first_pieces_, continuing_pieces_, word.text, unknown, hashes, ids);
    }
  }
}

void WordPieceEncoder::append_text(int32_t id, bool first, std::string& out) const {
  std::string_view token = spec_.vocabulary[static_cast<size_t>(id)];
  const std::string& prefix = spec_.continuing_prefix;
  if (first) {
    out += token;
  } else if (!prefix.empty() && token.starts_with(prefix)) {
    out += token.substr(prefix.size());
  } else {
    out.append(" ").append(token);
  }
}

}  // namespace lathe::text
