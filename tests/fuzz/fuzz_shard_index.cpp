// Any text as a shard index: an error, or bare file names and sorted tensors.

#include <algorithm>
#include <cstdlib>

#include "formats/artifact/error.h"
#include "formats/shard_index.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lathe;
  try {
    const ShardIndex index = parse_shard_index({reinterpret_cast<const char*>(data), size}, "fuzz.json");
    for (const std::string& shard : index.shards) {
      if (shard.empty() || shard == ".." || shard.find('/') != shard.npos || shard.find('\0') != shard.npos)
        std::abort();
    }
    for (const ShardIndex::Tensor& tensor : index.tensors) {
      if (tensor.shard >= index.shards.size()) std::abort();
    }
    if (!std::is_sorted(index.tensors.begin(), index.tensors.end(),
                        [](const auto& a, const auto& b) { return a.name < b.name; })) {
      std::abort();
    }
  } catch (const Error& error) {
    if (error.code() == Errc::internal) std::abort();
  }
  return 0;
}
