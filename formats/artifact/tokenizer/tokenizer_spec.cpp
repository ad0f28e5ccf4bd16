#include "formats/artifact/tokenizer/tokenizer_spec.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "formats/artifact/error.h"
#include "formats/artifact/tokenizer/tokenizer_bpe.h"
#include "formats/artifact/tokenizer/tokenizer_fields.h"

namespace lathe {
namespace {

using detail::check_bound;
using detail::FlagRow;
using detail::kMaxAddedTokens;
using detail::kMaxTokenBytes;
using detail::kMaxVocabulary;

constexpr uint32_t kMaxPrefixBytes = 16;  // a stored byte can repeat the prefix, so it stays short
// Longest match looks at every suffix of a word, so the longest word bounds the work that one text can cause.
constexpr uint32_t kMaxCharsPerWord = 10000;

// The bit of a token's first byte that says that it starts with the continuing prefix, which is then not stored.
constexpr uint8_t kContinuing = 0x80;

constexpr FlagRow<TokenizerSpec> kSpecFlags[] = {{&TokenizerSpec::clean_text, 1},
                                                 {&TokenizerSpec::split_chinese, 2},
                                                 {&TokenizerSpec::strip_accents, 4},
                                                 {&TokenizerSpec::lowercase, 8}};

constexpr uint8_t kHasTextPrefix = 16;  // beside those flags: a prefix of texts follows the numbers
constexpr uint32_t kMaxTextPrefixBytes = 4096;

constexpr FlagRow<AddedToken> kAddedFlags[] = {
    {&AddedToken::single_word, 1}, {&AddedToken::lstrip, 2}, {&AddedToken::rstrip, 4}, {&AddedToken::normalized, 8}};

/// How a kind is stored, after the byte that names it.
struct KindRow {
  TokenizerKind kind;
  void (*validate)(const TokenizerSpec&, const std::string& file);
  void (*write)(const TokenizerSpec&, ByteWriter&);
  void (*read)(ByteReader&, TokenizerSpec&);
};
const KindRow& kind_row(TokenizerKind kind, const std::string& file);

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

void validate_wordpiece(const TokenizerSpec& spec, const std::string& file) {
  check_bound(file, "tokenizer.continuing_prefix length", spec.continuing_prefix.size(), kMaxPrefixBytes);
  check_bound(file, "tokenizer.max_chars_per_word", spec.max_chars_per_word, kMaxCharsPerWord);
  check_bound(file, "tokenizer.text_prefix length", spec.text_prefix.size(), kMaxTextPrefixBytes);
  if (spec.max_length < 2) {
    fail(Errc::malformed, message(file, ": field tokenizer.max_length is ", spec.max_length, ", the least is 2"));
  }
  const uint64_t last = spec.vocabulary.size() - 1;
  check_bound(file, "tokenizer.unknown_id", spec.unknown_id, last);
  check_bound(file, "tokenizer.begin_id", spec.begin_id, last);
  check_bound(file, "tokenizer.end_id", spec.end_id, last);
  check_bound(file, "tokenizer.pad_id", spec.pad_id, last);
}

/// The rules that hold for every stored tokenizer, on the way in and on the way out.
void validate(const TokenizerSpec& spec, const std::string& file) {
  if (spec.kind == TokenizerKind::none) return;
  check_bound(file, "tokenizer.vocabulary count", spec.vocabulary.size(), kMaxVocabulary);
  check_bound(file, "tokenizer.added_tokens count", spec.added_tokens.size(), kMaxAddedTokens);
  if (spec.vocabulary.empty()) fail(Errc::malformed, message(file, ": tokenizer.vocabulary is empty"));
  const KindRow& row = kind_row(spec.kind, file);
  row.validate(spec, file);
  check_vocabulary(spec, file);
  check_added_tokens(spec, file);
}

void write_wordpiece(const TokenizerSpec& spec, ByteWriter& writer) {
  const bool has_text_prefix = !spec.text_prefix.empty();
  writer.write(static_cast<uint8_t>(pack_flags(spec, kSpecFlags) | (has_text_prefix ? kHasTextPrefix : 0)));
  writer.write_string(spec.continuing_prefix);
  for (const uint32_t number :
       {spec.max_chars_per_word, spec.unknown_id, spec.begin_id, spec.end_id, spec.pad_id, spec.max_length}) {
    writer.write(number);
  }
  if (has_text_prefix) writer.write_string(spec.text_prefix);
  write_added_tokens(spec, kAddedFlags, writer);
  writer.write(static_cast<uint32_t>(spec.vocabulary.size()));
  std::string_view previous;
  for (const std::string& token : spec.vocabulary) {
    std::string_view stem = token;
    const bool continuing = !spec.continuing_prefix.empty() && stem.starts_with(spec.continuing_prefix);
    if (continuing) stem.remove_prefix(spec.continuing_prefix.size());
    detail::write_stem(stem, previous, continuing ? kContinuing : 0, writer);
    previous = stem;
  }
}

void read_wordpiece(ByteReader& reader, TokenizerSpec& spec) {
  const uint8_t others = unpack_flags(reader, "tokenizer.flags", kSpecFlags, spec, kHasTextPrefix);
  spec.continuing_prefix = reader.read_string("tokenizer.continuing_prefix", kMaxPrefixBytes);
  for (uint32_t* number :
       {&spec.max_chars_per_word, &spec.unknown_id, &spec.begin_id, &spec.end_id, &spec.pad_id, &spec.max_length}) {
    *number = reader.read<uint32_t>("tokenizer.numbers");
  }
  if (others != 0) spec.text_prefix = reader.read_string("tokenizer.text_prefix", kMaxTextPrefixBytes);
  read_added_tokens(reader, kAddedFlags, spec);
  const uint32_t count = reader.read_count("tokenizer.vocabulary count", 1);
  check_bound(reader.file(), "tokenizer.vocabulary count", count, kMaxVocabulary);
  spec.vocabulary.reserve(count);
  std::string stem;
  for (uint32_t id = 0; id < count; ++id) {
    const auto head = reader.read<uint8_t>("tokenizer.vocabulary head");
    detail::read_stem(reader, head, id, stem);
    spec.vocabulary.push_back((head & kContinuing) != 0 ? spec.continuing_prefix + stem : stem);
  }
}

constexpr KindRow kKinds[] = {
    {TokenizerKind::wordpiece, validate_wordpiece, write_wordpiece, read_wordpiece},
    {TokenizerKind::byte_bpe, detail::validate_byte_bpe, detail::write_byte_bpe, detail::read_byte_bpe}};

const KindRow& kind_row(TokenizerKind kind, const std::string& file) {
  const auto* row = std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& r) { return r.kind == kind; });
  if (row == std::end(kKinds)) {
    fail(Errc::malformed, message(file, ": field tokenizer.kind is ", +static_cast<uint8_t>(kind), ", the limit is ",
                                  +static_cast<uint8_t>(TokenizerKind::byte_bpe)));
  }
  return *row;
}

}  // namespace

