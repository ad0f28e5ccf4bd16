#pragma once
// What `compress MODEL` reads, opened and checked before any work.

#include "cli/compress_options.h"
#include "compress/evaluation/verify.h"
#include "compress/pipeline/inputs.h"

namespace lathe::cli {

/// Everything that the command needs of its options and files. Later stages open none of these files again.
struct CompressInputs {
  CompressionInputs work;
  Proof proof;
  Device proof_device = Device::cpu;
  Gates gates;
};

/// Opens the model and reads every text. Unless the run is dry, loads the training engine and checks that the outputs
/// can be written and are none of the files that are read. Throws Error{usage} for options that contradict each other
/// and for a proof on texts that are trained on, and the errors of what it calls.
CompressInputs resolve_inputs(const CompressArguments& arguments);

}  // namespace lathe::cli
