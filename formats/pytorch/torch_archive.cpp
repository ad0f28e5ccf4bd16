#include "formats/pytorch/torch_archive.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "formats/pytorch/unpickler.h"
#include "formats/pytorch/zip_member.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr uint64_t kMaxVersion = 10;

std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// An archive while it is read.
class ArchiveReader {
 public:
  ArchiveReader(Bytes file, std::string_view path) : file_(file), path_(path), zip_(read_zip_directory(file, path)) {
    find_root();
    check_version();
  }

  TorchContents run(TorchNames names) {
    TorchContents contents;
    contents.is_big_endian = is_big_endian();
    const bool is_script = find("constants.pkl") != nullptr;
    std::vector<std::byte> buffer;
    const PickleGraph graph = read_pickle("data.pkl", buffer);
    check_script_classes(graph, is_script);
    contents.records = find_records(graph, "data/");
    StateDict state = is_script ? find_script_tensors(graph, path_) : find_state_dict(graph, path_);
    if (is_script) check_constants();
    take_state(contents, std::move(state), graph, names, path_);
    note_checksums(contents);
    return contents;
  }

 private:
  /// All members stand in one folder, whatever it is called.
  void find_root() {
    if (zip_.members.empty()) fail(Errc::malformed, message(path_, ": an archive without members"));
    const std::string& first = zip_.members.front().name;
    const size_t slash = first.find('/');
    if (slash == std::string::npos || slash == 0) {
      fail(Errc::malformed, message(path_, ": member ", printable(first), " is in no folder: no file of torch.save"));
    }
    root_ = first.substr(0, slash + 1);
    for (const ZipMember& member : zip_.members) {
      if (member.name.starts_with(root_)) continue;
      fail(Errc::malformed, message(path_, ": members ", printable(first), " and ", printable(member.name),
                                    " are in two folders, expected one"));
    }
  }

  const ZipMember* find(std::string_view name) const { return zip_.find(root_ + std::string(name)); }

  const ZipMember& require_member(std::string_view name) const {
    const ZipMember* member = find(name);
    if (member == nullptr) {
      fail(Errc::malformed, message(path_, ": no member ", printable(root_), printable(name), ": the archive is ",
                                    "incomplete or no file of torch.save"));
    }
    return *member;
  }

  /// The member's content, in `buffer` where it is compressed.
  std::string_view read(const ZipMember& member, std::vector<std::byte>& buffer) const {
    Bytes data = stored_data(member, file_);
    if (member.is_deflated) {
      buffer.resize(member.bytes);
      inflate_member(member, file_, path_, buffer);
      data = buffer;
    }
    check_crc(member, data, path_);
    return text_of(data);
  }

  void check_version() const {
    const ZipMember* hidden = find(".data/version");  // where newer files have it
    const ZipMember& member = hidden != nullptr ? *hidden : require_member("version");
    std::vector<std::byte> buffer;
    const std::string_view text = trimmed(read(member, buffer).substr(0, 32));
    const std::string_view digits = text.substr(0, text.find_last_not_of("\r\n") + 1);
    uint64_t version = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), version);
    if (error == std::errc() && end == digits.data() + digits.size() && version >= 1 && version <= kMaxVersion) return;
    fail(Errc::malformed, message(path_, ": member ", printable(member.name), " is \"", printable(digits),
                                  "\", expected a version from 1 to ", kMaxVersion));
  }

  bool is_big_endian() const {
    const ZipMember* member = find("byteorder");
    if (member == nullptr) return false;
    std::vector<std::byte> buffer;
    const std::string_view order = read(*member, buffer);
    if (order == "little" || order == "big") return order == "big";
    fail(Errc::malformed, message(path_, ": member ", printable(member->name), " is \"", printable(order),
                                  "\", expected \"little\" or \"big\""));
  }

  PickleGraph read_pickle(std::string_view name, std::vector<std::byte>& buffer) const {
    const ZipMember& member = require_member(name);
    return unpickle(read(member, buffer), message(path_, ": ", name));
  }

  void check_script_classes(const PickleGraph& graph, bool is_script) const {
    if (is_script) return;
    for (const PickleGlobal& global : graph.globals) {
      if (global.role != GlobalRole::script_class) continue;
      fail(Errc::malformed,
           message(path_, ": the pickle names the TorchScript class ", printable(global.module), ".",
                   printable(global.name), ", but there is no member ", printable(root_), "constants.pkl"));
    }
  }

  /// Code refers to its constants, which are read to see that the archive is whole.
  void check_constants() const {
    std::vector<std::byte> buffer;
    find_records(read_pickle("constants.pkl", buffer), "constants/");
  }

  std::vector<ZipMember> find_records(const PickleGraph& graph, std::string_view folder) const {
    std::vector<ZipMember> records;
    records.reserve(graph.storages.size());
    for (const PickleStorage& storage : graph.storages) {
      const ZipMember& record = require_member(std::string(folder) + std::string(storage.key));
      const uint64_t bytes = storage.elements * storage.type->bytes;  // checked when it was read
      if (record.bytes != bytes) {
        fail(Errc::malformed, message(path_, ": member ", printable(record.name), " has ", record.bytes,
                                      " bytes, but the pickle says ", storage.elements, " elements of ",
                                      storage.type->name, ", which is ", bytes, " (byte ", storage.at, " of it)"));
      }
      records.push_back(record);
    }
    return records;
  }

  void note_checksums(TorchContents& contents) const {
    const auto is_unchecked = [](const ZipMember& record) { return record.crc == 0 && record.bytes > 0; };
    const auto count = std::count_if(contents.records.begin(), contents.records.end(), is_unchecked);
    if (count == 0) return;
    contents.notes.push_back(message(path_, ": ", count, " of ", contents.records.size(),
                                     " records have no checksum, so that damage to them is not found"));
  }

  Bytes file_;
  std::string path_;
  ZipDirectory zip_;
  std::string root_;  // with its slash
};

}  // namespace

TorchContents read_torch_archive(Bytes file, std::string_view path, TorchNames names) {
  return ArchiveReader(file, path).run(names);
}

}  // namespace lathe
