#pragma once
// Unicode normalization form C, as Hugging Face `tokenizers` has it: characters that are newer than its tables stay.

#include <string>
#include <string_view>

namespace lathe::text {

/// Appends `text`, valid UTF-8, in NFC to `out`.
void append_nfc(std::string_view text, std::string& out);

}  // namespace lathe::text
