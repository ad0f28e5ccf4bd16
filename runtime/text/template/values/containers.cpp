// How values are compared, searched and taken apart.

#include <algorithm>
#include <cmath>

#include "runtime/text/template/values/operators.h"
#include "runtime/text/template/values/python_text.h"
#include "runtime/text/template/values/text_of.h"

namespace lathe::jinja {
namespace {

bool equal_items(Context& context, const Values& a, const Values& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!equals(context, a[i], b[i])) return false;
  }
  return true;
}

bool equal_dicts(Context& context, const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const Entry& entry : a.entries) {
    const size_t at = find_key(context, b, entry.key);
    if (at == b.entries.size() || !equals(context, entry.value, b.entries[at].value)) return false;
  }
  return true;
}

int sign_of(int64_t a, int64_t b) { return a < b ? -1 : a > b ? 1 : 0; }

/// The bounds of a slice on `size` items, as Python has them.
struct Bounds {
  int64_t start, stop, step;
};

int64_t bound_or(const Value& value, int64_t fallback) {
  as_integer(value, fallback);
  return fallback;
}

bool is_bound(const Value& value) {
  int64_t number = 0;
  return value.is_none() || as_integer(value, number);
}

Bounds bounds_of(const Context& context, int64_t size, const Value& start, const Value& stop, const Value& step) {
  Bounds out{0, 0, bound_or(step, 1)};
  if (out.step == 0) context.error("slice step cannot be zero");
  const bool back = out.step < 0;
  const auto clamped = [&](int64_t at) {
    if (at < 0) at = std::max<int64_t>(at, -size - 1) + size;
    return back ? std::clamp<int64_t>(at, -1, size - 1) : std::clamp<int64_t>(at, 0, size);
  };
  out.start = start.is_none() ? (back ? size - 1 : 0) : clamped(bound_or(start, 0));
  out.stop = stop.is_none() ? (back ? -1 : size) : clamped(bound_or(stop, 0));
  return out;
}

template <class Take>
void walk(const Bounds& bounds, Take take) {
  if (bounds.step > 0) {
    for (int64_t at = bounds.start; at < bounds.stop; at += bounds.step) {
      take(static_cast<size_t>(at));
      if (bounds.step >= bounds.stop - at) return;  // the next would be beyond, or overflow
    }
  } else {
    for (int64_t at = bounds.start; at > bounds.stop; at += bounds.step) {
      take(static_cast<size_t>(at));
      if (bounds.step <= bounds.stop - at) return;
    }
  }
}

}  // namespace

bool equals(Context& context, const Value& a, const Value& b) {
  context.charge(1);
  double x = 0, y = 0;
  int64_t i = 0, j = 0;
  if (as_integer(a, i) && as_integer(b, j)) return i == j;
  if (as_number(a, x) && as_number(b, y)) return x == y;
  if (a.any().index() != b.any().index()) return false;
  if (const std::string* text = a.text()) {
    context.charge_bytes(std::min(text->size(), b.text()->size()));
    return *text == *b.text();
  }
  if (const Sequence* left = a.sequence()) {
    const Sequence& right = *b.sequence();
    return left == &right ||
           (left->kind == right.kind && !left->is_iterator() && equal_items(context, left->items, right.items));
  }
  if (const Dict* left = a.dict()) return left == b.dict() || equal_dicts(context, *left, *b.dict());
  if (Namespace* const* left = a.get<Namespace*>()) return *left == *b.get<Namespace*>();
  return a.is_none() || a.is_undefined();
}

int compare(Context& context, std::string_view sign, const Value& a, const Value& b) {
  context.charge(1);
  double x = 0, y = 0;
  int64_t i = 0, j = 0;
  if (as_integer(a, i) && as_integer(b, j)) return sign_of(i, j);
  if (as_number(a, x) && as_number(b, y)) {
    if (std::isnan(x) || std::isnan(y)) return sign.starts_with('<') ? 1 : -1;  // never true
    return x < y ? -1 : x > y ? 1 : 0;
  }
  if (a.text() != nullptr && b.text() != nullptr) {
    context.charge_bytes(std::min(a.text()->size(), b.text()->size()));
    return a.text()->compare(*b.text());  // the order of UTF-8 is that of code points
  }
  const Sequence *left = a.sequence(), *right = b.sequence();
  if (left != nullptr && right != nullptr && left->kind == right->kind && left->kind != SequenceKind::iterator) {
    for (size_t at = 0; at < std::min(left->items.size(), right->items.size()); ++at) {
      if (equals(context, left->items[at], right->items[at])) continue;
      return compare(context, sign, left->items[at], right->items[at]);
    }
    return sign_of(static_cast<int64_t>(left->items.size()), static_cast<int64_t>(right->items.size()));
  }
  for (const Value* value : {&a, &b}) {
    if (const Undefined* none = value->get<Undefined>()) context.error(undefined_message(*none));
  }
  context.error("'", sign, "' not supported between '", type_name(a), "' and '", type_name(b), "'");
}

