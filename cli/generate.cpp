#include "cli/generate.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "cli/terminal/signals.h"
#include "cli/text.h"
#include "compress/evaluation/describe.h"
#include "compress/facts/facts_json.h"
#include "compress/facts/number_text.h"
#include "formats/json.h"
#include "formats/text.h"
#include "runtime/text/chat.h"
#include "runtime/text/stream_decoder.h"
#include "runtime/text/tokenizer.h"

namespace lathe::cli {
namespace {

constexpr uint64_t kDefaultTokens = 64;

// One prompt and the text that was generated for it.
struct Output {
  std::vector<int32_t> prompt;
  StreamDecoder decoder;
  StopText stop;
  std::string text;
  size_t tokens = 0;

  Output(const Tokenizer& tokenizer, const GenerateArguments& a) : decoder(tokenizer), stop(a.stops) {}
};

jinja::Moment local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  return {parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec};
}

std::vector<int32_t> prompt_tokens(const Tokenizer& tokenizer, const GenerateArguments& a, const std::string& prompt) {
  if (a.chat) {
    std::vector<ChatMessage> messages;
    if (a.system) messages.push_back({"system", *a.system});
    messages.push_back({"user", prompt});
    return chat_tokens(tokenizer, messages, {true, local_time()});
  }
  const bool as_text = a.special == SpecialReading::text;
  std::vector<int32_t> ids = as_text ? tokenizer.encode_plain(prompt) : tokenizer.encode_special(prompt);
  const TokenizerSpec& spec = tokenizer.spec();
  // A model with a token for the beginning of a text starts an empty prompt with it.
  if (spec.begin_id != kNoToken && (spec.add_begin || ids.empty())) {
    ids.insert(ids.begin(), static_cast<int32_t>(spec.begin_id));
  }
  return ids;
}

// A prompt that is written by hand often begins as the model's chats do.
void note_second_begin(const Tokenizer& tokenizer, const std::vector<Output>& outputs) {
  const TokenizerSpec& spec = tokenizer.spec();
  const auto begin = static_cast<int32_t>(spec.begin_id);
  const bool is_twice = spec.add_begin && std::any_of(outputs.begin(), outputs.end(), [&](const Output& output) {
                          return output.prompt.size() > 1 && output.prompt[0] == begin && output.prompt[1] == begin;
                        });
  if (!is_twice) return;
  std::fputs(message("compress: note: the prompt spells out ", printable(spec.vocabulary[spec.begin_id]),
                     ", which the model puts before every prompt: now there are two\n")
                 .c_str(),
             stderr);
}

GenerationOptions generation_options(const GenerateArguments& a, const TokenizerSpec& tokenizer) {
  GenerationOptions options;
  options.max_new_tokens = a.tokens.value_or(kDefaultTokens);
  options.stop_ids.assign(tokenizer.stop_ids.begin(), tokenizer.stop_ids.end());
  options.sampling.temperature = static_cast<float>(a.temperature.value_or(0));
  options.sampling.top_k = static_cast<uint32_t>(a.top_k.value_or(0));
  options.sampling.top_p = static_cast<float>(a.top_p.value_or(1));
  options.sampling.seed = a.seed.value_or(0);
  options.cache = a.cache;
  validate(options.sampling);
  return options;
}

// Prompt and answer together must fit into the context that the model was trained for.
void fit_context(const std::vector<Output>& outputs, const Task& task, GenerationOptions& options) {
  if (task.context == 0) return;
  for (const Output& output : outputs) {
    if (output.prompt.size() >= task.context) {
      fail(Errc::usage, message("a prompt of ", output.prompt.size(), " tokens leaves no room: the model was made for ",
                                task.context, " tokens"));
    }
    options.max_new_tokens = std::min<size_t>(options.max_new_tokens, task.context - output.prompt.size());
  }
}

const char* end_of(const Output& output, const GenerationOptions& options) {
  if (output.stop.found()) return "stop text";
  return output.tokens < options.max_new_tokens ? "stop token" : "length";
}

double rate(size_t tokens, double seconds) { return seconds > 0 ? static_cast<double>(tokens) / seconds : 0; }

Json to_json(const GenerateRequest& request, const std::string& device, const std::vector<Output>& outputs,
             const GenerationOptions& options, const GenerationTimes& times) {
  Json list = Json::array();
  for (const Output& output : outputs) {
    list.push(Json::object({{"text", output.text},
                            {"prompt_tokens", output.prompt.size()},
                            {"tokens", output.tokens},
                            {"stop", end_of(output, options)}}));
  }
  return Json::object({{"schema", kJsonSchema},
                       {"command", "run"},
                       {"file", request.file},
                       {"device", device},
                       {"outputs", std::move(list)},
                       {"time_to_first_token_ms", times.prefill_seconds * 1000},
                       {"decode_ms", times.decode_seconds * 1000},
                       {"prompt_tokens_per_second", rate(times.prompt_tokens, times.prefill_seconds)},
                       {"tokens_per_second", rate(times.decoded_tokens, times.decode_seconds)},
                       {"cache_bytes", times.cache_bytes}});
}

void write_statistics(const std::vector<Output>& outputs, const GenerationOptions& options,
                      const GenerationTimes& times) {
  size_t tokens = 0;
  for (const Output& output : outputs) tokens += output.tokens;
  const std::string end = outputs.size() == 1 ? message("; ended by ", end_of(outputs[0], options)) : "";
  const std::string line = message(
      "compress: ", count_text(times.prompt_tokens), " prompt tokens, ", fixed_text(times.prefill_seconds * 1000, 1),
      " ms to the first token (", fixed_text(rate(times.prompt_tokens, times.prefill_seconds), 1), " tokens/s); ",
      count_text(tokens), " tokens, ", fixed_text(rate(times.decoded_tokens, times.decode_seconds), 1),
      " tokens/s; cache ", bytes_text(times.cache_bytes), end, "\n");
  std::fputs(line.c_str(), stderr);
}

// Writes pieces as they are generated when there is one output and no JSON.
class Stream {
 public:
  Stream(std::vector<Output>& outputs, bool shown) : outputs_(outputs), shown_(shown) {}

