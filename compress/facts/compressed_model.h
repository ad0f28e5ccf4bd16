#pragma once
// What a compression gives besides the file that it writes.

#include <cstdint>
#include <string>
#include <vector>

#include "compress/facts/measurements.h"
#include "compress/facts/weight_facts.h"
#include "formats/artifact/program.h"

namespace lathe {

/// What a compression did. The weights themselves are in the file that it wrote.
struct CompressedModel {
  Program program;
  std::vector<WeightFacts> weights;  // linear and embedding weights
  std::vector<std::string> notes;
  std::string calibration;  // what it ran on; empty when nothing needed it
  std::vector<TrainingCurve> training;
  std::string training_data;
  std::string provenance_json;
  std::string recipe_json;
  uint64_t file_bytes = 0;
};

}  // namespace lathe
