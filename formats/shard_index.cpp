#include "formats/shard_index.h"

#include <algorithm>

#include "formats/json.h"
#include "formats/tensor_name.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr size_t kMaxFileName = 255;

void check_file_name(const std::string& name, const std::string& tensor, std::string_view path) {
  const bool bare = !name.empty() && name != "." && name != ".." && name.size() <= kMaxFileName &&
                    name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
  if (bare) return;
  fail(Errc::malformed, message(path, ": weight_map sends tensor ", printable(tensor), " to \"", printable(name),
                                "\", expected the bare name of a file in the same folder"));
}

ShardIndex from_json(const Json& root, std::string_view path) {
  const std::string subject = message(path, ": weight_map");
  if (!root.is_object()) fail(Errc::malformed, message(path, " is ", root.excerpt(), ", expected an object"));
  const Json::Object& map = root.at("weight_map", path).members(subject);
  if (map.empty()) fail(Errc::malformed, message(subject, " is empty"));
  if (map.size() > kMaxTensors) {
    fail(Errc::limit, message(subject, " lists ", map.size(), " tensors, the limit is ", kMaxTensors));
  }
  ShardIndex index;
  for (const Json::Member& member : map) {
    check_tensor_name(member.key, path);
    const std::string& shard = member.value.as_string(message(subject, ": ", printable(member.key)));
    check_file_name(shard, member.key, path);
    index.shards.push_back(shard);
  }
  std::sort(index.shards.begin(), index.shards.end());
  index.shards.erase(std::unique(index.shards.begin(), index.shards.end()), index.shards.end());
  if (index.shards.size() > kMaxShards) {
    fail(Errc::limit, message(subject, " names ", index.shards.size(), " shards, the limit is ", kMaxShards));
  }
  for (const Json::Member& member : map) {
    const auto shard = std::lower_bound(index.shards.begin(), index.shards.end(), member.value.as_string());
    index.tensors.push_back({member.key, static_cast<size_t>(shard - index.shards.begin())});
  }
  std::sort(index.tensors.begin(), index.tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  const Json* metadata = root.find("metadata");
  const Json* total = metadata == nullptr ? nullptr : metadata->find("total_size");
  if (total != nullptr && total->is_u64()) index.total_size = total->as_u64();
  return index;
}

}  // namespace

ShardIndex parse_shard_index(std::string_view text, std::string_view path) {
  return from_json(parse_json(text, path), path);
}

ShardIndex read_shard_index(const std::filesystem::path& path) {
  return from_json(read_json_file(path), path.string());
}

}  // namespace lathe
