#pragma once
// The whole job in one call.

#include "compress/facts/compressed_model.h"
#include "compress/job/progress.h"
#include "compress/pipeline/compression_plan.h"
#include "compress/pipeline/inputs.h"
#include "compress/program/student.h"
#include "formats/artifact/artifact_writer.h"

namespace lathe {

/// Compresses `student` (the source itself, or what prepare_student() made of it) as planned into `out`, which is
/// finished (the file is there) when this returns. Deterministic: the bytes depend on the inputs and not on `threads`
/// (0: all cores). Finished layers wait on disk (TensorStore), so that memory does not grow with their number unless
/// the recipe trains. With recipe.training.state_folder they stay there, and the same call continues after the last
/// finished group. Where the recipe trains, load_engine() was called. Throws Error{interrupted} when `progress` says
/// so, ResumableStop instead where there is such a folder, Error{unsupported} for a fallback under recipe.strict, and
/// the errors of TensorStore.
CompressedModel compress(const CompressionInputs& inputs, Student student, const CompressionPlan& plan,
                         ArtifactWriter& out, Progress& progress, size_t threads);
/// Compresses a model whose recipe asks for no student.
CompressedModel compress(const CompressionInputs& inputs, const CompressionPlan& plan, ArtifactWriter& out,
                         Progress& progress, size_t threads);

}  // namespace lathe
