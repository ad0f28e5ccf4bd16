#pragma once
// What everything that runs in a template shares: the limits, the line at hand, and the making of values that are paid
// for.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/artifact/error.h"
#include "runtime/text/template/limits.h"
#include "runtime/text/template/values/value.h"

namespace lathe::jinja {

/// Of one rendering, on one thread.
class Context {
 public:
  /// `name` stands in messages, as in "tokenizer_config.json: chat_template", and outlives this.
  Context(std::string_view name, const Limits& limits, const Moment& now) : name_(name), limits_(limits), now_(now) {}

  /// Throws Error{limit} when no steps are left.
  void charge(uint64_t steps) {
    if (steps > limits_.steps - used_) fail_steps();
    used_ += steps;
  }
  void charge_bytes(size_t bytes) { charge(1 + bytes / kBytesPerStep); }
  /// Throws Error{limit} when a text of this size is too long.
  void check_text(size_t bytes) const;

  Value text(std::string bytes, bool markup = false);
  Value boolean(bool value) const { return value; }
  /// Throws Error{limit} when it nests too deeply.
  Value sequence(SequenceKind kind, Values items, std::string shown = "");
  Value list(Values items) { return sequence(SequenceKind::list, std::move(items)); }
  Value iterator(Values items) { return sequence(SequenceKind::iterator, std::move(items)); }
  /// A key that comes again has the last value, at the first place. Throws Error{malformed} for a key that cannot be
  /// one.
  Value dict(std::vector<Entry> entries);
  Namespace* make_namespace();

  /// Throws Error{malformed} with the template and the line at hand.
  template <class... Parts>
  [[noreturn]] void error(const Parts&... parts) const {
    fail_here(Errc::malformed, message(parts...));
  }
  [[noreturn]] void fail_here(Errc code, const std::string& text) const;

  const Moment& now() const { return now_; }
  const Limits& limits() const { return limits_; }
  void at_line(uint32_t line) { line_ = line; }
  uint32_t line() const { return line_; }

 private:
  [[noreturn]] void fail_steps() const;

  std::string_view name_;
  Limits limits_;
  Moment now_;
  uint64_t used_ = 0;
  uint32_t line_ = 0;
  std::vector<std::unique_ptr<Namespace>> namespaces_;
};

/// Counts how many wait for each other, for as long as it lives.
class Nesting {
 public:
  explicit Nesting(const Context& context, uint32_t& depth);
  ~Nesting() { --depth_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  uint32_t& depth_;
};

}  // namespace lathe::jinja
