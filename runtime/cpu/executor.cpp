#include "runtime/cpu/executor.h"

#include "runtime/cpu/cache_memory.h"
#include "runtime/cpu/chunk_run.h"
#include "runtime/cpu/isa.h"

namespace lathe::cpu {
namespace {

class Context : public ExecutionContext {
 public:
  Context(const Plan& plan, const kernels::RowKernels& kernels, size_t threads)
      : plan_(plan), kernels_(kernels), pool_(threads == 0 ? available_cores() : threads), workers_(pool_.size()) {}

  size_t threads() const override { return pool_.size(); }

  void run(const BatchRun& batch) override {
    check_last_only(batch.options, plan_.late_outputs);
    set_positions(batch, positions_);
    const std::vector<Chunk> chunks = cut_into_chunks(batch, positions_, pool_.size());
    const bool one_each = chunks.size() >= pool_.size();
    reserve(workers_, plan_, kernels_, chunks, !one_each);
    if (one_each && (pool_.size() == 1 || chunks.size() > 1)) {
      pool_.parallel_for(chunks.size(), [&](size_t i, size_t worker) {
        run_chunk({plan_, kernels_, chunks[i], {&pool_, workers_, &workers_[worker]}});
      });
    } else if (chunks.size() == 1 && chunks[0].rows() <= kFewRows) {
      Barrier barrier(pool_.size());
      pool_.together([&](size_t rank) {
        run_chunk({plan_, kernels_, chunks[0], {&pool_, workers_, &workers_[0], Sharing::lockstep, rank, &barrier}});
      });
    } else {
      for (const Chunk& chunk : chunks) {
        run_chunk({plan_, kernels_, chunk, {&pool_, workers_, &workers_[0], Sharing::fork_join}});
      }
    }
  }

 private:
  const Plan& plan_;
  const kernels::RowKernels& kernels_;
  ThreadPool pool_;
  std::vector<WorkerMemory> workers_;
  std::vector<uint32_t> positions_;
};

class CpuExecutor : public Executor {
 public:
  CpuExecutor(const Program& program, const WeightLookup& weights)
      : kernels_(chosen_isa()), store_(load_weights(program, weights, kernels_)), plan_(make_plan(program, store_)) {
    description_ = {Device::cpu, isa_name(kernels_.isa), store_.kernels, store_.packed_bytes};
  }

  std::unique_ptr<ExecutionContext> make_context(size_t threads) const override {
    return std::make_unique<Context>(plan_, *kernels_.rows, threads);
  }
  std::unique_ptr<lathe::CacheMemory> make_cache(size_t sequences, size_t capacity, CacheType type) const override {
    return std::make_unique<CacheMemory>(plan_, *kernels_.rows, sequences, capacity, type);
  }
  const ExecutorDescription& description() const override { return description_; }

 private:
  KernelSet kernels_;
  WeightStore store_;
  Plan plan_;
  ExecutorDescription description_;
};

}  // namespace

std::unique_ptr<Executor> make_executor(const Program& program, const WeightLookup& weights) {
  return std::make_unique<CpuExecutor>(program, weights);
}

std::string instruction_set() { return isa_name(chosen_isa()); }

}  // namespace lathe::cpu
