#pragma once
// What calibration runs on: token sequences from the user's texts, or made up where there are none.

#include <string>
#include <vector>

#include "compress/pipeline/recipe.h"
#include "compress/source/source_model.h"
#include "runtime/random.h"
#include "runtime/session.h"

namespace lathe {

struct Samples {
  TokenBatch batch;
  std::string description;  // "512 of 20,000 lines of wiki.txt (48,012 tokens)"
};

/// Samples as the recipe asks: lines of its calibration file chosen by the seed, or synthetic sequences. For models
/// that generate, the file is one text, of which the seed chooses windows of calibration_length tokens, one from each
/// of as many equal parts. Throws Error{no_input, malformed} for a bad file and Error{malformed} when it has too little
/// text (fewer than kMinCalibrationTokens tokens, or, where blocks are to be reconstructed,
/// kMinReconstructionSequences sequences).
Samples make_samples(const SourceModel& model, const Recipe& recipe);

/// The lines of the calibration file that make_samples() with this recipe leaves aside, in the order of the file. For
/// models that do not generate.
std::vector<std::string> unused_calibration_lines(const SourceModel& model, const Recipe& recipe);
/// The same for models that generate: the windows that it leaves aside, in the order of the text.
TokenBatch unused_calibration_windows(const SourceModel& model, const Recipe& recipe);

inline constexpr uint32_t kMinCalibrationTokens = 256;
inline constexpr uint32_t kMinReconstructionSequences = 20;  // a tenth of them is held out
inline constexpr uint32_t kDefaultCalibrationTokens = 24576;
inline constexpr uint32_t kDefaultDecoderCalibrationTokens = 32768;
inline constexpr uint32_t kDefaultDecoderCalibrationLength = 512;  // recipes are made with the length for encoders

/// 0 to count - 1 in an order that the generator decides.
std::vector<uint32_t> shuffled(size_t count, Random& random);

}  // namespace lathe
