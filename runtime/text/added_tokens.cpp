#include "runtime/text/added_tokens.h"

#include <algorithm>
#include <utility>

#include "runtime/text/unicode/char_class.h"
#include "runtime/text/unicode/utf8.h"

namespace lathe::text {
namespace {

uint8_t first_byte(std::string_view text) { return static_cast<uint8_t>(text.front()); }

bool is_space(char32_t code_point) { return (char_class(code_point) & kSpace) != 0; }

bool stands_alone(std::string_view text, size_t begin, size_t end) {
  return (begin == 0 || !is_word_character(decode_utf8_before(text, begin).code_point)) &&
         (end == text.size() || !is_word_character(decode_utf8(text, end).code_point));
}

size_t skip_spaces_back(std::string_view text, size_t at, size_t limit) {
  while (at > limit) {
    const Decoded before = decode_utf8_before(text, at);
    if (!is_space(before.code_point)) break;
    at -= before.size;
  }
  return at;
}

size_t skip_spaces(std::string_view text, size_t at) {
  while (at < text.size()) {
    const Decoded next = decode_utf8(text, at);
    if (!is_space(next.code_point)) break;
    at += next.size;
  }
  return at;
}

}  // namespace

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::erase_if(tokens_, [](const AddedToken& token) { return token.content.empty(); });
  std::stable_sort(tokens_.begin(), tokens_.end(), [](const AddedToken& a, const AddedToken& b) {
    return std::pair(first_byte(a.content), b.content.size()) < std::pair(first_byte(b.content), a.content.size());
  });
  for (const AddedToken& token : tokens_) ++first_of_byte_[first_byte(token.content) + size_t{1}];
  for (size_t b = 1; b < first_of_byte_.size(); ++b) first_of_byte_[b] += first_of_byte_[b - 1];
}

const AddedToken* AddedTokenFinder::match_at(std::string_view text, size_t at) const {
  const auto byte = static_cast<uint8_t>(text[at]);
  for (uint32_t i = first_of_byte_[byte]; i < first_of_byte_[byte + size_t{1}]; ++i) {
    if (text.substr(at).starts_with(tokens_[i].content)) return &tokens_[i];
  }
  return nullptr;
}

std::vector<Segment> AddedTokenFinder::split(std::string_view text) const {
  std::vector<Segment> segments;
  size_t done = 0;  // everything before is in a segment
  for (size_t at = 0; at < text.size();) {
    const AddedToken* token = match_at(text, at);
    if (token == nullptr) {
      ++at;
      continue;
    }
    size_t begin = at, end = at + token->content.size();
    at = end;
    if (token->single_word && !stands_alone(text, begin, end)) continue;
    if (token->lstrip) begin = std::max(skip_spaces_back(text, begin, done), done);
    if (token->rstrip) end = skip_spaces(text, end);
    if (begin >= end) continue;  // a token of white space that the one before has swallowed
    if (done < begin) segments.push_back({text.substr(done, begin - done)});
    segments.push_back({text.substr(begin, end - begin), static_cast<int32_t>(token->id)});
    done = std::max(done, end);
  }
  if (done < text.size()) segments.push_back({text.substr(done)});
  return segments;
}

}  // namespace lathe::text
