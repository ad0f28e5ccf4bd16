#pragma once
// What the stored forms of all kinds of tokenizers have in common. For formats/artifact/ alone.

#include <cstdint>
#include <string>
#include <string_view>

#include "formats/artifact/bytes.h"
#include "formats/artifact/tokenizer/tokenizer_spec.h"

namespace lathe::detail {

constexpr uint32_t kMaxTokenBytes = 64 * 1024 - 1;  // a u16 holds every length
constexpr uint32_t kMaxVocabulary = 1U << 24;
constexpr uint32_t kMaxAddedTokens = 1U << 16;

template <class Record>
struct FlagRow {
  bool Record::*field;
  uint8_t bit;
};

template <class Record, size_t kRows>
uint8_t pack_flags(const Record& record, const FlagRow<Record> (&rows)[kRows]) {
  uint8_t bits = 0;
  for (const FlagRow<Record>& row : rows) bits |= record.*row.field ? row.bit : uint8_t{0};
  return bits;
}

/// Returns the bits of `others`, which the caller knows. Throws Error{malformed} naming file and field when there are
/// bits that neither it nor a row has.
template <class Record, size_t kRows>
uint8_t unpack_flags(ByteReader& reader, std::string_view field, const FlagRow<Record> (&rows)[kRows], Record& record,
                     uint8_t others = 0) {
  const auto bits = reader.read<uint8_t>(field);
  uint8_t known = others;
  for (const FlagRow<Record>& row : rows) {
    record.*row.field = (bits & row.bit) != 0;
    known |= row.bit;
  }
  if ((bits & ~known) != 0) {
    fail(Errc::malformed, message(reader.file(), ": field ", field, " is ", +bits, ", bits outside ", +known));
  }
  return bits & others;
}

inline void check_bound(const std::string& file, std::string_view field, uint64_t value, uint64_t limit) {
  if (value > limit) fail(Errc::malformed, message(file, ": field ", field, " is ", value, ", the limit is ", limit));
}

template <size_t kRows>
void write_added_tokens(const TokenizerSpec& spec, const FlagRow<AddedToken> (&flags)[kRows], ByteWriter& writer) {
  writer.write(static_cast<uint32_t>(spec.added_tokens.size()));
  for (const AddedToken& token : spec.added_tokens) {
    writer.write(token.id);
    writer.write(pack_flags(token, flags));
    writer.write_string(token.content);
  }
}

template <size_t kRows>
void read_added_tokens(ByteReader& reader, const FlagRow<AddedToken> (&flags)[kRows], TokenizerSpec& spec) {
  constexpr uint64_t kLeastAddedToken = 4 + 1 + 4;
  spec.added_tokens.resize(reader.read_count("tokenizer.added_tokens count", kLeastAddedToken));
  for (AddedToken& token : spec.added_tokens) {
    token.id = reader.read<uint32_t>("tokenizer.added_tokens id");
    unpack_flags(reader, "tokenizer.added_tokens flags", flags, token);
    token.content = reader.read_string("tokenizer.added_tokens content", kMaxTokenBytes);
  }
}

/// Tokens follow each other as one byte and a suffix. Bits 4-6 of the byte count the bytes that the token shares with
/// the one before it; bits 0-3 count the bytes that follow, where 15 stands for a u16 with the count; bit 7 is the
/// caller's. Words of one script and numbered tokens share their beginning.
void write_stem(std::string_view stem, std::string_view previous, uint8_t bit7, ByteWriter& writer);
/// Reads what follows a token's first byte, `head`. `stem` is the token before it, and becomes this token.
void read_stem(ByteReader& reader, uint8_t head, uint32_t id, std::string& stem);

}  // namespace lathe::detail
