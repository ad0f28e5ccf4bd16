#include "formats/pytorch/pickle_machine.h"

#include "formats/pytorch/unpickler.h"
#include "formats/tensor_name.h"
#include "formats/text.h"

namespace lathe {

std::string PickleMachine::place() const { return message(where_, " byte ", opcode_at_, ": opcode ", opcode_name_); }

void PickleMachine::fail_here(const std::string& text, Errc code) const { fail(code, message(place(), " ", text)); }

void PickleMachine::fail_limit(std::string_view what, uint64_t limit) const {
  fail_here(message("makes more than ", limit, " ", what, ", which is the limit"), Errc::limit);
}

char PickleMachine::next_opcode() {
  if (remaining() == 0) {
    fail(Errc::malformed, message(where_, ": the pickle ends at byte ", at_, " without opcode STOP: it is truncated"));
  }
  opcode_at_ = at_;
  return graph_.pickle[at_++];
}

const char* PickleMachine::take(uint64_t count) {
  if (count > remaining()) {
    fail_here(message("needs ", count, " bytes, only ", remaining(), " are left: the pickle is truncated"));
  }
  const char* from = graph_.pickle.data() + at_;
  at_ += count;
  return from;
}

std::string_view PickleMachine::read_line() {
  const size_t end = graph_.pickle.find('\n', at_);
  if (end == std::string_view::npos) fail_here("has a name without an end: the pickle is truncated");
  const std::string_view line = graph_.pickle.substr(at_, end - at_);
  at_ = end + 1;
  return line;
}

void PickleMachine::push(const PickleValue& value) {
  if (stack_.size() >= kMaxPickleEntries) fail_limit("values on the stack", kMaxPickleEntries);
  stack_.push_back(value);
}

void PickleMachine::push_text(uint64_t length) {
  PickleValue value{PickleKind::text, static_cast<uint32_t>(take(length) - graph_.pickle.data())};
  if (length > kMaxPickleText) {
    fail_here(message("has a text of ", length, " bytes, the limit is ", kMaxPickleText), Errc::limit);
  }
  value.integer = static_cast<int64_t>(length);
  push(value);
}

const PickleValue& PickleMachine::top() const {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) fail_here("takes a value, but there is none");
  return stack_.back();
}

PickleValue PickleMachine::pop() {
  const PickleValue value = top();
  stack_.pop_back();
  return value;
}

PickleValue PickleMachine::pop_kind(PickleKind kind) {
  const PickleValue value = pop();
  if (value.kind != kind) fail_here(message("takes ", kind_text(kind), ", but there is ", kind_text(value.kind)));
  return value;
}

void PickleMachine::push_mark() {
  if (marks_.size() >= kMaxPickleEntries) fail_limit("marks", kMaxPickleEntries);
  marks_.push_back(stack_.size());
}

std::vector<PickleValue> PickleMachine::pop_to_mark() {
  if (marks_.empty()) fail_here("takes the values since the last MARK, but there is none");
  const auto from = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<PickleValue> values(from, stack_.end());
  stack_.erase(from, stack_.end());
  marks_.pop_back();
  return values;
}

void PickleMachine::put(uint64_t index) {
  if (index >= at_) fail_here(message("names memo entry ", index, ", more than the ", at_, " bytes so far can make"));
  if (index >= kMaxPickleEntries) fail_limit("memo entries", kMaxPickleEntries);
  const PickleValue value = top();
  if (index >= memo_.size()) memo_.resize(index + 1);
  memo_[index] = value;
}

void PickleMachine::get(uint64_t index) {
  if (index >= memo_.size() || !memo_[index]) fail_here(message("wants memo entry ", index, ", which is not there"));
  push(*memo_[index]);
}

void PickleMachine::stop() {
  graph_.root = pop();
  if (!stack_.empty() || !marks_.empty()) fail_here("leaves values on the stack");
  graph_.pickle.remove_suffix(remaining());
}

void PickleMachine::count(uint64_t more) {
  entries_ += more;
  if (entries_ > kMaxPickleEntries) fail_limit("values", kMaxPickleEntries);
}

PickleValue PickleMachine::new_container(PickleKind kind, std::vector<PickleValue> items) {
  count(1 + items.size());
  graph_.containers.push_back(std::move(items));
  return {kind, static_cast<uint32_t>(graph_.containers.size() - 1)};
}

void PickleMachine::extend(PickleKind kind, const std::vector<PickleValue>& items) {
  const PickleValue& target = top();
  if (target.kind != kind) fail_here(message("adds to ", kind_text(target.kind), ", expected ", kind_text(kind)));
  count(items.size());
  auto& held = graph_.containers[target.index];
  held.insert(held.end(), items.begin(), items.end());
}

PickleValue PickleMachine::add_global(const PickleGlobal& global) {
  count(1);
  graph_.globals.push_back(global);
  return {PickleKind::global, static_cast<uint32_t>(graph_.globals.size() - 1)};
}

PickleValue PickleMachine::add_tensor(PickleTensor tensor) {
  if (graph_.tensors.size() >= kMaxTensors) fail_limit("tensors", kMaxTensors);
  graph_.tensors.push_back(std::move(tensor));
  return {PickleKind::tensor, static_cast<uint32_t>(graph_.tensors.size() - 1)};
}

PickleValue PickleMachine::add_storage(PickleStorage storage) {
  storage.at = opcode_at_;
  const auto [found, is_new] = storage_of_key_.try_emplace(storage.key, static_cast<uint32_t>(graph_.storages.size()));
  if (is_new) {
    if (graph_.storages.size() >= kMaxTensors) fail_limit("storages", kMaxTensors);
    graph_.storages.push_back(storage);
    return {PickleKind::storage, found->second};
  }
  const PickleStorage& first = graph_.storages[found->second];
  if (first.type != storage.type || first.elements != storage.elements || first.is_untyped != storage.is_untyped) {
    fail_here(message("describes storage ", printable(storage.key), " as ", storage.elements, " elements of ",
                      storage.type->name, ", which is ", first.elements, " of ", first.type->name, " at byte ",
                      first.at));
  }
  return {PickleKind::storage, found->second};
}

}  // namespace lathe
