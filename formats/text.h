#pragma once
// Text that came from a file: is it UTF-8, and how is it shown in a message.

#include <cstddef>
#include <string>
#include <string_view>

namespace lathe {

/// The length (1 to 4) of the well-formed UTF-8 sequence that starts at `position`, or 0 when there is none: overlong
/// forms, surrogates and code points beyond U+10FFFF are not well formed. `position` must be inside `text`.
size_t utf8_length_at(std::string_view text, size_t position) noexcept;

bool is_utf8(std::string_view text) noexcept;

/// Without the spaces and tabs around it.
std::string_view trimmed(std::string_view text) noexcept;

/// Fit for an error message whatever the file holds: control characters and bytes that are not UTF-8 are written as
/// \xNN, and beyond `max_bytes` of input the rest is replaced by its total length.
std::string printable(std::string_view text, size_t max_bytes = 80);

}  // namespace lathe
