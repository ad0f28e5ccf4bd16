#include "runtime/generation.h"

#include <algorithm>
#include <chrono>

namespace lathe {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// One prompt and what has been generated for it.
struct Sequence {
  uint32_t slot;
  Sampler sampler;
  size_t room;  // how many more tokens it may get
  std::vector<int32_t> tokens;
  bool done = false;
};

size_t room_for(const Session& session, const std::vector<int32_t>& prompt, size_t index, size_t wanted) {
  const size_t most = session.model().max_tokens();
  if (prompt.empty()) fail(Errc::usage, message("prompt ", index + 1, " has no token"));
  if (prompt.size() >= most) {
    fail(Errc::usage, message("prompt ", index + 1, " has ", prompt.size(),
                              " tokens, which leaves no room for another: the model takes ", most, " in all"));
  }
  return std::min(wanted, most - prompt.size());
}

class Generation {
 public:
  Generation(Session& session, const std::vector<std::vector<int32_t>>& prompts, const GenerationOptions& options,
             const OnToken& on_token)
      : session_(session), prompts_(prompts), options_(options), on_token_(on_token) {
    size_t capacity = 0;
    for (size_t i = 0; i < prompts.size(); ++i) {
      const size_t room = room_for(session, prompts[i], i, options.max_new_tokens);
      sequences_.push_back({static_cast<uint32_t>(i), Sampler(options.sampling, i), room, {}});
      capacity = std::max(capacity, prompts[i].size() + room);
    }
    cache_.emplace(session.model(), prompts.size(), capacity, options.cache);
    const Program& program = session.model().program();
    width_ = program.values[program.outputs[0]].shape.size();
  }

  std::vector<std::vector<int32_t>> run(GenerationTimes* times) {
    const auto start = Clock::now();
    TokenBatch batch;
    std::vector<Sequence*> live;
    for (Sequence& sequence : sequences_) {
      batch.add(prompts_[sequence.slot]);
      live.push_back(&sequence);
    }
    const size_t prompt_tokens = batch.tokens();
    if (options_.max_new_tokens > 0 && !live.empty()) step(batch, live);
    const double prefill = seconds_since(start);
    const auto decode_start = Clock::now();
    size_t decoded = 0;
    for (;;) {
      std::erase_if(live, [](const Sequence* sequence) { return sequence->done || sequence->room == 0; });
      if (live.empty()) break;
      batch = {};
      for (const Sequence* sequence : live) batch.add(std::span(&sequence->tokens.back(), 1));
      decoded += live.size();
      step(batch, live);
    }
    if (times != nullptr) *times = {prefill, seconds_since(decode_start), prompt_tokens, decoded, cache_->bytes()};
    std::vector<std::vector<int32_t>> result;
    for (Sequence& sequence : sequences_) result.push_back(std::move(sequence.tokens));
    return result;
  }

 private:
  void step(const TokenBatch& batch, const std::vector<Sequence*>& live) {
    std::vector<uint32_t> slots;
    for (const Sequence* sequence : live) slots.push_back(sequence->slot);
    RunOptions run{&*cache_, slots, true};
    if (options_.sampling.temperature == 0) {
      std::vector<int32_t> tokens(live.size());
      run.top_tokens = tokens;
      float* const outputs[] = {nullptr};
      session_.run(batch, {}, outputs, run);
      for (size_t i = 0; i < live.size(); ++i) take(*live[i], tokens[i]);
      return;
    }
    logits_.resize(live.size() * width_);
    float* const outputs[] = {logits_.data()};
    session_.run(batch, {}, outputs, run);
    for (size_t i = 0; i < live.size(); ++i) {
      take(*live[i], live[i]->sampler.draw(std::span(logits_).subspan(i * width_, width_)));
    }
  }

  void take(Sequence& sequence, int32_t token) {
    const auto& stops = options_.stop_ids;
    sequence.done = std::find(stops.begin(), stops.end(), token) != stops.end();
    if (sequence.done) return;
    sequence.tokens.push_back(token);
    --sequence.room;
    if (on_token_ && !on_token_(sequence.slot, token)) sequence.done = true;
  }

  Session& session_;
  const std::vector<std::vector<int32_t>>& prompts_;
  const GenerationOptions& options_;
  const OnToken& on_token_;
  std::vector<Sequence> sequences_;
  std::optional<KvCache> cache_;
  size_t width_ = 0;
  std::vector<float> logits_;
};

}  // namespace

bool is_generator(const Program& program) {
  const auto pools = [](const Op& op) { return op.is<ops::Pool>(); };
  if (std::any_of(program.ops.begin(), program.ops.end(), pools)) return false;
  return is_causal(program) && program.inputs.empty() && program.outputs.size() == 1 &&
         program.values[program.outputs[0]].rows == RowKind::tokens;
}

std::vector<std::vector<int32_t>> generate(Session& session, const std::vector<std::vector<int32_t>>& prompts,
                                           const GenerationOptions& options, const OnToken& on_token,
                                           GenerationTimes* times) {
  if (!is_generator(session.model().program())) fail(Errc::usage, "this model does not generate text");
  return Generation(session, prompts, options, on_token).run(times);
}

}  // namespace lathe
