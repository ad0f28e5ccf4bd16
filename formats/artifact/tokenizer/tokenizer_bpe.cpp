#include "formats/artifact/tokenizer/tokenizer_bpe.h"

#include <limits>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "formats/artifact/error.h"
#include "formats/artifact/tokenizer/tokenizer_fields.h"

namespace lathe::detail {
namespace {

constexpr uint32_t kMaxMerges = 1U << 24;
constexpr uint32_t kMaxStops = 1U << 10;
constexpr uint32_t kMaxChatTemplateBytes = 1U << 20;  // those of today's models are below 30 KiB
constexpr uint32_t kMaxChatVariables = 64;            // the special tokens that have a name
constexpr uint64_t kMaxVocabularyBytes = 64U << 20;   // merges can double a token, so few bytes could ask for many
// In a token's first byte: its content is that of the first merge that results in it.
constexpr uint8_t kMerged = 0x80;
constexpr uint32_t kNever = std::numeric_limits<uint32_t>::max();

constexpr FlagRow<TokenizerSpec> kBpeFlags[] = {{&TokenizerSpec::nfc, 1},
                                                {&TokenizerSpec::add_prefix_space, 2},
                                                {&TokenizerSpec::ignore_merges, 4},
                                                {&TokenizerSpec::add_begin, 8}};
constexpr FlagRow<AddedToken> kAddedFlags[] = {{&AddedToken::single_word, 1},
                                               {&AddedToken::lstrip, 2},
                                               {&AddedToken::rstrip, 4},
                                               {&AddedToken::normalized, 8},
                                               {&AddedToken::special, 16}};

void write_varint(uint64_t value, ByteWriter& writer) {
  for (; value >= 0x80; value >>= 7) writer.write(static_cast<uint8_t>(value | 0x80));
  writer.write(static_cast<uint8_t>(value));
}

/// At most 2^35: five bytes.
uint64_t read_varint(ByteReader& reader, std::string_view field) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    const auto byte = reader.read<uint8_t>(field);
    value |= uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return value;
  }
  fail(Errc::malformed, message(reader.file(), ": field ", field, " is longer than 5 bytes"));
}

/// The distance from `expected`, small numbers for small distances of either sign.
uint64_t zigzag(uint32_t value, uint32_t expected) {
  return value >= expected ? uint64_t{value - expected} << 1 : (uint64_t{expected - value} << 1) - 1;
}

/// For each token the place of the first merge that results in it, or kNever.
std::vector<uint32_t> first_merges(const TokenizerSpec& spec) {
  std::vector<uint32_t> first(spec.vocabulary.size(), kNever);
  for (uint32_t rank = 0; rank < spec.merges.size(); ++rank) {
    uint32_t& place = first[spec.merges[rank].result];
    if (place == kNever) place = rank;
  }
  return first;
}

uint32_t checked_merge_id(const ByteReader& reader, std::string_view field, size_t rank, uint64_t id, size_t tokens) {
  if (id < tokens) return static_cast<uint32_t>(id);
  fail(Errc::malformed,
       message(reader.file(), ": ", field, " of merge ", rank, " is ", id, ", the vocabulary has ", tokens, " tokens"));
}

void read_merges(ByteReader& reader, TokenizerSpec& spec) {
  constexpr uint64_t kLeastMerge = 3;
  const uint32_t count = reader.read_count("tokenizer.merges count", kLeastMerge);
  check_bound(reader.file(), "tokenizer.merges count", count, kMaxMerges);
  const size_t tokens = spec.vocabulary.size();
  spec.merges.reserve(count);
  uint64_t expected = 0;
  for (uint32_t rank = 0; rank < count; ++rank) {
    const uint64_t left = read_varint(reader, "tokenizer.merges left");
    const uint64_t right = read_varint(reader, "tokenizer.merges right");
    const uint64_t distance = read_varint(reader, "tokenizer.merges result");
    // A distance below 0 wraps around and so is out of range as well.
    const uint64_t result = (distance & 1) != 0 ? expected - (distance + 1) / 2 : expected + distance / 2;
    spec.merges.push_back({checked_merge_id(reader, "tokenizer.merges left", rank, left, tokens),
                           checked_merge_id(reader, "tokenizer.merges right", rank, right, tokens),
                           checked_merge_id(reader, "tokenizer.merges result", rank, result, tokens)});
    expected = result + 1;
  }
}

