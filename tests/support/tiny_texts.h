#pragma once
// Texts of words that the tiny model knows.

#include <string>

namespace lathe::test {

/// 72 different lines, enough to train on; each ends with `ending`.
inline std::string tiny_texts(const std::string& ending = "") {
  std::string texts;
  for (const char* a : {"cat", "dog", "sun", "moon", "bird", "house", "river", "tree", "leaf"}) {
    for (const char* b : {"sat", "ran", "is", "was", "walk", "sleep", "and", "of"}) {
      texts += std::string("the ") + a + " " + b + ending + "\n";
    }
  }
  return texts;
}

}  // namespace lathe::test
