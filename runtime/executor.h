#pragma once
// The seam between a program and the device that runs it. An executor holds one model the way its device wants it;
// runtime/cpu/ is the first one, runtime/cuda/ the second. Code outside the executors' folders sees this interface
// alone.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/artifact/encoding.h"
#include "formats/artifact/named_values.h"
#include "formats/artifact/program.h"
#include "runtime/batch.h"

namespace lathe {

enum class Device : uint8_t { cpu, cuda };
inline constexpr NamedValues<Device, 2> kDevices = {{{Device::cpu, "cpu"}, {Device::cuda, "cuda"}}};

/// What a caller asks for: a device, or the best one that this machine can use.
enum class DeviceChoice : uint8_t { cpu, cuda, automatic };
inline constexpr NamedValues<DeviceChoice, 3> kDeviceChoices = {
    {{DeviceChoice::cpu, "cpu"}, {DeviceChoice::cuda, "cuda"}, {DeviceChoice::automatic, "auto"}}};
/// automatic takes a CUDA device where there is one that the kernels run on, and otherwise the CPU.
Device choose_device(DeviceChoice choice);

/// How keys and values are kept in a cache: as f16, or as int8 with one scale for each head of each token.
enum class CacheType : uint8_t { f16, int8 };
inline constexpr NamedValues<CacheType, 2> kCacheTypes = {{{CacheType::f16, "f16"}, {CacheType::int8, "int8"}}};

/// Finds the weight of that name. The planes that it returns stay valid as long as the model.
using WeightLookup = std::function<EncodedTensor(const std::string& name)>;

/// Which kernel runs a weight.
struct KernelChoice {
  std::string weight;
  std::string encoding;
  std::string kernel;
};

/// How an executor holds and runs its model, for reports.
struct ExecutorDescription {
  Device device = Device::cpu;
  /// The set of instructions that the kernels use: "generic", "avx2" or "avx512vnni" on a CPU, "sm_90" and the like on
  /// a CUDA device.
  std::string instruction_set;
  /// One entry for each linear weight and each table, in the order of the program.
  std::vector<KernelChoice> kernels;
  /// Bytes of weights that were packed into memory of the device, beside the mapped file.
  size_t packed_bytes = 0;
  /// What the device calls itself: "NVIDIA H100 80GB HBM3". Empty for the CPU, which compress/evaluation/machine.h
  /// names.
  std::string hardware = {};

  /// "cpu", or "cuda: NVIDIA H100 80GB HBM3".
  std::string device_text() const;
};

/// Makes an executor of one device for a validated program.
using MakeExecutor = std::function<std::unique_ptr<class Executor>(const Program&, const WeightLookup&)>;

/// Keys and values of the sequences of one cache, in memory of the device and in a layout that its executor knows.
class CacheMemory {
 public:
  virtual ~CacheMemory() = default;
  virtual size_t bytes() const = 0;
};

/// One call of Session::run. The session has checked it: ids, lengths and slots are in range.
struct BatchRun {
  /// The sequences; none where the batch is dense.
  const TokenBatch& tokens;
  /// The number of samples; 0 where the batch is token sequences.
  size_t samples = 0;
  /// The program's inputs and outputs, in order, each [rows, width] row-major.
  std::span<const float* const> inputs;
  std::span<float* const> outputs;
  const RunOptions& options;
};

/// The threads and buffers with which one session runs a model. Not for use by several threads at once.
class ExecutionContext {
 public:
  virtual ~ExecutionContext() = default;
  /// Runs the whole program. Reads how long the sequences of the cache are; the session advances them afterwards.
  virtual void run(const BatchRun& batch) = 0;
  /// Whether run() fills RunOptions::top_tokens. Otherwise the session asks for the output and looks itself.
  virtual bool finds_top_tokens() const { return false; }
  virtual size_t threads() const = 0;
};

/// A model as one device runs it: its weights are packed or uploaded. Immutable, and shared by any number of sessions
/// and threads.
class Executor {
 public:
  virtual ~Executor() = default;
  /// `threads` 0 means all cores. The context must not outlive the executor.
  virtual std::unique_ptr<ExecutionContext> make_context(size_t threads) const = 0;
  /// Memory for `sequences` sequences of at most `capacity` tokens each. Throws Error{limit} when the size overflows.
  virtual std::unique_ptr<CacheMemory> make_cache(size_t sequences, size_t capacity, CacheType type) const = 0;
  virtual const ExecutorDescription& description() const = 0;
};

/// Prepares a validated program for a device. Throws Error{unsupported} for a device that this machine or this build
/// cannot use, Error{limit} when the device has no room, and Error{usage} when LATHE_ISA names a set of instructions
/// that the CPU lacks.
std::unique_ptr<Executor> make_executor(Device device, const Program& program, const WeightLookup& weights);

/// Throws Error{unsupported} when only the rows of the last tokens are wanted and `late_outputs` is false: an output
/// with a row for each token is computed before the last attention or pooling. For executors.
void check_last_only(const RunOptions& options, bool late_outputs);

/// Makes executors of that device.
MakeExecutor executor_maker(Device device);

/// The set of instructions that a model which is opened now would use on that device. Throws what make_executor throws.
std::string instruction_set_of(Device device);
/// Memory of the device that is free now; SIZE_MAX for the CPU. Throws what make_executor throws.
size_t free_bytes_of(Device device);

}  // namespace lathe
