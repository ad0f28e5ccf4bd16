#pragma once
// What the kinds of tokenizers have in common once added tokens are cut out of a text.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::text {

/// Immutable.
class TokenEncoder {
 public:
  virtual ~TokenEncoder() = default;

  /// Appends the normalized `text` (any bytes), as valid UTF-8, to `out`.
  virtual void normalize(std::string_view text, std::string& out) const = 0;
  /// Appends the ids of normalized text. May stop once `ids` has `limit` or more.
  virtual void append_tokens(std::string_view normalized, size_t limit, std::vector<int32_t>& ids) const = 0;
  /// Appends what a token stands for, bytes that need not be UTF-8 on their own. `first`: it begins a text; `id` is in
  /// range.
  virtual void append_text(int32_t id, bool first, std::string& out) const = 0;
};

}  // namespace lathe::text
