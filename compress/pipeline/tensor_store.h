#pragma once
// Where finished tensors wait for the end of a compression: on disk, so that memory does not grow with the number of
// layers, and, where a folder is given, so that a killed run can go on behind the last finished group.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "formats/artifact/encoding.h"
#include "formats/artifact/mapped_file.h"
#include "formats/json.h"

namespace lathe {

/// Tensors by name, put in groups. Views of them live as long as the store. Not for use by several threads, but for
/// at() and tensors() between two changes.
class TensorStore {
 public:
  /// With a folder, which is made where it is missing, each group is a file there and stays. Without one, groups lie in
  /// unnamed files of $TMPDIR or else /var/tmp, which are gone with the process, whatever ends it. `job` says what the
  /// tensors depend on; a group of another job is refused. Throws Error{cannot_create}.
  TensorStore(std::filesystem::path folder, const Json& job);

  /// The facts of a group that an earlier run has put into the folder; its tensors are then there, too. Leftovers of a
  /// kill are no groups. Throws Error{usage} naming what differs when the group belongs to another job,
  /// Error{malformed} naming the file when it is damaged.
  std::optional<std::string> find(const std::string& group);
  /// The file of the folder appears complete or not at all. Throws Error{cannot_create, io}.
  void put(const std::string& group, const std::map<std::string, EncodedBuffer>& tensors, const std::string& facts);
  /// Keeps a tensor in memory, in place of the one with that name: for what is small, or was trained.
  void hold(const std::string& name, EncodedBuffer tensor);

  bool contains(const std::string& name) const { return tensors_.contains(name); }
  /// Throws Error{internal} when there is no such tensor.
  const EncodedTensor& at(const std::string& name) const;
  /// Sorted by name.
  const std::map<std::string, EncodedTensor>& tensors() const { return tensors_; }
  /// In memory, for training.
  std::map<std::string, EncodedBuffer> copies() const;
  /// Tells the system that nothing of this is needed for now: its pages stop counting as resident memory.
  void release() const noexcept;

 private:
  std::filesystem::path file_of(const std::string& group) const;
  void write_group(const std::string& group, const std::map<std::string, EncodedBuffer>& tensors,
                   const std::string& facts) const;
  void spill(const std::map<std::string, EncodedBuffer>& tensors);

  std::filesystem::path folder_;
  Json job_;
  std::vector<MappedFile> files_;
  std::map<std::string, EncodedBuffer> held_;
  std::map<std::string, EncodedTensor> tensors_;
};

}  // namespace lathe
