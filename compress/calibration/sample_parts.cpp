#include "compress/calibration/sample_parts.h"

#include <algorithm>

namespace lathe {
namespace {

constexpr size_t kPartRows = 4096;                // tokens or samples of a part
constexpr size_t kPartNumbers = size_t{1} << 24;  // of the samples of a part

size_t rows_of(RowKind kind, const TokenBatch* tokens, const DenseSamples* samples) {
  switch (kind) {
    case RowKind::tokens:
      return tokens == nullptr ? 0 : tokens->tokens();
    case RowKind::sequences:
      return tokens == nullptr ? 0 : tokens->sequences();
    case RowKind::samples:
      return samples == nullptr ? 0 : samples->count;
  }
  fail(Errc::internal, "values have rows of an unknown kind");
}

}  // namespace

size_t SamplePart::rows(RowKind kind) const { return rows_of(kind, &tokens, &samples); }

void SamplePart::run(Session& session, std::span<const float* const> inputs, std::span<float* const> outputs) const {
  if (samples.empty()) return session.run(tokens, inputs, outputs);
  session.run(DenseBatch{samples.count}, inputs, outputs);
}

SampleParts::SampleParts(const TokenBatch& tokens) : tokens_(&tokens) {
  size_t rows = 0;
  for (size_t s = 0; s < tokens.sequences(); ++s) {
    if (ranges_.empty() || rows + tokens.length(s) > kPartRows) {
      ranges_.push_back({s, 0});
      rows = 0;
    }
    ++ranges_.back().count;
    rows += tokens.length(s);
  }
}

SampleParts::SampleParts(const DenseSamples& samples) : samples_(&samples) {
  size_t numbers = 0;
  for (const std::vector<float>& input : samples.inputs) numbers += input.size() / samples.count;
  const size_t step = std::clamp<size_t>(kPartNumbers / std::max<size_t>(numbers, 1), 1, kPartRows);
  for (size_t first = 0; first < samples.count; first += step) {
    ranges_.push_back({first, std::min(step, samples.count - first)});
  }
}

SamplePart SampleParts::part(size_t index) const {
  const Range& range = ranges_[index];
  SamplePart part;
  if (samples_ != nullptr) {
    part.samples = part_of(*samples_, range.first, range.count);
    return part;
  }
  for (size_t s = range.first; s < range.first + range.count; ++s) {
    part.tokens.add(std::span(tokens_->ids).subspan(tokens_->starts[s], tokens_->length(s)));
  }
  return part;
}

size_t SampleParts::rows(RowKind kind) const { return rows_of(kind, tokens_, samples_); }

}  // namespace lathe
