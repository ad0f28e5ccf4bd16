#pragma once
// The weights of a student while it trains.

#include <optional>
#include <set>

#include "compress/training/torch/adamw.h"
#include "compress/training/torch/fake_quant.h"
#include "compress/training/training.h"
#include "runtime/threads.h"

namespace lathe::training {

/// Weights of a program, some of which train. What the program computes with are always values that the encoding of
/// the weight can hold; what trains are latent values, row scales, or the two factors of an adapter.
class TrainableWeights {
 public:
  struct Choice {
    Trainable trainable = Trainable::all;
    uint32_t adapter_rank = 0;
    uint64_t seed = 0;
    /// Weights whose zeros stay zero.
    std::set<std::string> masked;
    /// The others are not even there, which saves their memory; without a list all are.
    std::optional<std::set<std::string>> only;
  };
  TrainableWeights(const TrainableModel& model, const Choice& choice, const at::Device& device, ThreadPool& pool);

  /// By weight of the program. Valid until the next refresh().
  const std::vector<at::Tensor>& effective() const { return effective_; }
  /// Indices of the weights that want gradients.
  const std::vector<uint32_t>& trained() const { return trained_; }
  std::vector<Parameter>& parameters() { return parameters_; }
  uint64_t trained_numbers() const;

  /// Computes the effective values anew from the parameters.
  void refresh(ThreadPool& pool);
  /// Sets the gradients of the parameters from those of effective(), in the order of trained().
  void pull(const std::vector<at::Tensor>& gradients, ThreadPool& pool);

  /// Removes all but the largest of the weight's values, for good: the rest stays zero.
  void prune_to(const std::string& name, double sparsity);
  /// The masks, by weight that has one; uint8 on the CPU.
  std::map<std::string, at::Tensor> masks() const;
  void set_mask(const std::string& name, const at::Tensor& mask);

  /// Puts the weights that train back into their encodings.
  void store(TrainableModel& model) const;

 private:
  struct Slot {
    uint32_t weight = 0;  // of the program
    std::string name;
    FakeQuantizer quantizer;
    at::Tensor mask;                                 // f32 [rows, cols]; undefined: none
    at::Tensor base;                                 // with an adapter: what it is added to
    std::optional<size_t> latent, scales, up, down;  // parameters
  };
  void add(uint32_t weight, const TrainableModel& model, const Choice& choice, const at::Device& device);
  void add_adapter(Slot& slot, const at::Tensor& value, const Choice& choice);
  at::Tensor latent(const Slot& slot) const;
  at::Tensor log_scales(const Slot& slot) const;
  EncodedBuffer encoded(const Slot& slot, const EncodedBuffer& like) const;

  std::vector<at::Tensor> effective_;
  std::vector<uint32_t> trained_;
  std::vector<Slot> slots_;  // as many as trained_
  std::vector<Parameter> parameters_;
};

}  // namespace lathe::training
