#include "formats/converted_checkpoint.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "formats/text.h"
#include "formats/unnamed_file.h"

namespace lathe {
namespace {

uint64_t page_bytes() { return static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)); }

}  // namespace

/// Converted tensors in the order in which they were asked for, each from a page of its own on.
class ConvertedCheckpoint::Spill {
 public:
  explicit Spill(const std::map<std::string, TensorConversion, std::less<>>& conversions) {
    for (const auto& [name, conversion] : conversions) places_.try_emplace(name);
  }
  Spill(const Spill&) = delete;
  Spill& operator=(const Spill&) = delete;
  ~Spill() {
    for (auto& [name, place] : places_) {
      if (place.data != nullptr) ::munmap(place.data, place.bytes);
    }
    if (fd_ >= 0) ::close(fd_);
  }

  /// Computes the tensor when nobody has yet. Others that want the same one wait; those of other tensors do not.
  Bytes get(std::string_view name, const TensorConversion& conversion, std::mutex& mutex) {
    Place& place = places_.find(name)->second;
    const std::lock_guard<std::mutex> lock(place.mutex);
    if (place.is_ready) return {static_cast<const std::byte*>(place.data), place.bytes};
    if (place.data == nullptr) {
      const std::string what = message(conversion.where, ": tensor ", printable(name));
      place.bytes = checked_mul(element_count(conversion.shape, what), dtype_bytes(conversion.dtype), what);
      if (place.bytes > 0) place.data = map_more(place.bytes, mutex);
    }
    conversion.write(place.data);
    place.is_ready = true;
    return {static_cast<const std::byte*>(place.data), place.bytes};
  }

  void release(std::string_view name) noexcept {
    Place& place = places_.find(name)->second;
    const std::lock_guard<std::mutex> lock(place.mutex);
    if (place.data != nullptr) ::madvise(place.data, place.bytes, MADV_DONTNEED);
  }

 private:
  struct Place {
    std::mutex mutex;
    void* data = nullptr;
    uint64_t bytes = 0;
    bool is_ready = false;
  };

  /// Space on disk is reserved before it is mapped: a full disk is an error here and not a signal later.
  void* map_more(uint64_t bytes, std::mutex& mutex) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (fd_ < 0) {
      folder_ = spill_folder();
      fd_ = open_unnamed_file(folder_);
      if (fd_ < 0) {
        fail(Errc::io, message(folder_, ": cannot create a temporary file: ", std::strerror(errno)));
      }
    }
    const int refused = ::posix_fallocate(fd_, static_cast<off_t>(size_), static_cast<off_t>(bytes));
    if (refused != 0) {
      fail(Errc::io, message(folder_, ": cannot keep ", bytes, " bytes of converted tensors in a temporary file: ",
                             std::strerror(refused), "; TMPDIR says where it is made"));
    }
    void* mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, static_cast<off_t>(size_));
    if (mapped == MAP_FAILED) {
      fail(Errc::io, message(folder_, ": cannot map a temporary file: ", std::strerror(errno)));
    }
    size_ = round_up(size_ + bytes, page_bytes());
    return mapped;
  }

  std::map<std::string, Place, std::less<>> places_;
  std::string folder_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

ConvertedCheckpoint::ConvertedCheckpoint(std::shared_ptr<const Checkpoint> base,
                                         std::map<std::string, TensorConversion> conversions,
                                         const std::vector<std::string>& hidden, std::vector<SourceFile> files)
    : base_(std::move(base)), files_(std::move(files)) {
  for (auto& [name, conversion] : conversions) conversions_.emplace(name, std::move(conversion));
  std::set<std::string, std::less<>> names;
  if (base_ != nullptr) names.insert(base_->names().begin(), base_->names().end());
  for (const std::string& name : hidden) names.erase(name);
  for (const auto& [name, conversion] : conversions_) names.insert(name);
  names_.assign(names.begin(), names.end());
  spill_ = std::make_unique<Spill>(conversions_);
}

ConvertedCheckpoint::~ConvertedCheckpoint() = default;

bool ConvertedCheckpoint::has(std::string_view name) const {
  return std::binary_search(names_.begin(), names_.end(), name, std::less<>{});
}

TensorView ConvertedCheckpoint::tensor(std::string_view name) const {
  const auto found = conversions_.find(name);
  if (found != conversions_.end()) {
    return {found->second.dtype, found->second.shape, spill_->get(name, found->second, mutex_)};
  }
  if (base_ == nullptr || !has(name)) {
    fail(Errc::malformed, message(where(""), ": tensor ", printable(name), " is missing"));
  }
  return base_->tensor(name);
}

void ConvertedCheckpoint::release(std::string_view name) const noexcept {
  if (conversions_.contains(name)) {
    spill_->release(name);
  } else if (base_ != nullptr && has(name)) {
    base_->release(name);
  }
}

std::vector<SourceFile> ConvertedCheckpoint::files() const {
  if (base_ == nullptr) return files_;
  std::vector<SourceFile> files = base_->files();
  files.insert(files.end(), files_.begin(), files_.end());
  return files;
}

std::string ConvertedCheckpoint::where(std::string_view name) const {
  const auto found = conversions_.find(name);
  if (found != conversions_.end()) return found->second.where;
  if (base_ != nullptr) return base_->where(name);
  return files_.empty() ? "converted tensors" : files_.front().path;
}

std::vector<std::string> ConvertedCheckpoint::warnings() const {
  return base_ == nullptr ? std::vector<std::string>{} : base_->warnings();
}

}  // namespace lathe
