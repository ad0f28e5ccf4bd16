#pragma once
// Collects the tokens of a vocabulary in any order and checks that each id and each token is there once.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lathe {

/// Errors name `path`, the token and the id. Memory follows the tokens given, not the largest id.
class Vocabulary {
 public:
  explicit Vocabulary(std::string_view path) : path_(path) {}

  /// Throws Error{malformed} when the token or the id has been given before, Error{limit} when the token is longer than
  /// kMaxTokenBytes or there are more than kMaxVocabulary.
  void add(uint32_t id, std::string_view token);
  /// As add, but the same token with the same id may have been given before.
  void add_again(uint32_t id, std::string_view token);

  std::optional<uint32_t> find(std::string_view token) const;
  /// Throws Error{malformed} naming `what` when there is no such token.
  uint32_t id_of(std::string_view token, std::string_view what) const;

  /// Tokens by id. Throws Error{malformed} when there are none or the ids are not 0..n-1.
  std::vector<std::string> dense() const;

 private:
  std::string path_;
  std::map<std::string, uint32_t, std::less<>> ids_;
  std::map<uint32_t, std::string_view> tokens_;  // views of the keys of ids_, which stay where they are
};

}  // namespace lathe
