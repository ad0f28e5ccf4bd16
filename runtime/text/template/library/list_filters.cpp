// Filters on the items of lists and dicts.

#include <algorithm>

#include "runtime/text/template/library/library.h"
#include "runtime/text/template/values/operators.h"
#include "runtime/text/template/values/python_text.h"
#include "runtime/text/template/values/text_of.h"

namespace lathe::jinja {
namespace {

Value first(Context& context, const Value& subject, const Bound&) {
  const Sequence* sequence = subject.sequence();
  if (sequence != nullptr && sequence->taken < sequence->items.size()) {
    return sequence->items[sequence->is_iterator() ? sequence->taken++ : 0];
  }
  const Values items = items_of(context, subject);
  return items.empty() ? make_undefined("no first item, the sequence is empty") : items.front();
}

Value last(Context& context, const Value& subject, const Bound&) {
  const Sequence* sequence = subject.sequence();
  if (sequence != nullptr && sequence->is_iterator()) context.error("an iterator has no last item");
  const Values items = items_of(context, subject);
  return items.empty() ? make_undefined("no last item, the sequence is empty") : items.back();
}

Value list(Context& context, const Value& subject, const Bound&) { return context.list(items_of(context, subject)); }

Value reverse(Context& context, const Value& subject, const Bound&) {
  if (subject.text() != nullptr) return slice_of(context, subject, None{}, None{}, int64_t{-1});
  Values items = items_of(context, subject);
  std::reverse(items.begin(), items.end());
  const Sequence* sequence = subject.sequence();
  // What has no order from behind is collected in a list, which is given back itself.
  return sequence != nullptr && sequence->is_iterator() ? context.list(std::move(items))
                                                        : context.iterator(std::move(items));
}

Value items(Context& context, const Value& subject, const Bound&) {
  if (subject.is_undefined()) return context.iterator({});
  const Dict* dict = subject.dict();
  if (dict == nullptr) context.error("can only get item pairs from a mapping, not ", type_name(subject));
  Values pairs;
  for (const Entry& entry : dict->entries) {
    pairs.push_back(context.sequence(SequenceKind::tuple, {entry.key, entry.value}));
  }
  return context.iterator(std::move(pairs));
}

/// What an item is ordered by: a member of it, in lower case where case does not matter.
Value key_of(Context& context, const Value& item, const Value& attribute, bool with_case) {
  const bool whole = attribute.is_undefined() || attribute.is_none();
  const Value key = whole ? item : member_of(context, item, attribute);
  return with_case || key.text() == nullptr ? key : context.text(lower(*key.text()));
}

struct Keyed {
  Value key, item;
};

std::vector<Keyed> keyed(Context& context, const Values& items, const Value& attribute, bool with_case) {
  std::vector<Keyed> out;
  for (const Value& item : items) {
    const std::string* text = attribute.text();
    if (text != nullptr && text->find(',') != text->npos) {
      context.fail_here(Errc::unsupported, "sorting by several attributes is not supported in chat templates");
    }
    out.push_back({key_of(context, item, attribute, with_case), item});
  }
  return out;
}

void sort_by_key(Context& context, std::vector<Keyed>& items, bool backwards) {
  std::stable_sort(items.begin(), items.end(), [&](const Keyed& a, const Keyed& b) {
    return backwards ? compare(context, "<", b.key, a.key) < 0 : compare(context, "<", a.key, b.key) < 0;
  });
}

Value sort(Context& context, const Value& subject, const Bound& arguments) {
  std::vector<Keyed> items = keyed(context, items_of(context, subject), arguments[2], is_true(arguments[1]));
  sort_by_key(context, items, is_true(arguments[0]));
  Values out;
  for (Keyed& item : items) out.push_back(std::move(item.item));
  return context.list(std::move(out));
}

Value dict_sort(Context& context, const Value& subject, const Bound& arguments) {
  const Dict* dict = subject.dict();
  if (dict == nullptr) context.error("dictsort: a mapping is required, not ", type_name(subject));
  const std::string by = arguments.has(1) ? text_of(context, arguments[1]) : "key";
  if (by != "key" && by != "value") context.error("dictsort: sort by 'key' or 'value'");
  std::vector<Keyed> items;
  for (const Entry& entry : dict->entries) {
    const Value& key = by == "key" ? entry.key : entry.value;
    items.push_back({key_of(context, key, None{}, is_true(arguments[0])),
                     context.sequence(SequenceKind::tuple, {entry.key, entry.value})});
  }
  sort_by_key(context, items, is_true(arguments[2]));
  Values out;
  for (Keyed& item : items) out.push_back(std::move(item.item));
  return context.list(std::move(out));
}

Value unique(Context& context, const Value& subject, const Bound& arguments) {
  Values seen, out;
  for (Keyed& item : keyed(context, items_of(context, subject), arguments[1], is_true(arguments[0]))) {
    check_key(context, item.key);
    const bool is_known =
        std::any_of(seen.begin(), seen.end(), [&](const Value& one) { return equals(context, one, item.key); });
    if (is_known) continue;
    seen.push_back(std::move(item.key));
    out.push_back(std::move(item.item));
  }
  return context.iterator(std::move(out));
}

Value extreme(Context& context, const Value& subject, const Bound& arguments, int sign) {
  const std::vector<Keyed> items = keyed(context, items_of(context, subject), arguments[1], is_true(arguments[0]));
  if (items.empty()) return make_undefined("no aggregated item, the sequence is empty");
  const Keyed* best = &items[0];
  for (const Keyed& item : items) {
    if (compare(context, "<", item.key, best->key) * sign < 0) best = &item;
  }
  return best->item;
}
Value least(Context& context, const Value& subject, const Bound& arguments) {
  return extreme(context, subject, arguments, 1);
}
Value most(Context& context, const Value& subject, const Bound& arguments) {
  return extreme(context, subject, arguments, -1);
}

Value group_by(Context& context, const Value& subject, const Bound& arguments) {
  std::vector<Keyed> items = keyed(context, items_of(context, subject), arguments[0], is_true(arguments[1]));
  sort_by_key(context, items, false);
  Values out;
  for (size_t begin = 0, end = 0; begin < items.size(); begin = end) {
    Values group;
    while (end < items.size() && equals(context, items[end].key, items[begin].key)) group.push_back(items[end++].item);
    const Value key = key_of(context, group[0], arguments[0], true);
    out.push_back(context.sequence(SequenceKind::tuple, {key, context.list(std::move(group))}));
  }
  return context.list(std::move(out));
}

Value batch(Context& context, const Value& subject, const Bound& arguments) {
  int64_t count = 0;
  if (!as_integer(arguments[0], count) || count < 1) context.error("batch: the number of items must be 1 or more");
  Values out, row;
  for (const Value& item : items_of(context, subject)) {
    if (row.size() == static_cast<uint64_t>(count)) out.push_back(context.list(std::exchange(row, {})));
    row.push_back(item);
  }
  while (!row.empty() && arguments.has(1) && !arguments[1].is_none() && row.size() < static_cast<uint64_t>(count)) {
    context.charge(1);
    row.push_back(arguments[1]);
  }
  if (!row.empty()) out.push_back(context.list(std::move(row)));
  return context.iterator(std::move(out));
}

constexpr Routine kRows[] = {
    {"batch", "linecount fill_with", 1, batch},
    {"dictsort", "case_sensitive by reverse", 0, dict_sort},
    {"first", "", 0, first},
    {"groupby", "attribute case_sensitive", 1, group_by},
    {"items", "", 0, items},
    {"last", "", 0, last},
    {"list", "", 0, list},
    {"max", "case_sensitive attribute", 0, most},
    {"min", "case_sensitive attribute", 0, least},
    {"reverse", "", 0, reverse},
    {"sort", "reverse case_sensitive attribute", 0, sort},
    {"unique", "case_sensitive attribute", 0, unique},
};

}  // namespace

std::span<const Routine> list_filters() { return kRows; }

}  // namespace lathe::jinja