/// Gives the tokens in `merged`, whose content is not stored, the content of the first merge that results in each.
void expand_merged(const std::string& file, std::vector<bool> merged, TokenizerSpec& spec) {
  uint64_t bytes = 0;
  for (size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const BpeMerge& merge = spec.merges[rank];
    if (!merged[merge.result]) continue;
    if (merged[merge.left] || merged[merge.right]) {
      fail(Errc::malformed, message(file, ": merge ", rank, " gives token ", merge.result, " its content, but token ",
                                    merged[merge.left] ? merge.left : merge.right, " has none yet"));
    }
    const std::string content = spec.vocabulary[merge.left] + spec.vocabulary[merge.right];
    check_bound(file, "tokenizer.vocabulary length", content.size(), kMaxTokenBytes);
    bytes += content.size();
    check_bound(file, "tokenizer.vocabulary bytes", bytes, kMaxVocabularyBytes);
    spec.vocabulary[merge.result] = content;
    merged[merge.result] = false;
  }
  for (size_t id = 0; id < merged.size(); ++id) {
    if (merged[id]) {
      fail(Errc::malformed, message(file, ": tokenizer.vocabulary token ", id, " is the result of no merge"));
    }
  }
}

void check_merges(const TokenizerSpec& spec, const std::string& file) {
  std::unordered_set<uint64_t> pairs;
  pairs.reserve(spec.merges.size());
  const uint64_t last = spec.vocabulary.size() - 1;
  for (size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const BpeMerge& merge = spec.merges[rank];
    check_bound(file, "tokenizer.merges left", merge.left, last);
    check_bound(file, "tokenizer.merges right", merge.right, last);
    check_bound(file, "tokenizer.merges result", merge.result, last);
    const std::string& left = spec.vocabulary[merge.left];
    const std::string& right = spec.vocabulary[merge.right];
    const std::string& result = spec.vocabulary[merge.result];
    if (result.size() != left.size() + right.size() || !result.starts_with(left) || !result.ends_with(right)) {
      fail(Errc::malformed,
           message(file, ": merge ", rank, " of \"", left, "\" and \"", right, "\" results in \"", result, "\""));
    }
    if (!pairs.insert(uint64_t{merge.left} << 32 | merge.right).second) {
      fail(Errc::malformed, message(file, ": merge ", rank, " of \"", left, "\" and \"", right, "\" is there twice"));
    }
  }
}

void check_chat(const TokenizerSpec& spec, const std::string& file) {
  check_bound(file, "tokenizer.chat", static_cast<uint8_t>(spec.chat), static_cast<uint8_t>(ChatForm::jinja));
  const bool has_template = !spec.chat_template.empty();
  if (has_template != (spec.chat == ChatForm::jinja) || (!has_template && !spec.chat_variables.empty())) {
    fail(Errc::malformed, message(file, ": field tokenizer.chat is ", +static_cast<uint8_t>(spec.chat),
                                  ", and there is ", has_template ? "a" : "no", " chat template"));
  }
  check_bound(file, "tokenizer.chat_template length", spec.chat_template.size(), kMaxChatTemplateBytes);
  check_bound(file, "tokenizer.chat_variables count", spec.chat_variables.size(), kMaxChatVariables);
  for (const ChatVariable& variable : spec.chat_variables) {
    check_bound(file, "tokenizer.chat_variables name", variable.name.size(), kMaxTokenBytes);
    check_bound(file, "tokenizer.chat_variables value", variable.value.size(), kMaxTokenBytes);
  }
}

void write_chat_template(const TokenizerSpec& spec, ByteWriter& writer) {
  writer.write_string(spec.chat_template);
  writer.write(static_cast<uint32_t>(spec.chat_variables.size()));
  for (const ChatVariable& variable : spec.chat_variables) {
    writer.write_string(variable.name);
    writer.write_string(variable.value);
  }
}

void read_chat_template(ByteReader& reader, TokenizerSpec& spec) {
  constexpr uint64_t kLeastVariable = 4 + 4;
  spec.chat_template = reader.read_string("tokenizer.chat_template", kMaxChatTemplateBytes);
  spec.chat_variables.resize(reader.read_count("tokenizer.chat_variables count", kLeastVariable));
  for (ChatVariable& variable : spec.chat_variables) {
    variable.name = reader.read_string("tokenizer.chat_variables name", kMaxTokenBytes);
    variable.value = reader.read_string("tokenizer.chat_variables value", kMaxTokenBytes);
  }
}

}  // namespace