  bool take(size_t sequence, int32_t token) {
    Output& output = outputs_[sequence];
    ++output.tokens;
    show(output, output.stop.add(output.decoder.push(token)));
    return !output.stop.found() && !interrupted();
  }
  void finish() {
    for (Output& output : outputs_) {
      show(output, output.stop.add(output.decoder.flush()));
      if (!output.stop.found()) show(output, output.stop.finish());
    }
  }

 private:
  void show(Output& output, const std::string& piece) {
    output.text += piece;
    if (shown_ && !piece.empty()) write_stdout(piece);
  }

  std::vector<Output>& outputs_;
  bool shown_;
};

void write_texts(const std::vector<Output>& outputs) {
  for (const Output& output : outputs) write_stdout(output.text + "\n");
}

}  // namespace

void add_generate_options(Options& options, GenerateArguments& a) {
  options.group(kGenerationHeading)
      .texts("prompt,p", "TEXT", "what to continue; may be given several times", a.prompts)
      .flag("lines", "each line of --input or standard input is a prompt of its own", a.lines)
      .integer("tokens,n", "N", message("tokens to add at most (default ", kDefaultTokens, ")"), 1, 1'000'000, a.tokens)
      .number("temperature", "T", "0: always the most probable token (default 0)", 0, 100, a.temperature)
      .integer("top-k", "K", "draw from the K most probable tokens (default: all)", 1, 1'000'000, a.top_k)
      .number("top-p", "P", "draw from the most probable tokens that together reach P (default 1)", 0, 1, a.top_p)
      .integer("seed", "N", "of the drawing (default 0)", 0, UINT32_MAX, a.seed)
      .flag("chat", "the prompt is a message of a user, in the form of chats that the model was trained with", a.chat)
      .text("system", "TEXT", "the system message before it; needs --chat", a.system)
      .choice("special", "special tokens that the prompt spells out are tokens, or text (default tokens)",
              kSpecialReadings, a.special)
      .texts("stop", "TEXT", "ends the output, and is left out; may be given several times", a.stops)
      .choice("cache", message("how keys and values are kept (default ", kCacheTypes.name(a.cache), ")"), kCacheTypes,
              a.cache);
}

void generate_text(const Model& model, const GenerateRequest& request) {
  const GenerateArguments& a = request.arguments;
  if (a.system && !a.chat) fail(Errc::usage, "--system does nothing without --chat");
  if (a.special && a.chat) fail(Errc::usage, "--special does nothing with --chat");
  const Tokenizer tokenizer(stored_tokenizer(*model.artifact()));
  GenerationOptions options = generation_options(a, tokenizer.spec());
  std::vector<Output> outputs;
  std::vector<std::vector<int32_t>> prompts;
  for (const std::string& prompt : request.prompts) {
    outputs.emplace_back(tokenizer, a);
    outputs.back().prompt = prompt_tokens(tokenizer, a, prompt);
    prompts.push_back(outputs.back().prompt);
  }
  if (!request.quiet && !a.chat) note_second_begin(tokenizer, outputs);
  fit_context(outputs, stored_task(*model.artifact()), options);
  Session session(model, request.threads);

  const bool streamed = outputs.size() == 1 && !request.json;
  const StopRequests stoppable;
  Stream stream(outputs, streamed);
  GenerationTimes times;
  generate(
      session, prompts, options, [&](size_t sequence, int32_t token) { return stream.take(sequence, token); }, &times);
  stream.finish();
  if (streamed) write_stdout("\n");
  if (interrupted()) fail(Errc::interrupted, "stopped while generating");
  if (request.json) {
    write_json(to_json(request, session.model().description().device_text(), outputs, options, times));
  } else if (!streamed) {
    write_texts(outputs);
  }
  if (!request.quiet) write_statistics(outputs, options, times);
}

}  // namespace lathe::cli
