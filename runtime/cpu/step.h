#pragma once
// The steps that work row by row. Each kind is a small struct with what its kernel needs; a kind for which run_step.cpp
// has no function does not compile.

#include <array>
#include <cstdint>
#include <variant>

#include "formats/artifact/ops.h"
#include "runtime/cpu/weights.h"

namespace lathe::cpu {

/// Copies the row of the table that the token's number in the stream names.
struct GatherStep {
  const TableWeight* table = nullptr;
  Stream stream = Stream::tokens;
};

/// Rounds the input into the block's quantized rows; writes no value.
struct QuantizeStep {
  InputBits bits = InputBits::eight;
};

/// A linear layer and the activation after it. With an integer weight it reads the block's quantized rows.
struct LinearStep {
  const LinearWeight* weight = nullptr;
  kernels::Epilogue epilogue = kernels::Epilogue::none;
  InputBits bits = InputBits::eight;
};

/// Layer norm of the first input, or of the sum of both where there are two.
struct LayerNormStep {
  const float* gamma = nullptr;
  const float* beta = nullptr;
  float epsilon = 0;
};

struct RmsNormStep {
  const float* gamma = nullptr;
  float epsilon = 0;
  size_t heads = 1;
};

struct ActivateStep {
  kernels::Epilogue function = kernels::Epilogue::none;
};

struct AddStep {};

struct MultiplyStep {};

struct NormalizeStep {
  float epsilon = 0;
};

struct RopeStep {
  size_t rotation = 0;  // index into Plan::rotations
  size_t heads = 1;
  RopePairs pairs = RopePairs::halves;
};

using StepKind = std::variant<GatherStep, QuantizeStep, LinearStep, LayerNormStep, RmsNormStep, ActivateStep, AddStep,
                              MultiplyStep, NormalizeStep, RopeStep>;

struct Step {
  StepKind kind;
  std::array<uint32_t, 2> inputs = {kNone, kNone};  // values
  uint32_t output = kNone;                          // a value
};

}  // namespace lathe::cpu
