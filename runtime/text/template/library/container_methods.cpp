// Methods of lists, dicts and loops.

#include "runtime/text/template/library/library.h"
#include "runtime/text/template/values/operators.h"

namespace lathe::jinja {
namespace {

Value place_of(Context& context, const Value& subject, const Bound& arguments) {
  const Values& items = subject.sequence()->items;
  for (size_t at = 0; at < items.size(); ++at) {
    if (equals(context, items[at], arguments[0])) return static_cast<int64_t>(at);
  }
  context.error("index: the value is not in the list");
}

Value count(Context& context, const Value& subject, const Bound& arguments) {
  int64_t found = 0;
  for (const Value& item : subject.sequence()->items) found += equals(context, item, arguments[0]) ? 1 : 0;
  return found;
}

/// Nothing changes a list or a dict, so that it may stand for its own copy.
Value copy(Context&, const Value& subject, const Bound&) { return subject; }

Value get(Context& context, const Value& subject, const Bound& arguments) {
  check_key(context, arguments[0]);
  const Dict& dict = *subject.dict();
  const size_t at = find_key(context, dict, arguments[0]);
  if (at < dict.entries.size()) return dict.entries[at].value;
  return arguments.has(1) ? arguments[1] : Value(None{});
}

Value keys(Context& context, const Value& subject, const Bound&) {
  Values out;
  for (const Entry& entry : subject.dict()->entries) out.push_back(entry.key);
  return context.sequence(SequenceKind::view, std::move(out), "dict_keys(");
}

Value values(Context& context, const Value& subject, const Bound&) {
  Values out;
  for (const Entry& entry : subject.dict()->entries) out.push_back(entry.value);
  return context.sequence(SequenceKind::view, std::move(out), "dict_values(");
}

Value items(Context& context, const Value& subject, const Bound&) {
  Values out;
  for (const Entry& entry : subject.dict()->entries) {
    out.push_back(context.sequence(SequenceKind::tuple, {entry.key, entry.value}));
  }
  return context.sequence(SequenceKind::view, std::move(out), "dict_items(");
}

Value cycle(Context& context, const Value& subject, const Bound& arguments) {
  const Values& given = arguments.rest().positional;
  if (given.empty()) context.error("loop.cycle: no items for cycling given");
  return given[(*subject.get<std::shared_ptr<LoopState>>())->index % given.size()];
}

constexpr Routine kLists[] = {{"copy", "", 0, copy}, {"count", "value", 1, count}, {"index", "value", 1, place_of}};
constexpr Routine kDicts[] = {{"copy", "", 0, copy},
                              {"get", "key default", 1, get},
                              {"items", "", 0, items},
                              {"keys", "", 0, keys},
                              {"values", "", 0, values}};
constexpr Routine kLoops[] = {{"cycle", "*", 0, cycle}};

}  // namespace

std::span<const Routine> list_methods() { return kLists; }
std::span<const Routine> dict_methods() { return kDicts; }
std::span<const Routine> loop_methods() { return kLoops; }

}  // namespace lathe::jinja
