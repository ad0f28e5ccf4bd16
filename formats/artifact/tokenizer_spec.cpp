#include "formats/artifact/tokenizer_spec.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "formats/artifact/error.h"

namespace lathe {
namespace {

constexpr uint32_t kMaxTokenBytes = 64 * 1024 - 1;  // a u16 holds every length
constexpr uint32_t kMaxPrefixBytes = 16;            // a stored byte can repeat the prefix, so it stays short
constexpr uint32_t kMaxVocabulary = 1U << 24;
constexpr uint32_t kMaxAddedTokens = 1U << 16;
// Longest match looks at every suffix of a word, so the longest word bounds the work that one text can cause.
constexpr uint32_t kMaxCharsPerWord = 10000;

// One byte in front of each token: bit 7 says that it starts with the continuing prefix, which is then not stored; bits
// 4-6 count the bytes that it shares with the token before it (both without the prefix); bits 0-3 count the bytes
// that follow, where 15 stands for a u16 with the count. Words of one script and numbered tokens share their beginning.
constexpr uint8_t kContinuing = 0x80;
constexpr size_t kMaxShared = 7;
constexpr uint32_t kLongSuffix = 15;

struct FlagRow {
  bool TokenizerSpec::*field;
  uint8_t bit;
};
constexpr FlagRow kSpecFlags[] = {{&TokenizerSpec::clean_text, 1},
                                  {&TokenizerSpec::split_chinese, 2},
                                  {&TokenizerSpec::strip_accents, 4},
                                  {&TokenizerSpec::lowercase, 8}};

struct AddedFlagRow {
  bool AddedToken::*field;
  uint8_t bit;
};
constexpr AddedFlagRow kAddedFlags[] = {
    {&AddedToken::single_word, 1}, {&AddedToken::lstrip, 2}, {&AddedToken::rstrip, 4}, {&AddedToken::normalized, 8}};

template <class Record, class Rows>
uint8_t pack_flags(const Record& record, const Rows& rows) {
  uint8_t bits = 0;
  for (const auto& row : rows) bits |= record.*row.field ? row.bit : uint8_t{0};
  return bits;
}

template <class Record, class Rows>
void unpack_flags(ByteReader& reader, std::string_view field, const Rows& rows, Record& record) {
  const auto bits = reader.read<uint8_t>(field);
  uint8_t known = 0;
  for (const auto& row : rows) {
    record.*row.field = (bits & row.bit) != 0;
    known |= row.bit;
  }
  if ((bits & ~known) != 0) {
    fail(Errc::malformed, message(reader.file(), ": field ", field, " is ", +bits, ", bits outside ", +known));
  }
}

void check_bound(const std::string& file, std::string_view field, uint64_t value, uint64_t limit) {
  if (value > limit) fail(Errc::malformed, message(file, ": field ", field, " is ", value, ", the limit is ", limit));
}

void check_vocabulary(const TokenizerSpec& spec, const std::string& file) {
  std::unordered_set<std::string_view> seen;
  seen.reserve(spec.vocabulary.size());
  for (size_t id = 0; id < spec.vocabulary.size(); ++id) {
    const std::string& token = spec.vocabulary[id];
    check_bound(file, "tokenizer.vocabulary length", token.size(), kMaxTokenBytes);
    if (!seen.insert(token).second) {
      fail(Errc::malformed, message(file, ": tokenizer.vocabulary token ", id, " repeats \"", token, "\""));
    }
  }
}

void check_added_tokens(const TokenizerSpec& spec, const std::string& file) {
  std::unordered_set<std::string_view> seen;
  for (const AddedToken& token : spec.added_tokens) {
    check_bound(file, "tokenizer.added_tokens length", token.content.size(), kMaxTokenBytes);
    check_bound(file, "tokenizer.added_tokens id", token.id, spec.vocabulary.size() - 1);
    if (token.content.empty()) fail(Errc::malformed, message(file, ": added token ", token.id, " is empty"));
    if (!seen.insert(token.content).second) {
      fail(Errc::malformed, message(file, ": added token ", token.id, " repeats \"", token.content, "\""));
    }
  }
}

/// The rules that hold for every stored tokenizer, on the way in and on the way out.
void validate(const TokenizerSpec& spec, const std::string& file) {
  if (spec.kind == TokenizerKind::none) return;
  check_bound(file, "tokenizer.kind", static_cast<uint8_t>(spec.kind), static_cast<uint8_t>(TokenizerKind::wordpiece));
  check_bound(file, "tokenizer.vocabulary count", spec.vocabulary.size(), kMaxVocabulary);
  check_bound(file, "tokenizer.continuing_prefix length", spec.continuing_prefix.size(), kMaxPrefixBytes);
  check_bound(file, "tokenizer.max_chars_per_word", spec.max_chars_per_word, kMaxCharsPerWord);
  check_bound(file, "tokenizer.added_tokens count", spec.added_tokens.size(), kMaxAddedTokens);
  if (spec.vocabulary.empty()) fail(Errc::malformed, message(file, ": tokenizer.vocabulary is empty"));
  if (spec.max_length < 2) {
    fail(Errc::malformed, message(file, ": field tokenizer.max_length is ", spec.max_length, ", the least is 2"));
  }
  const uint64_t last = spec.vocabulary.size() - 1;
  check_bound(file, "tokenizer.unknown_id", spec.unknown_id, last);
  check_bound(file, "tokenizer.begin_id", spec.begin_id, last);
  check_bound(file, "tokenizer.end_id", spec.end_id, last);
  check_bound(file, "tokenizer.pad_id", spec.pad_id, last);
  check_vocabulary(spec, file);
  check_added_tokens(spec, file);
}

void write_vocabulary(const TokenizerSpec& spec, ByteWriter& writer) {
  writer.write(static_cast<uint32_t>(spec.vocabulary.size()));
  std::string_view previous;
  for (const std::string& token : spec.vocabulary) {
    std::string_view stem = token;
    const bool continuing = !spec.continuing_prefix.empty() && stem.starts_with(spec.continuing_prefix);
    if (continuing) stem.remove_prefix(spec.continuing_prefix.size());
    const size_t limit = std::min({previous.size(), stem.size(), kMaxShared});
    size_t shared = 0;
    while (shared < limit && stem[shared] == previous[shared]) ++shared;
    const std::string_view suffix = stem.substr(shared);
    const bool is_long = suffix.size() >= kLongSuffix;
    const size_t low = is_long ? kLongSuffix : suffix.size();
    writer.write(static_cast<uint8_t>((continuing ? kContinuing : 0) | shared << 4 | low));
    if (is_long) writer.write(static_cast<uint16_t>(suffix.size()));
    writer.append(std::as_bytes(std::span(suffix)));
    previous = stem;
  }
}

std::vector<std::string> read_vocabulary(ByteReader& reader, const std::string& prefix) {
  const uint32_t count = reader.read_count("tokenizer.vocabulary count", 1);
  check_bound(reader.file(), "tokenizer.vocabulary count", count, kMaxVocabulary);
  std::vector<std::string> vocabulary;
  vocabulary.reserve(count);
  std::string stem;
  for (uint32_t id = 0; id < count; ++id) {
    const auto head = reader.read<uint8_t>("tokenizer.vocabulary head");
    const size_t shared = (head >> 4) & kMaxShared;
    if (shared > stem.size()) {
      fail(Errc::malformed, message(reader.file(), ": tokenizer.vocabulary token ", id, " shares ", shared,
                                    " bytes with one of ", stem.size()));
    }
    uint32_t size = head & kLongSuffix;
    if (size == kLongSuffix) size = reader.read<uint16_t>("tokenizer.vocabulary length");
    const Bytes suffix = reader.take(size, "tokenizer.vocabulary token");
    stem.resize(shared);
    stem.append(reinterpret_cast<const char*>(suffix.data()), suffix.size());
    vocabulary.push_back((head & kContinuing) != 0 ? prefix + stem : stem);
  }
  return vocabulary;
}

}  // namespace

bool operator==(const AddedToken& a, const AddedToken& b) {
  return a.id == b.id && a.content == b.content && a.single_word == b.single_word && a.lstrip == b.lstrip &&
         a.rstrip == b.rstrip && a.normalized == b.normalized;
}

std::vector<std::byte> encode_tokenizer(const TokenizerSpec& spec) {
  validate(spec, "tokenizer");
  ByteWriter writer;
  writer.write(static_cast<uint8_t>(spec.kind));
  if (spec.kind == TokenizerKind::none) return writer.bytes();
  writer.write(pack_flags(spec, kSpecFlags));
  writer.write_string(spec.continuing_prefix);
  for (const uint32_t number : {spec.max_chars_per_word, spec.unknown_id, spec.begin_id, spec.end_id, spec.pad_id,
                                spec.max_length, static_cast<uint32_t>(spec.added_tokens.size())}) {
    writer.write(number);
  }
  for (const AddedToken& token : spec.added_tokens) {
    writer.write(token.id);
    writer.write(pack_flags(token, kAddedFlags));
    writer.write_string(token.content);
  }
  write_vocabulary(spec, writer);
  return writer.bytes();
}

TokenizerSpec decode_tokenizer(Bytes section, const std::string& file) {
  ByteReader reader(section, file);
  TokenizerSpec spec;
  spec.kind = static_cast<TokenizerKind>(reader.read<uint8_t>("tokenizer.kind"));
  if (spec.kind != TokenizerKind::none) {
    check_bound(file, "tokenizer.kind", static_cast<uint8_t>(spec.kind),
                static_cast<uint8_t>(TokenizerKind::wordpiece));
    unpack_flags(reader, "tokenizer.flags", kSpecFlags, spec);
    spec.continuing_prefix = reader.read_string("tokenizer.continuing_prefix", kMaxPrefixBytes);
    for (uint32_t* number :
         {&spec.max_chars_per_word, &spec.unknown_id, &spec.begin_id, &spec.end_id, &spec.pad_id, &spec.max_length}) {
      *number = reader.read<uint32_t>("tokenizer.numbers");
    }
    constexpr uint64_t kLeastAddedToken = 4 + 1 + 4;
    spec.added_tokens.resize(reader.read_count("tokenizer.added_tokens count", kLeastAddedToken));
    for (AddedToken& token : spec.added_tokens) {
      token.id = reader.read<uint32_t>("tokenizer.added_tokens id");
      unpack_flags(reader, "tokenizer.added_tokens flags", kAddedFlags, token);
      token.content = reader.read_string("tokenizer.added_tokens content", kMaxTokenBytes);
    }
    spec.vocabulary = read_vocabulary(reader, spec.continuing_prefix);
  }
  if (reader.remaining() != 0) {
    fail(Errc::malformed, message(file, ": ", reader.remaining(), " bytes are left over after the tokenizer"));
  }
  validate(spec, file);
  return spec;
}

}  // namespace lathe
