#include "runtime/text/tokenizer.h"

#include <algorithm>
#include <utility>

#include "formats/artifact/error.h"
#include "runtime/text/byte_bpe.h"
#include "runtime/text/wordpiece_encoder.h"

namespace lathe {
namespace {

void check_id(const char* what, uint32_t id, size_t size) {
  if (id >= size) fail(Errc::malformed, message("tokenizer: ", what, " id ", id, " in a vocabulary of ", size));
}

void check_wordpiece(const TokenizerSpec& spec) {
  const size_t size = spec.vocabulary.size();
  check_id("unknown", spec.unknown_id, size);
  check_id("begin", spec.begin_id, size);
  check_id("end", spec.end_id, size);
}

void check_byte_bpe(const TokenizerSpec& spec) {
  const size_t size = spec.vocabulary.size();
  if (spec.unknown_id != kNoToken) check_id("unknown", spec.unknown_id, size);
  if (spec.add_begin) check_id("begin", spec.begin_id, size);
  for (const BpeMerge& merge : spec.merges) {
    check_id("merged", std::max({merge.left, merge.right, merge.result}), size);
  }
}

/// What a kind needs to cut text.
struct KindRow {
  TokenizerKind kind;
  void (*check)(const TokenizerSpec&);
  std::shared_ptr<const text::TokenEncoder> (*make)(const TokenizerSpec&);
};
constexpr KindRow kKinds[] = {{TokenizerKind::wordpiece, check_wordpiece,
                               [](const TokenizerSpec& spec) -> std::shared_ptr<const text::TokenEncoder> {
                                 return std::make_shared<text::WordPieceEncoder>(spec);
                               }},
                              {TokenizerKind::byte_bpe, check_byte_bpe,
                               [](const TokenizerSpec& spec) -> std::shared_ptr<const text::TokenEncoder> {
                                 return std::make_shared<text::ByteBpe>(spec);
                               }}};

const KindRow& kind_row(TokenizerKind kind) {
  for (const KindRow& row : kKinds) {
    if (row.kind == kind) return row;
  }
  fail(Errc::unsupported, message("tokenizer kind ", +static_cast<uint8_t>(kind), " cannot cut text"));
}

std::shared_ptr<const TokenizerSpec> checked(TokenizerSpec spec) {
  const KindRow& row = kind_row(spec.kind);
  constexpr size_t kMaxIds = std::numeric_limits<int32_t>::max();
  const size_t size = spec.vocabulary.size();
  if (size > kMaxIds) fail(Errc::malformed, message("tokenizer: ", size, " tokens, the limit is ", kMaxIds));
  row.check(spec);
  check_id("padding", spec.pad_id, size);
  for (const AddedToken& token : spec.added_tokens) check_id("added", token.id, size);
  return std::make_shared<const TokenizerSpec>(std::move(spec));
}

std::vector<bool> special_ids(const TokenizerSpec& spec) {
  std::vector<bool> special(spec.vocabulary.size());
  for (const AddedToken& token : spec.added_tokens) special[token.id] = token.special;
  return special;
}

}  // namespace

Tokenizer::Tokenizer(TokenizerSpec spec)
    : spec_(checked(std::move(spec))),
      encoder_(kind_row(spec_->kind).make(*spec_)),
      all_(finders(true)),
      plain_(finders(false)),
      special_(special_ids(*spec_)),
      has_begin_(spec_->kind == TokenizerKind::wordpiece || spec_->add_begin),
      has_end_(spec_->kind == TokenizerKind::wordpiece) {}

Tokenizer::Finders Tokenizer::finders(bool with_special) const {
  std::vector<AddedToken> raw, normalized;
  for (AddedToken token : spec_->added_tokens) {
    if (token.special && !with_special) continue;
    if (token.normalized) {  // with the content as it looks in normalized text
      std::string content;
      encoder_->normalize(token.content, content);
      token.content = std::move(content);
    }
    (token.normalized ? normalized : raw).push_back(std::move(token));
  }
  return {text::AddedTokenFinder(std::move(raw)), text::AddedTokenFinder(std::move(normalized))};
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, size_t max_length) const {
  const size_t around = size_t{has_begin_} + size_t{has_end_};
  if (max_length < around) {
    fail(Errc::usage, message("tokenizer: max_length is ", max_length, ", the least is ", around));
  }
  std::vector<int32_t> ids;
  if (has_begin_) ids.push_back(static_cast<int32_t>(spec_->begin_id));
  const size_t limit = max_length - size_t{has_end_};
  std::string prefixed;
  if (!spec_->text_prefix.empty()) text = prefixed.append(spec_->text_prefix).append(text);
  append_text(all_, text, limit, ids);
  ids.resize(std::min(ids.size(), limit));
  if (has_end_) ids.push_back(static_cast<int32_t>(spec_->end_id));
  return ids;
}

std::vector<int32_t> Tokenizer::encode_plain(std::string_view text) const {
  std::vector<int32_t> ids;
  append_text(plain_, text, kNoLimit, ids);
  return ids;
}

std::vector<int32_t> Tokenizer::encode_special(std::string_view text) const {
  std::vector<int32_t> ids;
  append_text(all_, text, kNoLimit, ids);
  return ids;
}

void Tokenizer::append_text(const Finders& finders, std::string_view text, size_t limit,
                            std::vector<int32_t>& ids) const {
  for (const text::Segment& segment : finders.raw.split(text)) {
    if (ids.size() >= limit) return;
    if (segment.id == text::Segment::kNoToken) {
      append_segment(finders, segment.text, limit, ids);
    } else {
      ids.push_back(segment.id);
    }
  }
}

void Tokenizer::append_segment(const Finders& finders, std::string_view text, size_t limit,
                               std::vector<int32_t>& ids) const {
  std::string normalized;
  encoder_->normalize(text, normalized);
  if (finders.normalized.empty()) return encoder_->append_tokens(normalized, limit, ids);
  for (const text::Segment& segment : finders.normalized.split(normalized)) {
    if (segment.id == text::Segment::kNoToken) {
      encoder_->append_tokens(segment.text, limit, ids);
    } else {
      ids.push_back(segment.id);
    }
  }
}

void Tokenizer::append_decoded(int32_t id, bool first, bool skip_special, std::string& out) const {
  if (id < 0) fail(Errc::usage, message("tokenizer: id ", id, " is negative"));
  const auto place = static_cast<size_t>(id);
  if (place >= vocabulary_size() || (skip_special && special_[place])) return;
  encoder_->append_text(id, first, out);
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string out;
  for (const int32_t id : ids) append_decoded(id, out.empty(), skip_special, out);
  return out;
}

}  // namespace lathe
