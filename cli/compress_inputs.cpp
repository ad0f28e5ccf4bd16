#include "cli/compress_inputs.h"

#include "cli/outputs.h"

namespace lathe::cli {
namespace {

Gates make_gates(const CompressArguments& a) {
  const Gates gates{a.max_drop, a.min_speedup, a.max_size};
  if (a.min_speedup && a.no_bench) fail(Errc::usage, "--min-speedup needs speed, which --no-bench leaves out");
  return gates;
}

ProofRequest make_proof_request(const CompressArguments& a) {
  ProofRequest request;
  if (a.eval) request.task = parse_eval_spec(*a.eval, "--eval");
  request.texts_file = a.texts.value_or("");
  request.first_texts = static_cast<uint32_t>(a.first);
  request.context = static_cast<uint32_t>(a.windows.context.value_or(0));
  request.windows = static_cast<uint32_t>(a.windows.windows.value_or(kDefaultWindows));
  return request;
}

// The files that are written must be none of those that are read, and not each other's.
void check_outputs(const CompressArguments& a, const SourceModel& source, const ProofRequest& proof) {
  Paths inputs = model_files(source);
  inputs.emplace_back(a.recipe.calibration_file);
  inputs.emplace_back(a.recipe.training.data_file);
  inputs.emplace_back(proof.task ? proof.task->file : "");
  inputs.emplace_back(proof.texts_file);
  check_output(*a.output, inputs);
  inputs.emplace_back(*a.output);
  if (a.report) check_report_folder(*a.report, inputs);
}

// What the model was trained on proves nothing about it.
void check_unseen(const TrainedTexts& trained, const ProofRequest& request, const Proof& proof, TextFiles& files) {
  if (!request.texts_file.empty()) {
    check_proof_is_unseen(trained, request.texts_file, read_lines(files.open(request.texts_file)));
  }
  if (!request.task) return;
  const std::string& file = request.task->file;
  check_proof_is_unseen(trained, file, proof.task ? proof.task->texts : read_lines(files.open(file)));
}

// A template that cannot be run is no reason not to compress the model, but the user has to say so.
void settle_chat(const CompressArguments& a, SourceModel& source) {
  try {
    settle_chat_template(read_chat_template(a), source);
  } catch (const Error& error) {
    if (a.chat_template) throw;
    fail(error.code(),
         message(error.what(), "; --chat-template FILE takes another one, and --chat-template none leaves it out"));
  }
}

}  // namespace

CompressInputs resolve_inputs(const CompressArguments& a) {
  Recipe recipe = make_recipe(a);
  const ProofRequest request = make_proof_request(a);
  CompressInputs inputs;
  inputs.gates = make_gates(a);
  inputs.proof_device = choose_device(a.proof_device);
  if (!a.dry_run) instruction_set_of(inputs.proof_device);  // throws where this machine cannot use it
  SourceModel source = open_source(a.models[0], a.allow_requantize);
  settle_chat(a, source);
  fit_recipe(a, source.task, recipe);
  if (!a.dry_run) check_outputs(a, source, request);

  TextFiles files;
  const SampleRequest made_up = made_up_proof(recipe);
  ResolvedInputs resolved = lathe::resolve_inputs(std::move(source), std::move(recipe), files);
  inputs.work = std::move(resolved.work);
  inputs.proof = make_proof(inputs.work.source, request, std::move(resolved.calibration), made_up, files);
  if (resolved.trained) check_unseen(*resolved.trained, request, inputs.proof, files);
  if (!a.dry_run) load_engine(inputs.work);
  return inputs;
}

}  // namespace lathe::cli
