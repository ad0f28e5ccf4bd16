#include "runtime/text/template/context.h"

#include <algorithm>

#include "runtime/text/template/values/operators.h"

namespace lathe::jinja {

void Context::fail_here(Errc code, const std::string& text) const {
  fail(code, message(name_, ": line ", line_, ": ", text));
}

void Context::fail_steps() const {
  fail_here(Errc::limit, message("the template takes more than ", limits_.steps, " steps"));
}

void Context::check_text(size_t bytes) const {
  if (bytes > limits_.text_bytes) {
    fail_here(Errc::limit, message("a text of ", bytes, " bytes, the limit is ", limits_.text_bytes));
  }
}

Value Context::text(std::string bytes, bool markup) {
  charge_bytes(bytes.size());
  check_text(bytes.size());
  return make_text(std::move(bytes), markup);
}

Value Context::sequence(SequenceKind kind, Values items, std::string shown) {
  charge(1 + items.size());
  auto made = std::make_shared<Sequence>();
  for (const Value& item : items) made->depth = std::max(made->depth, depth_of(item) + 1);
  if (made->depth > kMaxValueDepth) {
    fail_here(Errc::limit, message("values nested ", made->depth, " deep, the limit is ", kMaxValueDepth));
  }
  made->kind = kind;
  made->items = std::move(items);
  made->shown = std::move(shown);
  return std::shared_ptr<const Sequence>(std::move(made));
}

Value Context::dict(std::vector<Entry> entries) {
  auto made = std::make_shared<Dict>();
  for (Entry& entry : entries) {
    check_key(*this, entry.key);
    const size_t known = find_key(*this, *made, entry.key);
    made->depth = std::max(made->depth, depth_of(entry.value) + 1);
    if (known < made->entries.size()) {
      made->entries[known].value = std::move(entry.value);
    } else {
      made->entries.push_back(std::move(entry));
    }
  }
  if (made->depth > kMaxValueDepth) {
    fail_here(Errc::limit, message("values nested ", made->depth, " deep, the limit is ", kMaxValueDepth));
  }
  return std::shared_ptr<const Dict>(std::move(made));
}

Namespace* Context::make_namespace() {
  charge(kBytesPerStep);
  namespaces_.push_back(std::make_unique<Namespace>());
  return namespaces_.back().get();
}

Nesting::Nesting(const Context& context, uint32_t& depth) : depth_(depth) {
  if (depth >= context.limits().call_depth) {
    context.fail_here(Errc::limit, message("nested more than ", depth, " deep"));
  }
  ++depth_;
}

}  // namespace lathe::jinja
