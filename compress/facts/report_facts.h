#pragma once
// Everything that one report is about, as values. Turning it into text is the work of compress/report/.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compress/facts/measurements.h"
#include "compress/facts/weight_facts.h"

namespace lathe {

/// The bytes of a file that serve one purpose.
struct SizeItem {
  std::string label;  // "linear values", "masks", "scales", "embeddings", "norms and biases", "tokenizer", "index"
  uint64_t bytes = 0;
};

/// What was measured of one model of a report.
struct ModelReport {
  std::string name;  // "original", or the name of the file without its extension
  std::string path;
  uint64_t file_bytes = 0;
  uint64_t parameters = 0;
  std::vector<SizeItem> sizes;
  std::vector<WeightFacts> weights;
  std::optional<EvalResult> task;
  std::optional<FidelityResult> fidelity;
  std::optional<PredictionResult> predictions;  // of decoders, instead of fidelity
  std::vector<SpeedCase> speed;
  double load_ms = 0;
  uint64_t peak_memory_bytes = 0;  // of a process that loads and runs the model; 0 when it was not measured
  std::string isa;
  std::string device;  // "cpu", or "cuda: " and what the device calls itself
};

/// A bound that the caller asked for, and whether it is kept.
struct Gate {
  std::string name;  // "max-drop", "min-speedup", "max-size"
  double bound = 0;
  double actual = 0;
  bool passed = true;
  std::string unit;  // "Pearson", "accuracy", "x", "bytes"
};

/// What a program runs on.
struct Machine {
  std::string cpu;
  uint32_t cores = 0;
  std::string isa;
  std::string system;   // kernel name and release
  std::string version;  // of Lathe
  std::string compiler;
};

/// Everything that a report tells.
struct Report {
  std::string title;
  std::vector<ModelReport> models;  // the first is the reference of every ratio
  std::vector<Gate> gates;
  std::vector<std::string> notes;  // sentences on fallbacks and on everything else that the user should know
  std::vector<TrainingCurve> training;
  std::string training_data;    // what was trained on, in words; empty when nothing was trained
  std::string calibration;      // "1024 lines of wikipedia.txt (96,210 tokens)" or "synthetic: ..."
  std::string recipe_json;      // one JSON object
  std::string provenance_json;  // one JSON object
  double compress_seconds = 0;
  uint64_t compress_peak_memory_bytes = 0;
  Machine machine;
};

}  // namespace lathe
