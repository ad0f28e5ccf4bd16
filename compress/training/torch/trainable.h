#pragma once
// The weights of a student while it trains.

#include <map>
#include <optional>
#include <set>

#include "compress/training/torch/adamw.h"
#include "compress/training/torch/fake_quant.h"
#include "compress/training/training.h"
#include "runtime/threads.h"

namespace lathe::training {

/// Weights of a program, some of which train. The program always computes with values that the encodings of the weights
/// can hold. What the optimizer moves are the parameters: latent f32 values, logarithms of row scales, or the two
/// factors of an adapter. Not for use by several threads at once; the pools that it is given do its work.
class TrainableWeights {
 public:
  /// Which weights train, and how.
  struct Choice {
    Trainable trainable = Trainable::all;
    uint32_t adapter_rank = 0;     // for Trainable::adapters
    uint64_t seed = 0;             // of the adapters' first values
    std::set<std::string> masked;  // weights whose zeros stay zero
    /// The weights that the program part in question uses. The others are left undefined, which saves their memory.
    /// Without a list every weight is there.
    std::optional<std::set<std::string>> only;
  };
  /// Decodes the weights of `model`, which is not referred to afterwards.
  TrainableWeights(const TrainableModel& model, const Choice& choice, const at::Device& device, ThreadPool& pool);

  /// What the program computes with: one tensor for each weight of the program, in the weight's shape. Valid until the
  /// next refresh().
  const std::vector<at::Tensor>& effective() const { return effective_; }
  /// Which weights of the program train, by their index there.
  const std::vector<uint32_t>& trained() const { return trained_; }
  /// What the optimizer moves. After a change of their values refresh() is due.
  std::vector<Parameter>& parameters() { return parameters_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  /// How many numbers all parameters hold.
  uint64_t trained_numbers() const;

  /// Computes effective() from the parameters and masks.
  void refresh(ThreadPool& pool);
  /// Sets the gradients of the parameters from `gradients`, which are those of the effective weights in the order of
  /// trained(). Where the gradient of a weight is undefined, those of its parameters become undefined.
  void set_gradients(const std::vector<at::Tensor>& gradients, ThreadPool& pool);

  /// Sets the share `sparsity` of the weight's values to zero, those with the smallest magnitudes. They stay zero from
  /// then on. refresh() is due afterwards.
  void prune_to(const std::string& name, double sparsity);
  /// The masks of the weights that have one, by name: uint8 on the CPU in the weight's shape, 0 where a value stays
  /// zero.
  std::map<std::string, at::Tensor> masks() const;
  /// Gives the weight this mask. refresh() is due afterwards.
  void set_mask(const std::string& name, const at::Tensor& mask);

  /// Writes the weights that train to `model`, in the encodings that they have there.
  void store(TrainableModel& model) const;

 private:
  struct TrainedWeight {
    uint32_t weight = 0;  // index in the program
    std::string name;
    FakeQuantizer quantizer;
    at::Tensor mask;  // f32 [rows, cols]: 0 where a value stays zero, 1 elsewhere; undefined: none does
    at::Tensor base;  // what an adapter is added to; undefined without an adapter
    std::optional<size_t> latent, scales, up, down;  // indices of its parameters
  };
  void add(uint32_t weight, const TrainableModel& model, const Choice& choice, const at::Device& device);
  void add_adapter(TrainedWeight& trained, const at::Tensor& value, const Choice& choice);
  at::Tensor latent(const TrainedWeight& trained) const;
  at::Tensor log_scales(const TrainedWeight& trained) const;
  EncodedBuffer encoded(const TrainedWeight& trained, const EncodedBuffer& like) const;

  std::vector<at::Tensor> effective_;
  std::vector<uint32_t> trained_;
  std::vector<TrainedWeight> weights_;  // in the order of trained_
  std::vector<Parameter> parameters_;
};

/// The weights that are to be pruned, whose zeros training must keep.
std::set<std::string> pruned_weights(const TrainingJob& job);

}  // namespace lathe::training
