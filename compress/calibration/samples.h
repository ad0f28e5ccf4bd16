#pragma once
// What calibration runs on: token sequences from the user's texts, or made up where there are none.

#include <optional>
#include <string>
#include <vector>

#include "compress/calibration/sample_parts.h"
#include "compress/source/source_model.h"
#include "formats/text_file.h"
#include "runtime/random.h"
#include "runtime/session.h"

namespace lathe {

/// What samples are taken from, and how many.
struct SampleRequest {
  std::optional<TextFile> text;  // absent: sequences are made up
  uint32_t tokens = 0;           // in all; 0: the default of the kind of model
  uint32_t length = 128;         // tokens of one sample at most
  uint64_t seed = 0;
};

/// What calibration takes of its text and what it leaves, each in the order of the text.
struct CalibrationText {
  std::string file_name;     // empty: there is no text
  std::string content_hash;  // of the file
  std::vector<std::string> used_lines;
  std::vector<std::string> unused_lines;                      // without those that say the same as a used one
  TokenBatch unused_windows;                                  // for a model that generates, instead of lines
  std::string unused = "lines that calibration did not use";  // in words
};

struct Samples {
  TokenBatch batch;
  DenseSamples dense = {};  // of a program that reads dense tensors, instead of the batch
  std::string description;  // "512 of 20,000 lines of wiki.txt (48,012 tokens)"
  CalibrationText text = {};

  SampleParts parts() const { return dense.empty() ? SampleParts(batch) : SampleParts(dense); }
};

/// Lines of the text chosen by the seed, or made-up sequences where there is no text. For models that generate, the
/// file is one text, of which the seed chooses windows of `length` tokens, one from each of equal parts. Throws
/// Error{malformed} naming the file when the text is bad or has fewer than kMinCalibrationTokens tokens.
Samples make_samples(const SourceModel& model, const SampleRequest& request);

/// Throws Error{malformed} when there are fewer than kMinReconstructionSequences samples, which the reconstruction of
/// blocks needs.
void check_enough_to_reconstruct(const Samples& samples);

inline constexpr uint32_t kMinCalibrationTokens = 256;
inline constexpr uint32_t kMinReconstructionSequences = 20;  // a tenth of them is held out
inline constexpr uint32_t kDefaultCalibrationTokens = 24576;
inline constexpr uint32_t kDefaultDecoderCalibrationTokens = 32768;
inline constexpr uint32_t kDefaultDecoderCalibrationLength = 512;  // recipes are made with the length for encoders

/// 0 to count - 1 in an order that the generator decides.
std::vector<uint32_t> shuffled(size_t count, Random& random);

}  // namespace lathe
