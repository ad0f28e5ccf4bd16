#include "runtime/text/wordpiece.h"

#include <algorithm>
#include <bit>

namespace lathe::text {
namespace {

constexpr uint32_t kHashSeed = 2166136261U;

/// FNV-1a, one byte further: the hashes of all beginnings of a text cost one pass.
constexpr uint32_t extend_hash(uint32_t hash, char byte) { return (hash ^ static_cast<uint8_t>(byte)) * 16777619U; }

/// FNV's low bits are weak; a multiplication spreads all of them over the slot number.
constexpr size_t first_slot(uint32_t hash, size_t slots) {
  return static_cast<size_t>((hash * uint64_t{0x9E3779B97F4A7C15}) >> 32) & (slots - 1);
}

}  // namespace

PieceTable::PieceTable(Pieces vocabulary, std::string_view prefix) : prefix_size_(prefix.size()) {
  const auto is_piece = [&](std::string_view token) {
    return token.size() > prefix.size() && token.starts_with(prefix);
  };
  const auto pieces = static_cast<size_t>(std::count_if(vocabulary.begin(), vocabulary.end(), is_piece));
  slots_.resize(std::bit_ceil(2 * pieces + 1));
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    if (!is_piece(vocabulary[id])) continue;
    const std::string_view piece = std::string_view(vocabulary[id]).substr(prefix_size_);
    uint32_t hash = kHashSeed;
    for (const char byte : piece) hash = extend_hash(hash, byte);
    longest_ = std::max(longest_, piece.size());
    size_t slot = first_slot(hash, slots_.size());
    while (slots_[slot].id >= 0) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = {hash, static_cast<int32_t>(id)};
  }
}

int32_t PieceTable::find(Pieces vocabulary, std::string_view piece, uint32_t hash) const {
  for (size_t slot = first_slot(hash, slots_.size()); slots_[slot].id >= 0; slot = (slot + 1) & (slots_.size() - 1)) {
    if (slots_[slot].hash != hash) continue;
    const std::string& token = vocabulary[static_cast<size_t>(slots_[slot].id)];
    if (std::string_view(token).substr(prefix_size_) == piece) return slots_[slot].id;
  }
  return -1;
}

PieceTable::Match PieceTable::longest(Pieces vocabulary, std::string_view text, std::vector<uint32_t>& hashes) const {
  const size_t limit = std::min(text.size(), longest_);
  hashes.resize(std::max(hashes.size(), limit));
  uint32_t hash = kHashSeed;
  for (size_t i = 0; i < limit; ++i) hashes[i] = hash = extend_hash(hash, text[i]);
  for (size_t size = limit; size > 0; --size) {
    const int32_t id = find(vocabulary, text.substr(0, size), hashes[size - 1]);
    if (id >= 0) return {id, size};
  }
  return {};
}

void append_pieces(Pieces vocabulary, const PieceTable& first, const PieceTable& continuing, std::string_view word,
                   int32_t unknown, std::vector<uint32_t>& hashes, std::vector<int32_t>& ids) {
  const size_t before = ids.size();
  const PieceTable* table = &first;
  while (!word.empty()) {
    const PieceTable::Match match = table->longest(vocabulary, word, hashes);
    if (match.id < 0) {
      ids.resize(before);
      ids.push_back(unknown);
      return;
    }
    ids.push_back(match.id);
    word.remove_prefix(match.size);
    table = &continuing;
  }
}

}  // namespace lathe::text