bool contains(Context& context, const Value& item, const Value& container) {
  if (const std::string* text = container.text()) {
    if (const Undefined* none = item.get<Undefined>()) context.error(undefined_message(*none));
    if (item.text() == nullptr) context.error("'in <string>' requires a string, not '", type_name(item), "'");
    return find_text(context, *text, *item.text(), 0) != std::string::npos;
  }
  if (const Dict* dict = container.dict()) {
    check_key(context, item);
    return find_key(context, *dict, item) < dict->entries.size();
  }
  for (const Value& other : items_of(context, container)) {
    if (equals(context, item, other)) return true;
  }
  return false;
}

size_t find_key(Context& context, const Dict& dict, const Value& key) {
  for (size_t at = 0; at < dict.entries.size(); ++at) {
    if (equals(context, dict.entries[at].key, key)) return at;
  }
  return dict.entries.size();
}

void check_key(const Context& context, const Value& key) {
  const Sequence* sequence = key.sequence();
  if (key.dict() != nullptr || (sequence != nullptr && sequence->kind != SequenceKind::tuple)) {
    context.error("unhashable type: '", type_name(key), "'");
  }
}

Value item_of(Context& context, const Value& object, const Value& key) {
  context.charge(1);
  if (const Undefined* none = object.get<Undefined>()) context.error(undefined_message(*none));
  if (const Dict* dict = object.dict()) {
    check_key(context, key);
    const size_t at = find_key(context, *dict, key);
    if (at < dict->entries.size()) return dict->entries[at].value;
  }
  int64_t index = 0;
  const Sequence* sequence = object.sequence();
  if (as_integer(key, index) && (object.text() != nullptr || sequence != nullptr)) {
    const bool is_indexed = sequence == nullptr || (!sequence->is_iterator() && sequence->kind != SequenceKind::view);
    const size_t size = sequence != nullptr ? sequence->items.size() : length_of_text(context, *object.text());
    if (index < 0) index += static_cast<int64_t>(size);
    if (is_indexed && index >= 0 && static_cast<uint64_t>(index) < size) {
      if (sequence != nullptr) return sequence->items[static_cast<size_t>(index)];
      const std::vector<std::string_view> characters = characters_of(context, *object.text());
      return context.text(std::string(characters[static_cast<size_t>(index)]), object.get<Text>()->markup);
    }
  }
  return make_undefined(message("'", type_name(object), "' object has no element ", repr_of(context, key)));
}

Value slice_of(Context& context, const Value& object, const Value& start, const Value& stop, const Value& step) {
  if (const Undefined* none = object.get<Undefined>()) context.error(undefined_message(*none));
  if (!is_bound(start) || !is_bound(stop) || !is_bound(step)) {
    return make_undefined("the bounds of a slice are integers or none");
  }
  if (const std::string* text = object.text()) {
    const std::vector<std::string_view> characters = characters_of(context, *text);
    std::string out;
    walk(bounds_of(context, static_cast<int64_t>(characters.size()), start, stop, step),
         [&](size_t at) { out += characters[at]; });
    return context.text(std::move(out), object.get<Text>()->markup);
  }
  const Sequence* sequence = object.sequence();
  if (sequence == nullptr || sequence->is_iterator() || sequence->kind == SequenceKind::view) {
    return make_undefined(message("'", type_name(object), "' object has no slices"));
  }
  Values items;
  walk(bounds_of(context, static_cast<int64_t>(sequence->items.size()), start, stop, step),
       [&](size_t at) { items.push_back(sequence->items[at]); });
  return context.sequence(sequence->kind, std::move(items), sequence->shown);
}

Values items_of(Context& context, const Value& value) {
  Values items;
  if (const Sequence* sequence = value.sequence()) {
    items.assign(sequence->items.begin() + static_cast<ptrdiff_t>(sequence->taken), sequence->items.end());
    if (sequence->is_iterator()) sequence->taken = sequence->items.size();
  } else if (const Dict* dict = value.dict()) {
    for (const Entry& entry : dict->entries) items.push_back(entry.key);
  } else if (const std::string* text = value.text()) {
    for (const std::string_view one : characters_of(context, *text)) items.push_back(make_text(std::string(one)));
  } else if (!value.is_undefined()) {
    context.error("'", type_name(value), "' object is not iterable");
  }
  context.charge(1 + items.size());
  return items;
}

}  // namespace lathe::jinja
