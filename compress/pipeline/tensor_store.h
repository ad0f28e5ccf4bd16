#pragma once
// Finished tensors until the end of a compression. They are on disk, so that memory does not grow with the number of
// layers; in a folder of the user's, a run that was killed continues after the last finished group.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "formats/artifact/encoding.h"
#include "formats/artifact/mapped_file.h"
#include "formats/json.h"

namespace lathe {

/// Tensors by name, stored in groups. Views of them live as long as the store. Several threads may read while none
/// changes the store.
class TensorStore {
 public:
  /// With a folder, which is made where it is missing, each group is a file there and stays. Without one, groups are
  /// unnamed files in $TMPDIR or else in /var/tmp, which disappear with the process, whatever ends it. `job` describes
  /// all that the tensors depend on; a group of another job is refused. Throws Error{cannot_create}.
  TensorStore(std::filesystem::path folder, const Json& job);

  /// The facts of a group that an earlier run has put into the folder; its tensors are then in the store. What a killed
  /// run left half-written is not a group. Throws Error{usage} naming what differs when the group belongs to another
  /// job, Error{malformed} naming the file when it is damaged.
  std::optional<std::string> find(const std::string& group);
  /// Stores a group. Its file in the folder appears complete or not at all. Throws Error{cannot_create, io}.
  void put(const std::string& group, const std::map<std::string, EncodedBuffer>& tensors, const std::string& facts);
  /// Keeps a tensor in memory and replaces the one with that name: for tensors that are small or were trained.
  void hold(const std::string& name, EncodedBuffer tensor);

  bool contains(const std::string& name) const { return tensors_.contains(name); }
  /// Throws Error{internal} when there is no such tensor.
  const EncodedTensor& at(const std::string& name) const;
  /// Sorted by name.
  const std::map<std::string, EncodedTensor>& tensors() const { return tensors_; }
  /// All tensors in memory, for training.
  std::map<std::string, EncodedBuffer> copies() const;
  /// Tells the system that no stored tensor is needed for now, so that their pages stop counting as resident memory.
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
