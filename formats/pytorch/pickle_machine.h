#pragma once
// What the opcodes of a pickle work on: the bytes, the stack with its marks, the memo, and the arena. All that grows is
// counted against the limits of unpickler.h.

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "formats/pytorch/pickle_value.h"

namespace lathe {

/// Not for several threads. Whatever a pickle asks for that cannot be is an Error{malformed} or Error{limit} that names
/// the opcode, its byte and what was expected.
class PickleMachine {
 public:
  /// `where` names file and record for messages. The pickle has to outlive the machine and its graph.
  PickleMachine(std::string_view pickle, std::string_view where) : where_(where) { graph_.pickle = pickle; }

  // The bytes.

  /// Moves on to the next opcode and returns its byte; `name_opcode` then says what messages call it.
  char next_opcode();
  void name_opcode(const char* name) { opcode_name_ = name; }
  uint64_t opcode_at() const { return opcode_at_; }
  uint64_t remaining() const { return graph_.pickle.size() - at_; }
  const char* take(uint64_t count);
  template <class T>
  T read() {
    return load_le<T>(reinterpret_cast<const std::byte*>(take(sizeof(T))));
  }
  /// Up to a line feed, which is left out.
  std::string_view read_line();

  // The stack. Values below the last mark are out of reach.

  void push(const PickleValue& value);
  void push_text(uint64_t length);
  const PickleValue& top() const;
  PickleValue pop();
  PickleValue pop_kind(PickleKind kind);
  void push_mark();
  /// What has been pushed since the last mark, which goes with it.
  std::vector<PickleValue> pop_to_mark();

  // The memo.

  void put(uint64_t index);
  void get(uint64_t index);

  // The arena.

  const PickleGraph& graph() const { return graph_; }
  PickleValue new_container(PickleKind kind, std::vector<PickleValue> items);
  /// Adds to the container on top of the stack, which must be of the kind.
  void extend(PickleKind kind, const std::vector<PickleValue>& items);
  PickleValue add_global(const PickleGlobal& global);
  PickleValue add_tensor(PickleTensor tensor);
  /// Every mention of a key has to describe the same storage.
  PickleValue add_storage(PickleStorage storage);

  // The end.

  /// Makes the one value that is left the root of the graph, and what has been read its pickle.
  void stop();
  /// Of a machine that has stopped.
  PickleGraph take_graph() { return std::move(graph_); }

  // Messages.

  /// File, record, byte and opcode.
  std::string place() const;
  [[noreturn]] void fail_here(const std::string& text, Errc code = Errc::malformed) const;

 private:
  void count(uint64_t more);
  [[noreturn]] void fail_limit(std::string_view what, uint64_t limit) const;

  PickleGraph graph_;
  std::string where_;
  uint64_t at_ = 0;
  uint64_t opcode_at_ = 0;
  const char* opcode_name_ = "";
  uint64_t entries_ = 0;  // of the arena
  std::vector<PickleValue> stack_;
  std::vector<size_t> marks_;  // sizes of the stack
  std::vector<std::optional<PickleValue>> memo_;
  std::unordered_map<std::string_view, uint32_t> storage_of_key_;
};

}  // namespace lathe
