#pragma once
// The optimizer and the schedule of its rate.

#include <string>
#include <vector>

#include "compress/training/torch/tensors.h"

namespace lathe::training {

/// One tensor that trains, with the state of its optimizer.
struct Parameter {
  std::string name;  // unique; "weight", "weight:scales"
  at::Tensor value;
  at::Tensor gradient;  // of the present step
  at::Tensor first;     // moments
  at::Tensor second;
  double rate = 1;  // times the rate of the step
  bool decays = false;
};
Parameter make_parameter(std::string name, at::Tensor value, double rate = 1, bool decays = false);

struct AdamWStep {
  double rate = 0;
  double weight_decay = 0;
  double gradient_scale = 1;  // from clipping
  uint64_t number = 1;        // of the step, from 1
};
/// Decoupled weight decay (Loshchilov and Hutter, 2019). Leaves the gradient as it is.
void adamw_step(Parameter& parameter, const AdamWStep& step);

/// What to multiply gradients with so that their norm is at most `limit` (0: no limit).
double clip_scale(const std::vector<Parameter>& parameters, double limit);

/// Linear warm-up, then half a cosine down to a hundredth. `progress` and `warmup` are shares of the whole.
double rate_factor(double progress, double warmup);

}  // namespace lathe::training
