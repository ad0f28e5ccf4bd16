#include "cli/commands.h"

#include <array>

namespace lathe::cli {

int bench_command(const std::vector<std::string>& args);
int compare_command(const std::vector<std::string>& args);
int eval_command(const std::vector<std::string>& args);
int export_command(const std::vector<std::string>& args);
int inspect_command(const std::vector<std::string>& args);
int run_command(const std::vector<std::string>& args);
int train_command(const std::vector<std::string>& args);
int verify_command(const std::vector<std::string>& args);

namespace {

constexpr std::array kCommands = {
    Command{"inspect", "what is inside: program, encodings, sizes, kernels, provenance; or the tensors of a source",
            inspect_command},
    Command{"run", "embed or classify lines of text, or continue a prompt", run_command},
    Command{"eval", "accuracy on a task, fidelity to another artifact", eval_command},
    Command{"bench", "latency percentiles, tokens per second, memory", bench_command},
    Command{"compare", "accuracy, size and speed side by side; writes a report", compare_command},
    Command{"export", "weights for other programs: a decoder as GGUF, any model as HDF5", export_command},
    Command{"verify", "checksums and structure", verify_command},
    Command{"train", "fine-tune a classifier on labelled texts", train_command},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace lathe::cli