void validate_byte_bpe(const TokenizerSpec& spec, const std::string& file) {
  const uint64_t last = spec.vocabulary.size() - 1;
  check_bound(file, "tokenizer.split", static_cast<uint8_t>(spec.split), static_cast<uint8_t>(BpeSplit::none));
  check_chat(spec, file);
  if (spec.max_length == 0) fail(Errc::malformed, message(file, ": field tokenizer.max_length is 0, the least is 1"));
  for (const auto& [field, id] : {std::pair("tokenizer.unknown_id", spec.unknown_id),
                                  {"tokenizer.begin_id", spec.begin_id},
                                  {"tokenizer.end_id", spec.end_id}}) {
    if (id != kNoToken) check_bound(file, field, id, last);
  }
  if (spec.add_begin && spec.begin_id == kNoToken) {
    fail(Errc::malformed, message(file, ": tokenizer.add_begin without a begin token"));
  }
  check_bound(file, "tokenizer.pad_id", spec.pad_id, last);
  check_bound(file, "tokenizer.default_system length", spec.default_system.size(), kMaxTokenBytes);
  check_bound(file, "tokenizer.stop_ids count", spec.stop_ids.size(), kMaxStops);
  for (const uint32_t id : spec.stop_ids) check_bound(file, "tokenizer.stop_ids", id, last);
  check_bound(file, "tokenizer.merges count", spec.merges.size(), kMaxMerges);
  uint64_t bytes = 0;
  for (const std::string& token : spec.vocabulary) bytes += token.size();
  check_bound(file, "tokenizer.vocabulary bytes", bytes, kMaxVocabularyBytes);
  check_merges(spec, file);
}

void write_byte_bpe(const TokenizerSpec& spec, ByteWriter& writer) {
  writer.write(pack_flags(spec, kBpeFlags));
  writer.write(static_cast<uint8_t>(spec.split));
  writer.write(static_cast<uint8_t>(spec.chat));
  for (const uint32_t number : {spec.unknown_id, spec.begin_id, spec.end_id, spec.pad_id, spec.max_length}) {
    writer.write(number);
  }
  writer.write_string(spec.default_system);
  writer.write(static_cast<uint32_t>(spec.stop_ids.size()));
  for (const uint32_t id : spec.stop_ids) writer.write(id);
  write_added_tokens(spec, kAddedFlags, writer);

  const std::vector<uint32_t> first = first_merges(spec);
  writer.write(static_cast<uint32_t>(spec.vocabulary.size()));
  std::string_view previous;
  for (size_t id = 0; id < spec.vocabulary.size(); ++id) {
    // The reader goes through the merges in their order, so a part must not wait for a later one.
    const auto known = [&](uint32_t part) { return first[part] == kNever || first[part] < first[id]; };
    if (first[id] != kNever && known(spec.merges[first[id]].left) && known(spec.merges[first[id]].right)) {
      writer.write(kMerged);
      continue;
    }
    write_stem(spec.vocabulary[id], previous, 0, writer);
    previous = spec.vocabulary[id];
  }
  writer.write(static_cast<uint32_t>(spec.merges.size()));
  uint32_t expected = 0;
  for (const BpeMerge& merge : spec.merges) {
    write_varint(merge.left, writer);
    write_varint(merge.right, writer);
    write_varint(zigzag(merge.result, expected), writer);
    expected = merge.result + 1;
  }
  if (spec.chat == ChatForm::jinja) write_chat_template(spec, writer);
}

void read_byte_bpe(ByteReader& reader, TokenizerSpec& spec) {
  unpack_flags(reader, "tokenizer.flags", kBpeFlags, spec);
  spec.split = static_cast<BpeSplit>(reader.read<uint8_t>("tokenizer.split"));
  spec.chat = static_cast<ChatForm>(reader.read<uint8_t>("tokenizer.chat"));
  for (uint32_t* number : {&spec.unknown_id, &spec.begin_id, &spec.end_id, &spec.pad_id, &spec.max_length}) {
    *number = reader.read<uint32_t>("tokenizer.numbers");
  }
  spec.default_system = reader.read_string("tokenizer.default_system", kMaxTokenBytes);
  spec.stop_ids.resize(reader.read_count("tokenizer.stop_ids count", sizeof(uint32_t)));
  for (uint32_t& id : spec.stop_ids) id = reader.read<uint32_t>("tokenizer.stop_ids");
  read_added_tokens(reader, kAddedFlags, spec);

  const uint32_t count = reader.read_count("tokenizer.vocabulary count", 1);
  check_bound(reader.file(), "tokenizer.vocabulary count", count, kMaxVocabulary);
  spec.vocabulary.reserve(count);
  std::vector<bool> merged(count);
  std::string stem;
  for (uint32_t id = 0; id < count; ++id) {
    const auto head = reader.read<uint8_t>("tokenizer.vocabulary head");
    merged[id] = (head & kMerged) != 0;
    if (merged[id] && head != kMerged) {
      fail(Errc::malformed, message(reader.file(), ": tokenizer.vocabulary head of token ", id, " is ", +head));
    }
    if (!merged[id]) read_stem(reader, head, id, stem);
    spec.vocabulary.push_back(merged[id] ? std::string() : stem);
  }
  read_merges(reader, spec);
  expand_merged(reader.file(), std::move(merged), spec);
  if (spec.chat == ChatForm::jinja) read_chat_template(reader, spec);
}

}  // namespace lathe::detail
