#pragma once
// Measured facts as JSON objects. Reports and the --json objects of the commands write them with these functions, so
// that the same fact has the same keys everywhere; docs/schemas/ describes them. Weights have weight_facts.h.

#include <string>
#include <vector>

#include "compress/facts/measurements.h"
#include "compress/facts/report_facts.h"
#include "formats/json.h"

namespace lathe {

/// "schema" of every JSON object that a command writes. It changes when a key is removed or gets another meaning.
inline constexpr uint64_t kJsonSchema = 2;

Json strings_json(const std::vector<std::string>& values);
/// Of a decoder's case: "pp128", "tg64", or "tg64@512" with 512 tokens already in the cache; empty for an encoder.
std::string case_key(const SpeedCase& speed);
/// What was timed and how long it took. Of a decoder also "case", "depth", "cache" and "cache_bytes", and of a prompt
/// the time to the first token.
Json speed_json(const SpeedCase& speed);
/// The items stand under their unit ("pairs"); a metric's standard error under its key with "_error".
Json task_json(const EvalResult& task);
Json fidelity_json(const FidelityResult& fidelity);
Json predictions_json(const PredictionResult& predictions);
/// The description of the texts, and every point of every stage; null where nothing was trained.
Json training_json(const std::string& data, const std::vector<TrainingCurve>& stages);
Json machine_json(const Machine& machine);

}  // namespace lathe
