#pragma once
// What a pickle of torch.save holds, as values in an arena: a value refers to others by their index, so that no
// nesting, however deep, and no cycle costs stack or is ever freed twice.

#include <cstdint>
#include <string_view>
#include <vector>

#include "formats/pytorch/pickle_globals.h"

namespace lathe {

enum class PickleKind : uint8_t {
  none,
  boolean,
  integer,
  number,  // a float, whose value nobody needs
  text,
  tuple,
  list,
  dict,    // its container holds key, value, key, value …
  object,  // of a class of TorchScript; its container holds its state once it has one
  global,
  storage,
  tensor,
  opaque,  // something that no weight depends on
};

struct PickleValue {
  PickleKind kind = PickleKind::none;
  uint32_t index = 0;   // of the container, global, storage or tensor; where a text begins in the pickle
  int64_t integer = 0;  // boolean, integer; the length of a text
};

struct PickleStorage {
  std::string_view key;  // names its record in the archive
  const TorchType* type = nullptr;
  uint64_t elements = 0;
  bool is_untyped = false;  // elements are bytes
  uint64_t at = 0;          // byte of the pickle, for messages
};

/// A view of a storage: element (i, j, …) stands at offset + i * strides[0] + j * strides[1] + …, inside the storage.
struct PickleTensor {
  uint32_t storage = 0;
  const TorchType* type = nullptr;  // null where the layout is not read
  Shape shape;
  std::vector<uint64_t> strides;  // as many as dimensions
  uint64_t offset = 0;            // in elements
  std::string_view other_layout;  // the function that makes it, where the layout is not read
};

/// Texts and keys point into the pickle, which has to outlive the graph.
struct PickleGraph {
  std::string_view pickle;
  PickleValue root;
  std::vector<std::vector<PickleValue>> containers;
  std::vector<PickleGlobal> globals;
  std::vector<PickleStorage> storages;  // one for each key
  std::vector<PickleTensor> tensors;

  std::string_view text(const PickleValue& value) const {
    return pickle.substr(value.index, static_cast<uint64_t>(value.integer));
  }
  const std::vector<PickleValue>& items(const PickleValue& value) const { return containers[value.index]; }
};

/// "a list", for messages.
const char* kind_text(PickleKind kind) noexcept;

}  // namespace lathe
