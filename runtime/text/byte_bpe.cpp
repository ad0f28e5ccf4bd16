#include "runtime/text/byte_bpe.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <optional>
#include <queue>

#include "runtime/text/bpe_split.h"
#include "runtime/text/unicode/nfc.h"
#include "runtime/text/unicode/utf8.h"

namespace lathe::text {
namespace {

constexpr uint32_t kNever = std::numeric_limits<uint32_t>::max();
constexpr size_t kShort = 64;  // bytes of a piece up to which looking at all pairs is fastest
constexpr size_t kBytes = 256;

/// The printable characters that stand for bytes in vocabularies: the byte itself where it is printable in Latin-1, the
/// code points from 256 on for the others, in order.
std::array<char32_t, kBytes> stand_ins() {
  std::array<char32_t, kBytes> table{};
  char32_t next = kBytes;
  for (char32_t byte = 0; byte < kBytes; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    table[byte] = printable ? byte : next++;
  }
  return table;
}

/// By stand-in; -1 where a code point stands for no byte.
std::vector<int> bytes_of_stand_ins() {
  const auto table = stand_ins();
  std::vector<int> bytes(*std::max_element(table.begin(), table.end()) + size_t{1}, -1);
  for (size_t byte = 0; byte < kBytes; ++byte) bytes[table[byte]] = static_cast<int>(byte);
  return bytes;
}

/// The bytes that a token is written for, or nothing when some of its characters stand for no byte.
std::optional<std::string> unwritten(std::string_view token, const std::vector<int>& bytes) {
  std::string out;
  for (size_t at = 0; at < token.size();) {
    const Decoded decoded = decode_utf8(token, at);
    at += decoded.size;
    if (decoded.code_point >= bytes.size() || bytes[decoded.code_point] < 0) return std::nullopt;
    out += static_cast<char>(bytes[decoded.code_point]);
  }
  return out;
}

size_t hash(uint32_t left, uint32_t right) {
  uint64_t key = (uint64_t{left} << 32 | right) * 0x9E3779B97F4A7C15U;
  key ^= key >> 32;
  return static_cast<size_t>(key);
}

std::vector<bool> added_ids(const TokenizerSpec& spec) {
  std::vector<bool> added(spec.vocabulary.size());
  for (const AddedToken& token : spec.added_tokens) added[token.id] = true;
  return added;
}

}  // namespace

/// The tokens of one piece, and room to work in.
struct ByteBpe::Word {
  std::vector<std::string_view> pieces;
  std::vector<uint32_t> tokens;
  std::vector<uint32_t> ranks;  // of the pair that starts at each token
  struct Link {
    uint32_t token, before, after;
  };
  std::vector<Link> links;
};

ByteBpe::ByteBpe(const TokenizerSpec& spec)
    : split_(spec.split),
      nfc_(spec.nfc),
      add_prefix_space_(spec.add_prefix_space),
      byte_tokens_(kBytes, spec.unknown_id),
      merges_(spec.merges) {
  const std::vector<int> table = bytes_of_stand_ins();
  const std::vector<bool> added = added_ids(spec);
  begins_.reserve(spec.vocabulary.size() + 1);
  for (uint32_t id = 0; id < spec.vocabulary.size(); ++id) {
    begins_.push_back(static_cast<uint32_t>(bytes_.size()));
    const std::optional<std::string> bytes = added[id] ? std::nullopt : unwritten(spec.vocabulary[id], table);
    bytes_ += bytes ? *bytes : spec.vocabulary[id];
    if (bytes && bytes->size() == 1) byte_tokens_[static_cast<uint8_t>(bytes->front())] = id;
  }
  begins_.push_back(static_cast<uint32_t>(bytes_.size()));
  index_merges();
  if (spec.ignore_merges) index_words(spec);
}

void ByteBpe::index_merges() {
  size_t size = 2;
  while (size < merges_.size() * 2) size *= 2;
  merge_slots_.assign(size, kNever);
  for (uint32_t rank = 0; rank < merges_.size(); ++rank) {
    size_t slot = hash(merges_[rank].left, merges_[rank].right) & (size - 1);
    while (merge_slots_[slot] != kNever) slot = (slot + 1) & (size - 1);
    merge_slots_[slot] = rank;
  }
}

void ByteBpe::index_words(const TokenizerSpec& spec) {
  const std::vector<bool> added = added_ids(spec);
  for (uint32_t id = 0; id < added.size(); ++id) {
    if (!added[id]) words_.push_back(id);
  }
  std::sort(words_.begin(), words_.end(), [&](uint32_t a, uint32_t b) { return bytes_of(a) < bytes_of(b); });
}

std::string_view ByteBpe::bytes_of(uint32_t id) const {
  return std::string_view(bytes_).substr(begins_[id], begins_[id + 1] - begins_[id]);
}

uint32_t ByteBpe::rank_of(uint32_t left, uint32_t right) const {
  const size_t mask = merge_slots_.size() - 1;
  for (size_t slot = hash(left, right) & mask;; slot = (slot + 1) & mask) {
    const uint32_t rank = merge_slots_[slot];
    if (rank == kNever || (merges_[rank].left == left && merges_[rank].right == right)) return rank;
  }
}

uint32_t ByteBpe::whole_token(std::string_view piece) const {
  const auto found = std::lower_bound(words_.begin(), words_.end(), piece,
                                      [&](uint32_t id, std::string_view text) { return bytes_of(id) < text; });
  return found != words_.end() && bytes_of(*found) == piece ? *found : kNoToken;
}

void ByteBpe::normalize(std::string_view text, std::string& out) const {
  const std::string valid = valid_utf8(text);
  if (nfc_) {
    append_nfc(valid, out);
  } else {
    out += valid;
  }
}

void ByteBpe::append_tokens(std::string_view normalized, size_t limit, std::vector<int32_t>& ids) const {
  Word word;
  std::string with_space;
  if (add_prefix_space_ && !normalized.starts_with(' ')) {
    with_space.append(" ").append(normalized);
    normalized = with_space;
  }
  split_for_bpe(split_, normalized, word.pieces);
  for (const std::string_view piece : word.pieces) {
    if (ids.size() >= limit) return;
    append_piece(piece, word, ids);
  }
}

void ByteBpe::append_piece(std::string_view piece, Word& word, std::vector<int32_t>& ids) const {
  if (!words_.empty()) {
    if (const uint32_t id = whole_token(piece); id != kNoToken) return ids.push_back(static_cast<int32_t>(id));
  }
  word.tokens.clear();
  for (const char c : piece) {
    if (const uint32_t token = byte_tokens_[static_cast<uint8_t>(c)]; token != kNoToken) word.tokens.push_back(token);
  }
  if (word.tokens.size() <= kShort) {
    merge_short(word);
  } else {
    merge_long(word);
  }
  ids.insert(ids.end(), word.tokens.begin(), word.tokens.end());
}

void ByteBpe::merge_short(Word& word) const {
  std::vector<uint32_t>& tokens = word.tokens;
  std::vector<uint32_t>& ranks = word.ranks;
  ranks.assign(tokens.size(), kNever);
  const auto rank_at = [&](size_t i) { return i + 1 < tokens.size() ? rank_of(tokens[i], tokens[i + 1]) : kNever; };
  for (size_t i = 0; i < tokens.size(); ++i) ranks[i] = rank_at(i);
  while (!ranks.empty()) {
    const auto best = std::min_element(ranks.begin(), ranks.end());
    if (*best == kNever) return;
    const auto at = best - ranks.begin();
    tokens[static_cast<size_t>(at)] = merges_[*best].result;
    tokens.erase(tokens.begin() + at + 1);
    ranks.erase(best + 1);
    ranks[static_cast<size_t>(at)] = rank_at(static_cast<size_t>(at));
    if (at > 0) ranks[static_cast<size_t>(at) - 1] = rank_at(static_cast<size_t>(at) - 1);
  }
}

/// The same by a heap of pairs and a list of tokens: n log n.
void ByteBpe::merge_long(Word& word) const {
  std::vector<Word::Link>& links = word.links;
  const auto count = static_cast<uint32_t>(word.tokens.size());
  links.resize(count);
  for (uint32_t i = 0; i < count; ++i) links[i] = {word.tokens[i], i == 0 ? kNever : i - 1, i + 1};
  struct Pair {
    uint32_t rank, at;
    bool operator>(const Pair& other) const { return rank != other.rank ? rank > other.rank : at > other.at; }
  };
  std::priority_queue<Pair, std::vector<Pair>, std::greater<>> pairs;
  const auto rank_at = [&](uint32_t at) {
    const uint32_t after = links[at].after;
    return after < count ? rank_of(links[at].token, links[after].token) : kNever;
  };
  const auto consider = [&](uint32_t at) {
    if (const uint32_t rank = rank_at(at); rank != kNever) pairs.push({rank, at});
  };
  for (uint32_t i = 0; i < count; ++i) consider(i);
  while (!pairs.empty()) {
    const Pair pair = pairs.top();
    pairs.pop();
    // What a merge since then has changed is passed over; a token that is gone is kNoToken, which nothing merges with.
    if (rank_at(pair.at) != pair.rank) continue;
    Word::Link& left = links[pair.at];
    links[left.after].token = kNoToken;
    left.token = merges_[pair.rank].result;
    left.after = links[left.after].after;
    if (left.after < count) links[left.after].before = pair.at;
    consider(pair.at);
    if (left.before != kNever) consider(left.before);
  }
  word.tokens.clear();
  for (uint32_t at = 0; at < count; at = links[at].after) word.tokens.push_back(links[at].token);
}

void ByteBpe::append_text(int32_t id, bool /*first*/, std::string& out) const {
  out += bytes_of(static_cast<uint32_t>(id));
}

}  // namespace lathe::text
