#pragma once
// Where a model comes from, for the artifact: names and hashes of the files it was made of. No paths, times or names of
// machines, so that the bytes of an artifact do not depend on them.

#include "compress/source/source_model.h"
#include "formats/json.h"
#include "formats/text_file.h"

namespace lathe {

/// {"file", "bytes", "xxh3_128"} of a text.
Json provenance_of_text(const TextFile& file);

/// {"lathe", "model", "source": [files]}. Reads every file of the checkpoint once.
Json provenance_of_source(const SourceModel& source);

}  // namespace lathe
