#include "runtime/text/stream_decoder.h"

#include "runtime/text/unicode/utf8.h"

namespace lathe {

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special)
    : tokenizer_(&tokenizer), skip_special_(skip_special) {}

std::string StreamDecoder::push(int32_t id) {
  const size_t before = waiting_.size();
  tokenizer_->append_decoded(id, first_, skip_special_, waiting_);
  first_ = first_ && waiting_.size() == before;
  return take(text::complete_utf8(waiting_));
}

std::string StreamDecoder::flush() {
  std::string rest = take(waiting_.size());
  first_ = true;
  return rest;
}

std::string StreamDecoder::take(size_t size) {
  std::string out = text::valid_utf8(std::string_view(waiting_).substr(0, size));
  waiting_.erase(0, size);
  return out;
}

}  // namespace lathe
