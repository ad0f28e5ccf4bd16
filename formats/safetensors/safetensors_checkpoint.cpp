#include "formats/safetensors/safetensors_checkpoint.h"

#include <algorithm>
#include <utility>

#include "formats/artifact/mapped_file.h"
#include "formats/safetensors/safetensors.h"
#include "formats/safetensors/shard_index.h"
#include "formats/text.h"

namespace lathe {
namespace {

/// A mapped file and its checked header.
struct Shard {
  MappedFile file;
  SafetensorsHeader header;

  explicit Shard(const std::filesystem::path& path)
      : file(path), header(parse_safetensors(file.bytes(), file.path())) {}
};

/// Both kinds: a single file is one shard whose every tensor is listed.
class SafetensorsCheckpoint : public Checkpoint {
 public:
  explicit SafetensorsCheckpoint(const std::filesystem::path& file) : path_(file.string()) {
    shards_.emplace_back(file);
    for (const SafetensorsEntry& entry : shards_.front().header.entries) add(entry, 0);
  }

  SafetensorsCheckpoint(const std::filesystem::path& index_path, const ShardIndex& index) : path_(index_path.string()) {
    for (size_t i = 0; i < index.shards.size(); ++i) open_shard(index_path, index, i);
    for (const ShardIndex::Tensor& tensor : index.tensors) add_listed(index, tensor);
    look_for_unlisted(index);
    check_total_size(index);
    extra_files_.push_back({path_, MappedFile(index_path).bytes().size()});
  }

  const std::vector<std::string>& names() const override { return names_; }
  bool has(std::string_view name) const override { return find(name) != nullptr; }

  TensorView tensor(std::string_view name) const override {
    const Place* place = find(name);
    if (place == nullptr) fail(Errc::malformed, message(path_, ": tensor ", printable(name), " is missing"));
    const Shard& shard = shards_[place->shard];
    return view_of(*place->entry, shard.header, shard.file.bytes(), shard.file.path());
  }

  void release(std::string_view name) const noexcept override {
    const Place* place = find(name);
    if (place == nullptr) return;
    const Shard& shard = shards_[place->shard];
    shard.file.release(shard.file.bytes().subspan(shard.header.data_offset + place->entry->begin,
                                                  place->entry->end - place->entry->begin));
  }

  std::vector<SourceFile> files() const override {
    std::vector<SourceFile> files = extra_files_;
    for (const Shard& shard : shards_) files.push_back({shard.file.path(), shard.file.bytes().size()});
    return files;
  }

  std::string where(std::string_view name) const override {
    const Place* place = find(name);
    return place == nullptr ? path_ : shards_[place->shard].file.path();
  }

  std::vector<std::string> warnings() const override { return warnings_; }

 private:
  struct Place {
    const SafetensorsEntry* entry = nullptr;  // of a header in shards_, whose entries stay where they are
    size_t shard = 0;
  };

  const Place* find(std::string_view name) const {
    const auto found = std::lower_bound(names_.begin(), names_.end(), name);
    return found == names_.end() || *found != name ? nullptr : &places_[static_cast<size_t>(found - names_.begin())];
  }

  /// In the order of the names.
  void add(const SafetensorsEntry& entry, size_t shard) {
    names_.push_back(entry.name);
    places_.push_back({&entry, shard});
  }

  void open_shard(const std::filesystem::path& index_path, const ShardIndex& index, size_t i) {
    const std::filesystem::path shard_path = index_path.parent_path() / index.shards[i];
    try {
      shards_.emplace_back(shard_path);
    } catch (const Error& error) {
      if (error.code() != Errc::no_input) throw;
      const auto count = std::count_if(index.tensors.begin(), index.tensors.end(),
                                       [&](const ShardIndex::Tensor& tensor) { return tensor.shard == i; });
      fail(Errc::no_input, message(path_, ": shard ", printable(index.shards[i]), ", which should hold ", count,
                                   " tensors, cannot be read (", error.what(), ")"));
    }
  }

  void add_listed(const ShardIndex& index, const ShardIndex::Tensor& tensor) {
    const SafetensorsEntry* entry = shards_[tensor.shard].header.find(tensor.name);
    if (entry == nullptr) {
      fail(Errc::malformed, message(path_, ": tensor ", printable(tensor.name), " should be in shard ",
                                    index.shards[tensor.shard], ", which does not hold it"));
    }
    add(*entry, tensor.shard);
  }

  void look_for_unlisted(const ShardIndex& index) {
    std::vector<std::pair<std::string_view, size_t>> unlisted;  // name, shard
    for (size_t i = 0; i < shards_.size(); ++i) {
      for (const SafetensorsEntry& entry : shards_[i].header.entries) {
        const Place* place = find(entry.name);
        if (place == nullptr) {
          unlisted.emplace_back(entry.name, i);
        } else if (place->shard != i) {
          fail_two_shards(index, entry.name, place->shard, i);
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
    for (const Place& place : places_) total += place.entry->end - place.entry->begin;
    if (*index.total_size == total) return;
    warnings_.push_back(message(path_, ": total_size is ", *index.total_size, ", the tensors hold ", total, " bytes"));
  }

  std::string path_;
  std::vector<Shard> shards_;
  std::vector<std::string> names_;
  std::vector<Place> places_;  // of names_
  std::vector<SourceFile> extra_files_;
  std::vector<std::string> warnings_;
};

}  // namespace

std::unique_ptr<Checkpoint> open_safetensors(const std::filesystem::path& file) {
  return std::make_unique<SafetensorsCheckpoint>(file);
}

std::unique_ptr<Checkpoint> open_sharded_safetensors(const std::filesystem::path& index) {
  return std::make_unique<SafetensorsCheckpoint>(index, read_shard_index(index));
}

}  // namespace lathe
