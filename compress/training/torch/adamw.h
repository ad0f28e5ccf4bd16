#pragma once
// The optimizer.

#include <string>
#include <vector>

#include "compress/training/torch/tensors.h"

namespace lathe::training {

/// One tensor that trains, with the state of its optimizer. All its tensors have the same shape, are f32 and live on
/// one device.
struct Parameter {
  std::string name;  // unique among the parameters of a student: "weight", "weight:scales"
  at::Tensor value;
  at::Tensor gradient;  // of the present step; undefined: the step leaves this parameter alone
  at::Tensor first;     // running mean of the gradients
  at::Tensor second;    // running mean of their squares
  double rate = 1;      // factor of the learning rate
  bool decays = false;  // weight decay applies to it
};
/// A parameter that has not been trained yet.
Parameter make_parameter(std::string name, at::Tensor value, double rate = 1, bool decays = false);

struct AdamWStep {
  double rate = 0;  // learning rate
  double weight_decay = 0;
  double gradient_scale = 1;  // what every gradient is multiplied with, to clip it
  uint64_t number = 1;        // of the step, counted from 1
};
/// One step of Adam with decoupled weight decay (Loshchilov and Hutter, 2019). Leaves parameter.gradient as it is.
void adamw_step(Parameter& parameter, const AdamWStep& step);

/// The factor that brings the common norm of all gradients down to `limit`; 1 where it is not larger. A limit of 0
/// means none.
double clip_scale(const std::vector<Parameter>& parameters, double limit);

}  // namespace lathe::training
