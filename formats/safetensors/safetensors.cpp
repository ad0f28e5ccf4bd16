#include "formats/safetensors/safetensors.h"

#include <algorithm>
#include <tuple>

#include "formats/safetensors/safetensors_header.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr uint64_t kLengthBytes = 8;

std::string_view header_text(Bytes file, std::string_view path) {
  if (file.size() < kLengthBytes) {
    fail(Errc::malformed, message(path, ": ", file.size(), " bytes, a safetensors file has at least ", kLengthBytes));
  }
  const auto length = load_le<uint64_t>(file.data());
  const uint64_t available = file.size() - kLengthBytes;
  if (length > available) {
    fail(Errc::malformed, message(path, ": header length ", length, " at byte 0, but only ", available,
                                  " bytes follow: the file is truncated or not safetensors"));
  }
  if (length > kMaxSafetensorsHeader) {
    fail(Errc::limit, message(path, ": header length ", length, " is beyond the limit of ", kMaxSafetensorsHeader));
  }
  if (length == 0) fail(Errc::malformed, message(path, ": header length 0, expected a JSON object"));
  return {reinterpret_cast<const char*>(file.data()) + kLengthBytes, static_cast<size_t>(length)};
}

std::string tensor_text(std::string_view path, const SafetensorsEntry& entry) {
  return message(path, ": tensor ", printable(entry.name));
}

/// The byte range must be what type and shape need.
void check_size(const SafetensorsEntry& entry, std::string_view path) {
  const std::string subject = tensor_text(path, entry);
  const uint64_t count = element_count(entry.shape, subject);
  const uint64_t bits = checked_mul(count, entry.type->bits, subject);
  if (bits % 8 != 0) {
    fail(Errc::malformed, message(subject, ": ", count, " elements of ", entry.type->name, " do not fill whole bytes"));
  }
  if (entry.begin > entry.end) {
    fail(Errc::malformed, message(subject, ": data_offsets [", entry.begin, ", ", entry.end, "] run backwards"));
  }
  if (entry.end - entry.begin != bits / 8) {
    fail(Errc::malformed,
         message(subject, ": data_offsets [", entry.begin, ", ", entry.end, "] hold ", entry.end - entry.begin,
                 " bytes, but ", entry.type->name, " ", shape_text(entry.shape), " needs ", bits / 8));
  }
}

/// Together the tensors must cover the data exactly once.
void check_layout(const std::vector<SafetensorsEntry>& entries, uint64_t data_bytes, std::string_view path) {
  std::vector<const SafetensorsEntry*> ordered;
  ordered.reserve(entries.size());
  for (const SafetensorsEntry& entry : entries) ordered.push_back(&entry);
  std::sort(ordered.begin(), ordered.end(), [](const auto* a, const auto* b) {
    return std::tie(a->begin, a->end, a->name) < std::tie(b->begin, b->end, b->name);
  });
  const SafetensorsEntry* previous = nullptr;
  uint64_t covered = 0;
  for (const SafetensorsEntry* entry : ordered) {
    if (entry->begin != covered) {
      const std::string before = previous == nullptr ? "the start" : message("tensor ", printable(previous->name));
      fail(Errc::malformed, message(tensor_text(path, *entry), ": data_offsets begin at ", entry->begin, ", expected ",
                                    covered, ": ", entry->begin > covered ? "a hole after " : "it overlaps ", before));
    }
    covered = entry->end;
    previous = entry;
  }
  if (covered == data_bytes) return;
  const std::string last = previous == nullptr ? "no tensor" : message("tensor ", printable(previous->name));
  fail(Errc::malformed,
       covered > data_bytes
           ? message(path, ": ", last, " ends at data byte ", covered, ", but the file holds ", data_bytes, ": ",
                     covered - data_bytes, " bytes are missing (truncated?)")
           : message(path, ": ", data_bytes - covered, " bytes follow the end of ", last, " at data byte ", covered));
}

}  // namespace

const SafetensorsEntry* SafetensorsHeader::find(std::string_view name) const {
  const auto found = std::lower_bound(entries.begin(), entries.end(), name,
                                      [](const SafetensorsEntry& entry, std::string_view n) { return entry.name < n; });
  return found == entries.end() || found->name != name ? nullptr : &*found;
}

SafetensorsHeader parse_safetensors(Bytes file, std::string_view path) {
  const std::string_view text = header_text(file, path);
  SafetensorsHeader header = parse_safetensors_header(text, path);
  header.data_offset = kLengthBytes + text.size();
  auto& entries = header.entries;
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name == b.name; });
  if (twice != entries.end()) {
    fail(Errc::malformed, message(tensor_text(path, *twice), " appears twice in the header"));
  }
  for (const SafetensorsEntry& entry : entries) check_size(entry, path);
  check_layout(entries, file.size() - header.data_offset, path);
  return header;
}

TensorView view_of(const SafetensorsEntry& entry, const SafetensorsHeader& header, Bytes file, std::string_view path) {
  if (!entry.type->readable) {
    fail(Errc::unsupported,
         message(tensor_text(path, entry), " has type ", entry.type->name, ", which cannot be compressed further"));
  }
  return {entry.type->dtype, entry.shape, file.subspan(header.data_offset + entry.begin, entry.end - entry.begin)};
}

}  // namespace lathe
