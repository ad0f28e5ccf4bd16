// compress run FILE: embeds or classifies each line of text, or continues a prompt.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <memory>

#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/generate.h"
#include "cli/options.h"
#include "cli/outputs.h"
#include "cli/terminal/progress.h"
#include "cli/text.h"
#include "compress/evaluation/describe.h"
#include "compress/evaluation/fidelity.h"
#include "compress/facts/facts_json.h"
#include "formats/artifact/atomic_file.h"
#include "formats/artifact/mapped_file.h"
#include "runtime/text/embedder.h"

namespace lathe::cli {
namespace {

// Rows are written after this many texts, so that memory stays bounded and a reader sees the first rows early.
constexpr size_t kTextsPerWrite = 1024;

// How rows of numbers or labels are written.
enum class RowFormat { tsv, json, f32 };
constexpr NamedValues<RowFormat, 3> kRowFormats = {
    {{RowFormat::tsv, "tsv"}, {RowFormat::json, "json"}, {RowFormat::f32, "f32"}}};

constexpr const char* kEmbeddingHeading = "Of a model that embeds or classifies";

struct RunArguments {
  std::vector<std::string> files;
  std::vector<std::string> texts;
  std::optional<std::string> input;
  std::optional<std::string> output;
  RowFormat format = RowFormat::tsv;
  GenerateArguments generate;
  uint64_t threads = 0;
  DeviceRequest device;
  bool json = false;
  bool quiet = false;
  std::string embedding_option;   // the first given option that only embedders and classifiers take, or empty
  std::string generation_option;  // the first given option that only generators take, or empty
};

bool parse(const std::vector<std::string>& args, RunArguments& run) {
  Options options(
      "compress run", "FILE",
      "Embeds lines of text: one row of numbers for each line, in their order; with a classifier, its label "
      "and the label's probability. An empty line is an empty text. Lines come from --text, --input or "
      "standard input. A model that generates text continues a prompt from --prompt, --input or standard input.");
  options.text("input,i", "FILE", "texts, one a line; of a model that generates, the prompt", run.input)
      .integer("threads", "N", "threads to use (default: all cores)", 1, 1024, run.threads)
      .device(run.device)
      .flag("json", "one JSON object on standard output", run.json)
      .flag("quiet,q", "no progress and no statistics", run.quiet)
      .operands(1, 1, run.files);
  options.group(kEmbeddingHeading)
      .texts("text,t", "TEXT", "a text; may be given several times", run.texts)
      .text("output,o", "FILE", "where the rows go (default: standard output)", run.output)
      .choice(
          "format,f",
          "how rows are written (default tsv); f32 is the numbers (of a classifier all probabilities), little-endian",
          kRowFormats, run.format);
  add_generate_options(options, run.generate);
  if (!options.parse(args)) return false;
  run.embedding_option = options.first_given(kEmbeddingHeading);
  run.generation_option = options.first_given(kGenerationHeading);
  if (!run.texts.empty() && run.input) fail(Errc::usage, "--text and --input cannot be given together");
  if (!run.generate.prompts.empty() && run.input) fail(Errc::usage, "--prompt and --input cannot be given together");
  if (run.format == RowFormat::f32 && !run.output && ::isatty(STDOUT_FILENO) == 1) {
    fail(Errc::usage, "--format f32 writes binary, not to a terminal: give --output");
  }
  return true;
}

std::vector<std::string> split_lines(std::string_view rest) {
  std::vector<std::string> lines;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
  }
  return lines;
}

std::string read_stdin() {
  std::string text;
  std::array<char, 65536> block;
  for (;;) {
    const ssize_t count = ::read(STDIN_FILENO, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(Errc::io, message("standard input: cannot read: ", std::strerror(errno)));
    if (count == 0) return text;
    text.append(block.data(), static_cast<size_t>(count));
  }
}

std::string read_input(const RunArguments& run) {
  if (!run.input || *run.input == "-") return read_stdin();
  const MappedFile file(*run.input);
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

void append_number(std::string& out, float value) {
  std::array<char, 32> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  static_cast<void>(error);  // 32 characters hold every float
  out.append(text.data(), end);
}

// Appends numbers as text with `separator` between them.
void append_row(std::string& out, const float* row, size_t width, char separator) {
  for (size_t i = 0; i < width; ++i) {
    if (i > 0) out += separator;
    append_number(out, row[i]);
  }
}

// Rows from `first` on in the format of --format. In JSON, the rows of all calls form one object.
std::string format_rows(RowFormat format, const std::vector<float>& rows, size_t width, size_t first) {
  if (format == RowFormat::f32) return {reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(float)};
  std::string out;
  for (size_t at = 0; at < rows.size(); at += width) {
    if (format == RowFormat::json) {
      out += first + at == 0 ? "[" : ",\n[";
      append_row(out, &rows[at], width, ',');
      out += ']';
    } else {
      append_row(out, &rows[at], width, '\t');
      out += '\n';
    }
  }
  return out;
}

// Turns each row of logits into probabilities, in place.
void softmax(std::vector<float>& rows, size_t width) {
  for (size_t at = 0; at < rows.size(); at += width) {
    const float top = rows[at + largest(&rows[at], width)];
    double sum = 0;
    for (size_t i = at; i < at + width; ++i) sum += std::exp(static_cast<double>(rows[i]) - top);
    for (size_t i = at; i < at + width; ++i) {
      rows[i] = static_cast<float>(std::exp(static_cast<double>(rows[i]) - top) / sum);
    }
  }
}

// The predictions of a classifier, from rows of probabilities, in the format of --format.
std::string format_labels(RowFormat format, const std::vector<float>& rows, const std::vector<std::string>& labels,
                          size_t first) {
  const size_t width = labels.size();
  if (format == RowFormat::f32) return format_rows(format, rows, width, first);
  std::string out;
  for (size_t at = 0; at < rows.size(); at += width) {
    const size_t top = largest(&rows[at], width);
    if (format == RowFormat::json) {
      out += first + at == 0 ? "{\"label\":" : ",\n{\"label\":";
      out += to_text(Json(labels[top])) + ",\"probability\":";
      append_number(out, rows[at + top]);
      out += ",\"probabilities\":[";
      append_row(out, &rows[at], width, ',');
      out += "]}";
    } else {
      out += labels[top] + '\t';
      append_number(out, rows[at + top]);
      out += '\n';
    }
  }
  return out;
}

std::string json_begin(const Task& task, size_t texts, size_t width) {
  const std::string begin = message("{\"schema\":", kJsonSchema, ",\"command\":\"run\",\"texts\":", texts, ",");
  if (!task.classifies()) return message(begin, "\"dimension\":", width, ",\"embeddings\":[");
  return message(begin, "\"labels\":", to_text(strings_json(task.labels)), ",\"predictions\":[");
}

class Sink {
 public:
  explicit Sink(const std::optional<std::string>& path) {
    if (path && *path != "-") file_ = std::make_unique<AtomicFile>(*path);
  }
  void write(std::string_view text) {
    if (file_ == nullptr) {
      write_stdout(text);
    } else {
      file_->append(std::as_bytes(std::span(text)));
    }
  }
  void finish() {
    if (file_ != nullptr) file_->commit();
  }

 private:
  std::unique_ptr<AtomicFile> file_;
};

void check_finite(const std::vector<float>& rows, const std::string& file) {
  for (const float value : rows) {
    if (!(value - value == 0)) fail(Errc::malformed, file + ": an output is not finite: the weights overflow");
  }
}

// Throws Error{usage} for an option that only the other kind of model takes.
void check_options(const RunArguments& run, bool generates) {
  const std::string& wrong = generates ? run.embedding_option : run.generation_option;
  if (wrong.empty()) return;
  fail(Errc::usage, message("--", wrong, " is for models that ", generates ? "embed or classify" : "generate text",
                            ", which ", run.files[0], " does not", wrong == "text" ? ": give --prompt" : ""));
}

// Without --lines, all of the input but its last line end is one prompt.
std::vector<std::string> read_prompts(const RunArguments& run) {
  if (!run.generate.prompts.empty()) {
    if (run.generate.lines) fail(Errc::usage, "--lines is for --input, --prompt is one prompt");
    return run.generate.prompts;
  }
  std::string text = read_input(run);
  std::vector<std::string> prompts = {text};
  if (run.generate.lines) {
    prompts = split_lines(text);
    std::erase(prompts, "");
  } else if (text.ends_with('\n')) {
    prompts[0].pop_back();
  }
  if (prompts.empty()) fail(Errc::malformed, run.input.value_or("standard input") + ": has no prompt");
  return prompts;
}

// Writes one row of numbers or one label for each line of text.
void embed_lines(const RunArguments& run, const Model& model, const Task& task) {
  Embedder embedder(model, run.threads);
  const std::vector<std::string> texts = run.texts.empty() ? split_lines(read_input(run)) : run.texts;
  const size_t width = embedder.dimension();

  Sink sink(run.output);
  const bool rows_on_terminal = !run.output && ::isatty(STDOUT_FILENO) == 1;
  TerminalProgress progress(run.quiet || rows_on_terminal);
  progress.stage(task.classifies() ? "classify" : "embed", texts.size());
  if (run.format == RowFormat::json) sink.write(json_begin(task, texts.size(), width));
  for (size_t first = 0; first < texts.size(); first += kTextsPerWrite) {
    const size_t last = std::min(texts.size(), first + kTextsPerWrite);
    std::vector<float> rows =
        embedder.embed({texts.begin() + static_cast<ptrdiff_t>(first), texts.begin() + static_cast<ptrdiff_t>(last)});
    check_finite(rows, run.files[0]);
    if (task.classifies()) {
      softmax(rows, width);
      sink.write(format_labels(run.format, rows, task.labels, first));
    } else {
      sink.write(format_rows(run.format, rows, width, first));
    }
    progress.advance(last);
  }
  if (run.format == RowFormat::json) sink.write("]}\n");
  sink.finish();
}

}  // namespace

int run_command(const std::vector<std::string>& args) {
  RunArguments run;
  if (!parse(args, run)) return kExitDone;
  const Model model = Model::open(run.files[0], executor_for(run.device));
  const Task task = stored_task(*model.artifact());
  check_options(run, task.generates());
  if (run.output && *run.output != "-") check_output(*run.output, {run.files[0], run.input.value_or("")});
  if (task.generates()) {
    generate_text(model, {run.files[0], read_prompts(run), run.generate, run.threads, run.json, run.quiet});
    return kExitDone;
  }
  if (run.json) run.format = RowFormat::json;
  embed_lines(run, model, task);
  return kExitDone;
}

}  // namespace lathe::cli
