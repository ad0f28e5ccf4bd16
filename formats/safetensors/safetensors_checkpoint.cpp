#include "formats/safetensors/safetensors_checkpoint.h"

#include "formats/artifact/mapped_file.h"
#include "formats/safetensors/safetensors.h"
#include "formats/text.h"

namespace lathe {
namespace {

class SafetensorsFile : public ShardFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path)
      : file_(path), header_(parse_safetensors(file_.bytes(), file_.path())) {
    names_.reserve(header_.entries.size());
    for (const SafetensorsEntry& entry : header_.entries) names_.push_back(entry.name);
  }

  const std::vector<std::string>& names() const override { return names_; }
  bool has(std::string_view name) const override { return header_.find(name) != nullptr; }

  TensorView tensor(std::string_view name) const override {
    const SafetensorsEntry* entry = header_.find(name);
    if (entry == nullptr) fail(Errc::malformed, message(file_.path(), ": tensor ", printable(name), " is missing"));
    return view_of(*entry, header_, file_.bytes(), file_.path());
  }

  void release(std::string_view name) const noexcept override {
    const SafetensorsEntry* entry = header_.find(name);
    if (entry == nullptr) return;
    file_.release(file_.bytes().subspan(header_.data_offset + entry->begin, entry->end - entry->begin));
  }

  uint64_t stored_bytes(std::string_view name) const override {
    const SafetensorsEntry* entry = header_.find(name);
    return entry == nullptr ? 0 : entry->end - entry->begin;
  }

  std::vector<SourceFile> files() const override { return {{file_.path(), file_.bytes().size()}}; }
  std::string where(std::string_view) const override { return file_.path(); }

 private:
  MappedFile file_;
  SafetensorsHeader header_;
  std::vector<std::string> names_;
};

}  // namespace

std::unique_ptr<ShardFile> open_safetensors(const std::filesystem::path& file) {
  return std::make_unique<SafetensorsFile>(file);
}

}  // namespace lathe
