#include "formats/huggingface/vocabulary.h"

#include "formats/artifact/error.h"
#include "formats/huggingface/hf_tokenizer.h"
#include "formats/text.h"

namespace lathe {

void Vocabulary::add(uint32_t id, std::string_view token) {
  if (token.size() > kMaxTokenBytes) {
    fail(Errc::limit,
         message(path_, ": token ", printable(token), " of id ", id, " is longer than ", kMaxTokenBytes, " bytes"));
  }
  if (tokens_.size() == kMaxVocabulary) {
    fail(Errc::limit, message(path_, ": more than ", kMaxVocabulary, " tokens, which is the limit"));
  }
  const auto [place, is_new] = ids_.emplace(token, id);
  if (!is_new) {
    fail(Errc::malformed,
         message(path_, ": token \"", printable(token), "\" has two ids, ", place->second, " and ", id));
  }
  const auto [other, is_new_id] = tokens_.emplace(id, place->first);
  if (!is_new_id) {
    fail(Errc::malformed, message(path_, ": id ", id, " is given to two tokens, \"", printable(other->second),
                                  "\" and \"", printable(token), "\""));
  }
}

void Vocabulary::add_again(uint32_t id, std::string_view token) {
  if (find(token) != id) add(id, token);
}

std::optional<uint32_t> Vocabulary::find(std::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

uint32_t Vocabulary::id_of(std::string_view token, std::string_view what) const {
  if (const auto id = find(token)) return *id;
  fail(Errc::malformed, message(what, ": token \"", printable(token), "\" is not in the vocabulary"));
}

std::vector<std::string> Vocabulary::dense() const {
  if (tokens_.empty()) fail(Errc::malformed, message(path_, ": the vocabulary is empty"));
  std::vector<std::string> tokens;
  tokens.reserve(tokens_.size());
  for (const auto& [id, token] : tokens_) {
    if (id != tokens.size()) {
      fail(Errc::malformed,
           message(path_, ": token \"", printable(token), "\" has id ", id, ", but no token has id ", tokens.size(),
                   ": ", tokens_.size(), " tokens need the ids 0 to ", tokens_.size() - 1));
    }
    tokens.emplace_back(token);
  }
  return tokens;
}

}  // namespace lathe
