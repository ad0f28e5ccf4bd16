#pragma once
// A full-precision model that is to be compressed: its program, and its weights where they lie.

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compress/source/task.h"
#include "formats/artifact/encoding.h"
#include "formats/artifact/program.h"
#include "formats/artifact/tokenizer/tokenizer_spec.h"
#include "formats/checkpoint.h"
#include "runtime/model.h"

namespace lathe {

/// Shares the checkpoint with its copies; weight views live as long as it does.
struct SourceModel {
  std::string name;  // of the folder, or of a GGUF file without its ending
  std::filesystem::path path;
  std::shared_ptr<const Checkpoint> checkpoint;
  Program program;
  TokenizerSpec tokenizer;
  Task task;
  std::vector<std::string> notes;  // what the user should know: tensors left out, defaults taken

  /// Weights that are no longer those of the checkpoint: of a smaller student, or trained.
  std::map<std::string, EncodedBuffer> derived;

  /// The weight in the precision of the source. Throws Error{malformed} when it is missing.
  EncodedTensor weight(const std::string& name) const;
  /// Tells the system that its pages are not needed for now.
  void release(const std::string& name) const;
  uint64_t parameters() const;
  uint64_t source_bytes() const;

 private:
  mutable std::map<std::string, EncodedBuffer> converted_;  // types that the runtime does not read (f64)
};

/// Opens a path that one of source_formats() recognises. Checks that every tensor is there, has its shape and is
/// finite, and that there is none too many. Throws the errors of formats/, and Error{unsupported} for an architecture
/// that is not in kArchitectures.
SourceModel open_source(const std::filesystem::path& path, bool allow_requantize);

/// Makes sure that the model's chat template can be run, before anything is done with the model. `replacement` is the
/// text of another one, which takes its place; an empty text leaves it out. Throws the errors of jinja::ChatTemplate,
/// and Error{usage} for a replacement where the tokenizer can have none.
void settle_chat_template(const std::optional<std::string>& replacement, SourceModel& model);

/// How a weight is used, which decides how it may be compressed. A head is the linear weight that gives an output
/// with a row for each token (the logits of a decoder). An embedding that is also used as a head counts as an
/// embedding.
enum class WeightRole { linear, embedding, head, other };
const char* role_name(WeightRole role);
std::map<std::string, WeightRole> weight_roles(const Program& program);
/// Weights that are no parameters of the model: the frequencies of rope, which stay as precise as they are.
std::set<std::string> constant_weights(const Program& program);

}  // namespace lathe
