#pragma once
// What an artifact is proved on: texts that are read, checked and cut before any work.

#include <optional>
#include <string>
#include <vector>

#include "compress/calibration/samples.h"
#include "compress/evaluation/eval_task.h"
#include "compress/evaluation/language.h"
#include "compress/source/source_model.h"
#include "formats/text_file.h"

namespace lathe {

/// What the user wants the proof on.
struct ProofRequest {
  std::optional<EvalSpec> task;
  std::string texts_file;    // for the fidelity; empty: the texts of the task, or what calibration leaves
  uint32_t first_texts = 0;  // at most this many of them; 0: at most kMaxFidelityTexts
  uint32_t context = 0;      // for models that generate, see window_options()
  uint32_t windows = 40;     // for models that generate; 0: all of the text
};
inline constexpr uint32_t kMaxFidelityTexts = 300;

struct Proof {
  // Of models that embed or classify.
  std::optional<LabelledTexts> task;
  std::vector<std::string> texts;  // different ones, for the fidelity
  TokenBatch made_up;              // for the fidelity where there are no texts
  DenseSamples samples;            // for the fidelity of models that read dense tensors, instead of texts

  // Of models that generate.
  std::optional<LanguageData> language;
  bool language_is_made_up = false;  // then its perplexity means nothing

  std::vector<std::string> notes;  // what is measured on which text, in sentences
};

/// Fidelity, or perplexity of models that generate, is measured on the texts that are asked for, otherwise on what
/// calibration left of its text, otherwise on sequences as `made_up` says. Throws Error{usage} when the task is not for
/// such models, and the errors of the readers.
Proof make_proof(const SourceModel& source, const ProofRequest& request, CalibrationText calibration,
                 const SampleRequest& made_up, TextFiles& files);

}  // namespace lathe
