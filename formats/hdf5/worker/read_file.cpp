#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "formats/hdf5/worker/confine.h"
#include "formats/hdf5/worker/contents.h"
#include "formats/hdf5/worker/files.h"
#include "formats/json.h"
#include "formats/safetensors/safetensors_writer.h"
#include "formats/text.h"

namespace lathe::hdf5 {
namespace {

// What a file may grow to: small ones as far as deflate goes, but not beyond this; large ones to this many times their
// size. Weights of float numbers hardly shrink, so only files made for it come near.
constexpr uint64_t kMaxExpansion = 1100;
constexpr uint64_t kMaxSmall = uint64_t{4} << 30;
constexpr uint64_t kMaxGrowth = 16;

void write_at(uint64_t offset, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(kOutput, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(Errc::io, message("its tensors cannot be kept: ", std::strerror(errno)));
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
}

std::string metadata_of(const Contents& contents) {
  Json attributes = Json::object();
  for (const auto& [group, values] : contents.attributes) {
    Json of_group = Json::object();
    for (const auto& [name, texts] : values) {
      Json list = Json::array();
      for (const std::string& text : texts) list.push(text);
      of_group.append({name, std::move(list)});
    }
    attributes.append({group, std::move(of_group)});
  }
  Json ignored = Json::object();
  for (const auto& [path, what] : contents.ignored) ignored.append({path, what});
  return to_text(Json::object({{"attributes", std::move(attributes)}, {"ignored", std::move(ignored)}}));
}

SafetensorsPlan plan_output(const Contents& contents, uint64_t file_bytes) {
  std::map<std::string, SafetensorsTensor> tensors;
  for (const auto& [path, facts] : contents.datasets) tensors[path] = {facts.dtype, facts.shape};
  SafetensorsPlan plan = plan_safetensors("datasets", tensors, {{"hdf5", metadata_of(contents)}});
  const uint64_t most = std::min(checked_mul(file_bytes, kMaxExpansion, "size"),
                                 std::max(kMaxSmall, checked_mul(file_bytes, kMaxGrowth, "size")));
  if (plan.file_bytes > most + plan.head.size()) {
    fail(Errc::limit, message("its tensors have ", plan.file_bytes, " bytes, the limit for a file of ", file_bytes,
                              " bytes is ", most));
  }
  return plan;
}

}  // namespace

void read_file() {
  struct stat info {};
  if (::fstat(kInput, &info) != 0) fail(Errc::io, message("cannot look at it: ", std::strerror(errno)));
  const auto file_bytes = static_cast<uint64_t>(info.st_size);
  const Bounds bounds = bounds_of(file_bytes);
  const Handle access = file_access();
  const Handle file(checked(H5Fopen("/proc/self/fd/0", H5F_ACC_RDONLY, access.get()), "the file"), H5Fclose);
  confine();
  const Contents contents = list_contents(file.get(), bounds);
  const SafetensorsPlan plan = plan_output(contents, file_bytes);
  if (::ftruncate(kOutput, static_cast<off_t>(plan.file_bytes)) != 0) {
    fail(Errc::io, message("its tensors cannot be kept: ", std::strerror(errno)));
  }
  for (const SafetensorsPlan::Place& place : plan.places) {
    const std::string what = "dataset /" + printable(place.name);
    const Handle dataset(checked(H5Dopen2(file.get(), place.name.c_str(), H5P_DEFAULT), what), H5Dclose);
    read_dataset(dataset.get(), what, [&](uint64_t offset, Bytes bytes) { write_at(place.offset + offset, bytes); });
  }
  write_at(0, plan.head);  // last, so that a part of the output is never taken for the whole
}

}  // namespace lathe::hdf5
