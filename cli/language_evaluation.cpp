#include "cli/language_evaluation.h"

#include <cmath>

#include "cli/text.h"
#include "compress/evaluation/describe.h"
#include "compress/facts/facts_json.h"
#include "compress/facts/number_text.h"

namespace lathe::cli {
namespace {

struct Measured {
  std::optional<EvalResult> task;
  std::optional<EvalResult> reference;  // of the same text, where it was read too
  std::optional<PredictionResult> predictions;
  uint32_t context = 0;
  size_t windows = 0;
};

Measured measure(const Model& model, const LanguageEvalRequest& request, Progress& progress) {
  const Artifact& artifact = *model.artifact();
  Measured result;
  std::optional<LanguageData> data;
  if (request.task) {
    check_eval_fits(*request.task, stored_task(artifact), request.file);
    data = language_data(request.task->file, artifact, request.windows);
    result.context = data->length;
    result.windows = data->windows.sequences();
  }
  Session session(model, request.threads);
  if (data && (!request.against || request.texts)) {
    result.task = language_result(*data, token_losses(session, *data, progress));
  }
  if (!request.against) return result;
  const Model other = Model::open(*request.against, request.on_device);
  check_same_tokens(artifact, *other.artifact());
  if (request.texts) data = language_data(*request.texts, artifact, request.windows);
  Session reference(other, request.threads);
  const LanguageFidelity close = compare_language(reference, session, *data, progress);
  result.predictions = close.result();
  if (request.texts) return result;
  result.task = language_result(*data, close.compressed);
  result.reference = language_result(*data, close.original);
  return result;
}

Json to_json(const Model& model, const LanguageEvalRequest& request, const Measured& measured) {
  Json out = Json::object({{"schema", kJsonSchema},
                           {"command", "eval"},
                           {"file", request.file},
                           {"device", model.description().device_text()}});
  if (measured.task) {
    out.set("task", task_json(*measured.task).set("context", measured.context).set("windows", measured.windows));
  }
  if (!measured.predictions) return out;
  Json predictions = predictions_json(*measured.predictions).set("against", *request.against);
  if (measured.reference) predictions.set("perplexity", measured.reference->main().value);
  return out.set("predictions", std::move(predictions));
}

std::string with_error(double value, double error, int decimals) {
  return fixed_text(value, decimals) + " +- " + fixed_text(error, decimals);
}

std::string to_table(const LanguageEvalRequest& request, const Measured& measured) {
  std::string out;
  if (measured.task) {
    const EvalMetric& perplexity = measured.task->main();
    out += message(measured.task->task, " ", measured.task->file, " (", count_text(measured.task->items), " ",
                   measured.task->unit, " predicted in ", measured.windows, " windows of ", measured.context, ")\n");
    out +=
        table({{perplexity.name, with_error(perplexity.value, perplexity.standard_error, perplexity.decimals)}}, "lr");
  }
  if (!measured.predictions) return out;
  const PredictionResult& close = *measured.predictions;
  const double ratio = std::exp(close.log_ratio);
  out += message("against ", *request.against, " (", count_text(close.tokens), " tokens predicted)\n");
  std::vector<std::vector<std::string>> rows;
  if (measured.reference) rows.push_back({"its perplexity", fixed_text(measured.reference->main().value, 3)});
  rows.insert(rows.end(), {{"perplexity ratio", with_error(ratio, ratio * close.log_ratio_error, 5)},
                           {"mean KL", fixed_text(close.mean_kl, 6)},
                           {"KL p99", fixed_text(close.p99_kl, 6)},
                           {"same token", fixed_text(100 * close.same_top, 2) + " %"}});
  return out + table(rows, "lr");
}

}  // namespace

void evaluate_language(const Model& model, const LanguageEvalRequest& request, Progress& progress) {
  const Measured measured = measure(model, request, progress);
  if (request.json) {
    write_json(to_json(model, request, measured));
  } else {
    write_stdout(to_table(request, measured));
  }
}

}  // namespace lathe::cli
