#include "formats/hdf5/hdf5_writer.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "formats/artifact/atomic_file.h"
#include "formats/artifact/mapped_file.h"
#include "formats/hdf5/worker_process.h"
#include "formats/json.h"
#include "formats/safetensors/safetensors_writer.h"
#include "formats/text.h"
#include "formats/unnamed_file.h"

namespace lathe {
namespace {

/// A file without a name that is written from its beginning to its end.
class SpillWriter {
 public:
  SpillWriter() : folder_(spill_folder()), file_(open_unnamed_file(folder_)) {
    if (file_.get() < 0) fail(Errc::io, message(folder_, ": cannot create a temporary file: ", std::strerror(errno)));
  }

  void append(Bytes bytes) {
    pending_.insert(pending_.end(), bytes.begin(), bytes.end());
    if (pending_.size() >= kBlock) flush();
  }
  void flush() {
    for (Bytes left = pending_; !left.empty();) {
      const ssize_t written = ::write(file_.get(), left.data(), left.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(Errc::io, message(folder_, ": cannot write a temporary file: ", std::strerror(errno)));
      left = left.subspan(static_cast<size_t>(written));
    }
    pending_.clear();
  }
  int descriptor() const { return file_.get(); }
  std::string path() const { return file_.path(); }

 private:
  static constexpr size_t kBlock = size_t{1} << 20;

  std::string folder_;
  Descriptor file_;
  std::vector<std::byte> pending_;
};

Json attributes_json(const std::map<std::string, std::string>& attributes, const std::string& path) {
  Json json = Json::object();
  for (const auto& [name, text] : attributes) {
    if (name.empty() || name.size() + text.size() > kMaxHdf5Attribute) {
      fail(Errc::limit, message(path, ": attribute ", printable(name), " has ", text.size(), " bytes, the limit is ",
                                kMaxHdf5Attribute));
    }
    json.set(name, text);
  }
  return json;
}

void write_tensor(const Hdf5Output& tensor, uint64_t bytes, const std::string& path, SpillWriter& spill) {
  uint64_t written = 0;
  tensor.write([&](std::span<const float> values) {
    written += values.size_bytes();
    spill.append(std::as_bytes(values));
  });
  if (written != bytes) {
    fail(Errc::internal, message(path, ": tensor ", tensor.name, " ", shape_text(tensor.shape), " has ", written,
                                 " bytes, needs ", bytes));
  }
}

uint64_t copy_to(const std::filesystem::path& path, const std::string& from) {
  const MappedFile file(from);
  AtomicFile out(path);
  out.append(file.bytes());
  out.commit();
  return file.bytes().size();
}

}  // namespace

uint64_t write_hdf5(const std::filesystem::path& path, const std::vector<Hdf5Output>& tensors,
                    const std::map<std::string, std::string>& attributes) {
  const std::string where = path.string();
  const std::filesystem::path program = find_hdf5_worker();
  std::map<std::string, SafetensorsTensor> described;
  std::map<std::string, const Hdf5Output*> by_name;
  Json texts = Json::object({{"", attributes_json(attributes, where)}});
  for (const Hdf5Output& tensor : tensors) {
    if (!by_name.emplace(tensor.name, &tensor).second) {
      fail(Errc::internal, message(where, ": tensor ", tensor.name, " is given twice"));
    }
    described[tensor.name] = {DType::f32, tensor.shape};
    if (!tensor.attributes.empty()) texts.set(tensor.name, attributes_json(tensor.attributes, where));
  }
  const SafetensorsPlan plan = plan_safetensors(where, described, {{"hdf5", to_text(texts)}});
  SpillWriter spill;
  spill.append(plan.head);
  for (const SafetensorsPlan::Place& place : plan.places) {
    write_tensor(*by_name.at(place.name), place.bytes, where, spill);
  }
  spill.flush();
  const SpillWriter out;
  run_hdf5_worker(
      {program, "write", spill.descriptor(), out.descriptor(), hdf5_writing_limits(plan.file_bytes), where});
  return copy_to(path, out.path());
}

}  // namespace lathe
