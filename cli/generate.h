#pragma once
// What `compress run` does with a model that generates text.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "runtime/generation.h"
#include "runtime/model.h"

namespace lathe::cli {

/// What the text of a special token in a prompt stands for.
enum class SpecialReading { tokens, text };
inline constexpr NamedValues<SpecialReading, 2> kSpecialReadings = {
    {{SpecialReading::tokens, "tokens"}, {SpecialReading::text, "text"}}};

struct GenerateArguments {
  std::vector<std::string> prompts;  // of --prompt; empty: the prompt comes from --input or standard input
  std::optional<uint64_t> tokens, top_k, seed;
  std::optional<double> temperature, top_p;
  bool chat = false;
  std::optional<std::string> system;
  std::optional<SpecialReading> special;  // tokens where absent
  CacheType cache = CacheType::f16;
  std::vector<std::string> stops;
  bool lines = false;  // each line of the input is a prompt of its own
};
/// The heading of its options in the help.
inline constexpr const char* kGenerationHeading = "Of a model that generates text";
/// Declares the options under that heading; `arguments` outlives `options`.
void add_generate_options(Options& options, GenerateArguments& arguments);

struct GenerateRequest {
  std::string file;                  // of the model
  std::vector<std::string> prompts;  // at least one
  GenerateArguments arguments;
  size_t threads = 0;
  bool json = false;
  bool quiet = false;
};

/// Writes the texts to standard output and statistics to standard error. The text of a single prompt is written piece
/// by piece while it is generated. Throws Error{usage, unsupported, malformed}, and Error{interrupted} after a signal
/// has asked to stop.
void generate_text(const Model& model, const GenerateRequest& request);

/// Ends a text that arrives in pieces before the first of several stop texts.
class StopText {
 public:
  /// Throws Error{usage} when a stop text is empty.
  explicit StopText(std::vector<std::string> stops);
  /// Returns what may be shown now. An end that may be the beginning of a stop text is held back.
  std::string add(std::string_view piece);
  /// Returns what was held back. No piece follows.
  std::string finish();
  bool found() const { return found_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool found_ = false;
};

}  // namespace lathe::cli
