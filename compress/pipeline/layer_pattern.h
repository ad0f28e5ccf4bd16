#pragma once
// Which weights a layer rule is about.

#include <memory>
#include <string>

namespace re2 {
class RE2;
}

namespace lathe {

/// A name, or "re:" and a regular expression in the syntax of RE2, which must match the whole name. The time of a match
/// grows with the name alone, whatever the expression.
class LayerPattern {
 public:
  /// Throws Error{bad_recipe} naming the pattern and what is wrong with it.
  explicit LayerPattern(const std::string& pattern);

  bool matches(const std::string& name) const;

 private:
  std::string name_;
  std::shared_ptr<const re2::RE2> expression_;  // null for a name
};

}  // namespace lathe
