#pragma once
// Text from names and files, made fit for a line of a certain width or for HTML.

#include <cstddef>
#include <string>
#include <string_view>

namespace lathe::reporting {

/// At most `width` characters, the middle replaced by `ellipsis`; never splits a UTF-8 sequence.
std::string shortened(std::string_view text, size_t width, std::string_view ellipsis);
/// Number of characters (not of bytes) of UTF-8 text.
size_t text_width(std::string_view text);
/// HTML text or attribute value: markup escaped, control characters and bytes that are not UTF-8 become U+FFFD.
std::string html_text(std::string_view text);

}  // namespace lathe::reporting
