#include "formats/pytorch/pickle_nesting.h"

#include <algorithm>

namespace lathe {
namespace {

bool has_container(PickleKind kind) {
  return kind == PickleKind::tuple || kind == PickleKind::list || kind == PickleKind::dict ||
         kind == PickleKind::object;
}

// A container that is being walked.
struct Level {
  uint32_t container = 0;
  size_t next = 0;      // of its items
  uint32_t height = 1;  // of what has been walked of it
};
constexpr uint32_t kUnseen = 0, kOpen = UINT32_MAX;  // in place of a height

}  // namespace

void check_nesting(const PickleGraph& graph, uint32_t max_depth, std::string_view where) {
  if (!has_container(graph.root.kind)) return;
  std::vector<uint32_t> heights(graph.containers.size(), kUnseen);
  std::vector<Level> levels = {{graph.root.index}};
  heights[graph.root.index] = kOpen;
  while (!levels.empty()) {
    Level& level = levels.back();
    const std::vector<PickleValue>& items = graph.containers[level.container];
    if (level.next == items.size()) {
      const uint32_t height = level.height;
      if (height > max_depth) {
        fail(Errc::limit, message(where, ": containers are nested deeper than the limit of ", max_depth));
      }
      heights[level.container] = height;
      levels.pop_back();
      if (!levels.empty()) levels.back().height = std::max(levels.back().height, height + 1);
      continue;
    }
    const PickleValue& item = items[level.next++];
    if (!has_container(item.kind)) continue;
    uint32_t& height = heights[item.index];
    if (height == kOpen) {
      fail(Errc::malformed, message(where, ": ", kind_text(item.kind), " contains itself"));
    }
    if (height == kUnseen) {
      height = kOpen;
      levels.push_back({item.index});  // invalidates `level`
    } else {
      level.height = std::max(level.height, height + 1);
    }
  }
}

}  // namespace lathe
