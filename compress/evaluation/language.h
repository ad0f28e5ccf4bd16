#pragma once
// How well a decoder predicts a text: perplexity, and how far its predictions are from the original's.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "compress/facts/measurements.h"
#include "compress/job/progress.h"
#include "compress/source/source_model.h"
#include "formats/text_file.h"
#include "runtime/session.h"
#include "runtime/text/tokenizer.h"

namespace lathe {

/// Windows of tokens cut one after another from the start of a text, without special tokens.
struct LanguageData {
  std::string path;
  uint32_t length = 0;  // tokens of each window
  TokenBatch windows;
};

struct WindowOptions {
  uint32_t length = 512;
  uint32_t windows = 40;  // 0: as many as the text has; what is left over at the end is not used
};
/// Windows of `length` tokens (0: 512, or as many as the model was made for). Throws Error{usage} when that is more
/// than it was made for, or fewer than 2.
WindowOptions window_options(uint64_t length, uint64_t windows, const Task& task);
/// Throws the errors of read_text, and Error{malformed} when the text has too few tokens for one window.
LanguageData read_language_data(const TextFile& file, const Tokenizer& tokenizer, const WindowOptions& options);
/// Opens the path and reads it; throws the errors of TextFile, too.
LanguageData read_language_data(const std::filesystem::path& path, const Tokenizer& tokenizer,
                                const WindowOptions& options);

/// Negative log likelihood of the token at each position 2 .. length of each window, in order, in nats.
struct TokenLosses {
  std::vector<float> losses;
  double perplexity() const;
  double standard_error() const;  // of the perplexity, as if tokens were independent
};
/// Perplexity as the result of the task "lm".
EvalResult language_result(const LanguageData& data, const TokenLosses& losses);

/// What two models say about the same positions.
struct LanguageFidelity {
  TokenLosses original;
  TokenLosses compressed;
  double mean_kl = 0;  // KL(original || compressed) of the next-token distributions, nats
  double p99_kl = 0;
  double same_top = 0;     // share of positions with the same most probable token
  double ratio_error = 0;  // standard error of log(perplexity of compressed / original), from paired tokens

  PredictionResult result() const;
};

/// One pass over the data, one window of each model at a time. `compressed` may be the same as `original`. Both throw
/// Error{usage} unless the models are generators with one vocabulary, Error{malformed} when logits are not finite, and
/// Error{interrupted} when `progress` says so.
TokenLosses token_losses(Session& session, const LanguageData& data, Progress& progress);
LanguageFidelity compare_language(Session& original, Session& compressed, const LanguageData& data, Progress& progress);

}  // namespace lathe
