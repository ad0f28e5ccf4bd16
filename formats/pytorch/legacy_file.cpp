#include "formats/pytorch/legacy_file.h"

#include <algorithm>
#include <utility>

#include "formats/pytorch/unpickler.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr std::string_view kMagic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
constexpr std::string_view kProtocol = "\x80\x02M\xe9\x03.";  // 1001

class LegacyReader {
 public:
  LegacyReader(Bytes file, std::string_view path) : file_(file), path_(path), at_(kMagic.size()) {}

  TorchContents run(TorchNames names) {
    if (!rest().starts_with(kProtocol)) {
      fail(Errc::malformed, message(path_, ": a legacy PyTorch file whose protocol (byte ", at_, ") is not 1001"));
    }
    at_ += kProtocol.size();
    TorchContents contents;
    contents.is_big_endian = is_big_endian(next_pickle("the pickle of the machine"));
    const PickleGraph graph = next_pickle("the pickle of the object");
    const PickleGraph keys = next_pickle("the pickle of the keys");
    contents.records = read_records(graph, keys);
    take_state(contents, find_state_dict(graph, path_), graph, names, path_);
    return contents;
  }

 private:
  std::string_view rest() const {
    return {reinterpret_cast<const char*>(file_.data()) + at_, static_cast<size_t>(file_.size() - at_)};
  }

  PickleGraph next_pickle(std::string_view what) {
    PickleGraph graph = unpickle_first(rest(), message(path_, ": ", what, " at byte ", at_, ":"));
    at_ += graph.pickle.size();
    return graph;
  }

  bool is_big_endian(const PickleGraph& machine) const {
    if (machine.root.kind == PickleKind::dict) {
      const std::vector<PickleValue>& items = machine.items(machine.root);
      for (size_t i = 0; i + 1 < items.size(); i += 2) {
        const bool is_it = items[i].kind == PickleKind::text && machine.text(items[i]) == "little_endian";
        if (is_it && items[i + 1].kind == PickleKind::boolean) return items[i + 1].integer == 0;
      }
    }
    fail(Errc::malformed, message(path_, ": the description of the machine has no boolean little_endian"));
  }

  /// The storages stand in the order of the keys, each once.
  std::vector<ZipMember> read_records(const PickleGraph& graph, const PickleGraph& keys) {
    if (keys.root.kind != PickleKind::list || keys.items(keys.root).size() != graph.storages.size()) {
      fail(Errc::malformed, message(path_, ": the keys of storages are ", kind_text(keys.root.kind),
                                    ", expected a list ", "of the ", graph.storages.size(), " that the object has"));
    }
    std::vector<ZipMember> records(graph.storages.size());
    std::vector<std::pair<std::string_view, size_t>> storages;
    for (size_t i = 0; i < graph.storages.size(); ++i) storages.emplace_back(graph.storages[i].key, i);
    std::sort(storages.begin(), storages.end());
    for (const PickleValue& value : keys.items(keys.root)) {
      const std::string_view key = value.kind == PickleKind::text ? keys.text(value) : std::string_view();
      const auto found = std::lower_bound(storages.begin(), storages.end(), std::pair(key, size_t{0}));
      if (found == storages.end() || found->first != key || !records[found->second].name.empty()) {
        fail(Errc::malformed, message(path_, ": the keys of storages have ", printable(key),
                                      ", which the object does not have or which was there before"));
      }
      records[found->second] = read_record(graph.storages[found->second]);
    }
    if (at_ == file_.size()) return records;
    fail(Errc::malformed, message(path_, ": ", file_.size() - at_, " bytes follow the last storage (byte ", at_, ")"));
  }

  ZipMember read_record(const PickleStorage& storage) {
    const std::string subject = message(path_, ": storage ", printable(storage.key));
    const uint64_t left = file_.size() - at_;
    if (left < sizeof(uint64_t)) {
      fail(Errc::malformed, message(subject, ": the file ends at byte ", file_.size(), ": it is truncated"));
    }
    const auto elements = load_le<uint64_t>(file_.data() + at_);
    if (elements != storage.elements) {
      fail(Errc::malformed,
           message(subject, " has ", elements, " elements (byte ", at_, "), but the pickle says ", storage.elements));
    }
    ZipMember record;
    record.name = storage.key;
    record.header = at_;
    record.begin = at_ + sizeof(uint64_t);
    record.bytes = record.stored_bytes = elements * storage.type->bytes;  // checked when the pickle was read
    if (!contains(file_.size(), record.begin, record.bytes)) {
      fail(Errc::malformed, message(subject, " has ", record.bytes, " bytes from byte ", record.begin,
                                    ", but the file has ", file_.size(), ": it is truncated"));
    }
    at_ = record.begin + record.bytes;
    return record;
  }

  Bytes file_;
  std::string path_;
  uint64_t at_;  // how much has been read
};

}  // namespace

bool is_legacy_file(Bytes file) noexcept {
  return std::string_view(reinterpret_cast<const char*>(file.data()), file.size()).starts_with(kMagic);
}

TorchContents read_legacy_file(Bytes file, std::string_view path, TorchNames names) {
  return LegacyReader(file, path).run(names);
}

}  // namespace lathe