namespace detail {

constexpr size_t kMaxShared = 7;
constexpr uint32_t kLongSuffix = 15;

void write_stem(std::string_view stem, std::string_view previous, uint8_t bit7, ByteWriter& writer) {
  const size_t limit = std::min({previous.size(), stem.size(), kMaxShared});
  size_t shared = 0;
  while (shared < limit && stem[shared] == previous[shared]) ++shared;
  const std::string_view suffix = stem.substr(shared);
  const bool is_long = suffix.size() >= kLongSuffix;
  const size_t low = is_long ? kLongSuffix : suffix.size();
  writer.write(static_cast<uint8_t>(bit7 | shared << 4 | low));
  if (is_long) writer.write(static_cast<uint16_t>(suffix.size()));
  writer.append(std::as_bytes(std::span(suffix)));
}

void read_stem(ByteReader& reader, uint8_t head, uint32_t id, std::string& stem) {
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
}

}  // namespace detail

bool operator==(const AddedToken& a, const AddedToken& b) {
  return a.id == b.id && a.content == b.content && a.single_word == b.single_word && a.lstrip == b.lstrip &&
         a.rstrip == b.rstrip && a.normalized == b.normalized && a.special == b.special;
}

std::vector<std::byte> encode_tokenizer(const TokenizerSpec& spec) {
  validate(spec, "tokenizer");
  ByteWriter writer;
  writer.write(static_cast<uint8_t>(spec.kind));
  if (spec.kind == TokenizerKind::none) return writer.bytes();
  kind_row(spec.kind, "tokenizer").write(spec, writer);
  return writer.bytes();
}

TokenizerSpec decode_tokenizer(Bytes section, const std::string& file) {
  ByteReader reader(section, file);
  TokenizerSpec spec;
  spec.kind = static_cast<TokenizerKind>(reader.read<uint8_t>("tokenizer.kind"));
  if (spec.kind != TokenizerKind::none) kind_row(spec.kind, file).read(reader, spec);
  if (reader.remaining() != 0) {
    fail(Errc::malformed, message(file, ": ", reader.remaining(), " bytes are left over after the tokenizer"));
  }
  validate(spec, file);
  return spec;
}

}  // namespace lathe
