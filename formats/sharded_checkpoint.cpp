#include "formats/sharded_checkpoint.h"

#include <algorithm>
#include <utility>

#include "formats/artifact/mapped_file.h"
#include "formats/shard_index.h"
#include "formats/text.h"

namespace lathe {
namespace {

class ShardedCheckpoint : public Checkpoint {
 public:
  ShardedCheckpoint(const std::filesystem::path& path, const ShardIndex& index, OpenShard open_shard)
      : path_(path.string()), index_bytes_(MappedFile(path).bytes().size()) {
    for (size_t i = 0; i < index.shards.size(); ++i) add_shard(path, index, i, open_shard);
    for (const ShardIndex::Tensor& tensor : index.tensors) add_listed(index, tensor);
    look_for_unlisted(index);
    check_total_size(index);
  }

  const std::vector<std::string>& names() const override { return names_; }
  bool has(std::string_view name) const override { return find(name) != nullptr; }

  TensorView tensor(std::string_view name) const override {
    const ShardFile* shard = find(name);
    if (shard == nullptr) fail(Errc::malformed, message(path_, ": tensor ", printable(name), " is missing"));
    return shard->tensor(name);
  }

  void release(std::string_view name) const noexcept override {
    const ShardFile* shard = find(name);
    if (shard != nullptr) shard->release(name);
  }

  std::vector<SourceFile> files() const override {
    std::vector<SourceFile> files = {{path_, index_bytes_}};
    for (const auto& shard : shards_) {
      const std::vector<SourceFile> more = shard->files();
      files.insert(files.end(), more.begin(), more.end());
    }
    return files;
  }

  std::string where(std::string_view name) const override {
    const ShardFile* shard = find(name);
    return shard == nullptr ? path_ : shard->where(name);
  }

  std::vector<std::string> warnings() const override { return warnings_; }

 private:
  /// The shard of a listed tensor, or null.
  const ShardFile* find(std::string_view name) const {
    const auto found = std::lower_bound(names_.begin(), names_.end(), name);
    if (found == names_.end() || *found != name) return nullptr;
    return shards_[places_[static_cast<size_t>(found - names_.begin())]].get();
  }

  void add_shard(const std::filesystem::path& index_path, const ShardIndex& index, size_t i, OpenShard open_shard) {
    try {
      shards_.push_back(open_shard(index_path.parent_path() / index.shards[i]));
    } catch (const Error& error) {
      if (error.code() != Errc::no_input) throw;
      const auto count = std::count_if(index.tensors.begin(), index.tensors.end(),
                                       [&](const ShardIndex::Tensor& tensor) { return tensor.shard == i; });
      fail(Errc::no_input, message(path_, ": shard ", printable(index.shards[i]), ", which should hold ", count,
                                   " tensors, cannot be read (", error.what(), ")"));
    }
    const std::vector<std::string> more = shards_.back()->warnings();
    warnings_.insert(warnings_.end(), more.begin(), more.end());
  }

  /// In the order of the names.
  void add_listed(const ShardIndex& index, const ShardIndex::Tensor& tensor) {
    if (!shards_[tensor.shard]->has(tensor.name)) {
      fail(Errc::malformed, message(path_, ": tensor ", printable(tensor.name), " should be in shard ",
                                    index.shards[tensor.shard], ", which does not hold it"));
    }
    names_.push_back(tensor.name);
    places_.push_back(tensor.shard);
  }

  void look_for_unlisted(const ShardIndex& index) {
    std::vector<std::pair<std::string_view, size_t>> unlisted;  // name, shard
    for (size_t i = 0; i < shards_.size(); ++i) {
      for (const std::string& name : shards_[i]->names()) {
        const auto listed = std::lower_bound(names_.begin(), names_.end(), name);
        if (listed == names_.end() || *listed != name) {
          unlisted.emplace_back(name, i);
        } else if (const size_t place = places_[static_cast<size_t>(listed - names_.begin())]; place != i) {
          fail_two_shards(index, name, place, i);
        }
      }
    }
    if (unlisted.empty()) return;
    std::sort(unlisted.begin(), unlisted.end());
    const auto twice = std::adjacent_find(unlisted.begin(), unlisted.end(),
                                          [](const auto& a, const auto& b) { return a.first == b.first; });
    if (twice != unlisted.end()) fail_two_shards(index, twice->first, twice->second, std::next(twice)->second);
    warnings_.push_back(message(path_, ": ", unlisted.size(), " tensors of the shards are not in weight_map and are ",
                                "ignored, the first is ", printable(unlisted.front().first), " in ",
                                index.shards[unlisted.front().second]));
  }

  [[noreturn]] void fail_two_shards(const ShardIndex& index, std::string_view name, size_t a, size_t b) const {
    fail(Errc::malformed, message(path_, ": tensor ", printable(name), " is in two shards, ", index.shards[a], " and ",
                                  index.shards[b]));
  }

  void check_total_size(const ShardIndex& index) {
    if (!index.total_size) return;
    uint64_t total = 0;  // of byte ranges that lie inside mapped files: cannot overflow
    for (size_t i = 0; i < names_.size(); ++i) total += shards_[places_[i]]->stored_bytes(names_[i]);
    if (*index.total_size == total) return;
    warnings_.push_back(message(path_, ": total_size is ", *index.total_size, ", the tensors hold ", total, " bytes"));
  }

  std::string path_;
  uint64_t index_bytes_ = 0;
  std::vector<std::unique_ptr<ShardFile>> shards_;
  std::vector<std::string> names_;
  std::vector<size_t> places_;  // of names_, into shards_
  std::vector<std::string> warnings_;
};

}  // namespace

std::unique_ptr<Checkpoint> open_sharded(const std::filesystem::path& index, OpenShard open_shard) {
  return std::make_unique<ShardedCheckpoint>(index, read_shard_index(index), open_shard);
}

}  // namespace lathe
