#include "formats/hdf5/worker/attributes.h"

#include <cstring>

namespace lathe::hdf5 {
namespace {

constexpr size_t kMaxAttributes = 10'000;
constexpr hssize_t kMaxTexts = 100'000;
constexpr size_t kMaxBytes = size_t{64} << 20;

herr_t collect_name(hid_t, const char* name, const H5A_info_t*, void* data) {
  auto& names = *static_cast<std::vector<std::string>*>(data);
  names.emplace_back(name);
  return names.size() > kMaxAttributes ? 1 : 0;
}

[[noreturn]] void fail_size(const std::string& what) {
  fail(Errc::limit, message(what, " has more than ", kMaxTexts, " texts or ", kMaxBytes, " bytes"));
}

/// Texts of variable length belong to the library until they are given back.
std::vector<std::string> read_variable(hid_t attribute, hid_t space, size_t count, const std::string& what) {
  const Handle type(checked(H5Tcopy(H5T_C_S1), what), H5Tclose);
  checked(H5Tset_size(type.get(), H5T_VARIABLE), what);
  const Handle stored(checked(H5Aget_type(attribute), what), H5Tclose);
  checked(H5Tset_cset(type.get(), H5Tget_cset(stored.get())), what);
  std::vector<char*> texts(count, nullptr);
  checked(H5Aread(attribute, type.get(), texts.data()), what);
  std::vector<std::string> out;
  size_t bytes = 0;
  for (const char* text : texts) {
    out.emplace_back(text == nullptr ? "" : text);
    bytes += out.back().size();
    if (bytes > kMaxBytes) fail_size(what);
  }
  H5Dvlen_reclaim(type.get(), space, H5P_DEFAULT, texts.data());
  return out;
}

std::vector<std::string> read_fixed(hid_t attribute, hid_t stored, size_t count, const std::string& what) {
  const size_t width = H5Tget_size(stored);
  if (width == 0 || width > kMaxBytes || count > kMaxBytes / width) fail_size(what);
  std::string block(width * count, '\0');
  checked(H5Aread(attribute, stored, block.data()), what);
  std::vector<std::string> out;
  for (size_t i = 0; i < count; ++i) {
    const char* text = block.data() + i * width;
    out.emplace_back(text, ::strnlen(text, width));
  }
  return out;
}

}  // namespace

std::vector<std::string> attribute_names(hid_t object, const std::string& what) {
  std::vector<std::string> names;
  hsize_t at = 0;
  checked(H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &at, collect_name, &names), what);
  if (names.size() > kMaxAttributes) {
    fail(Errc::limit, message(what, " has more than ", kMaxAttributes, " attributes, which is the limit"));
  }
  return names;
}

std::vector<std::string> text_attribute(hid_t object, const std::string& name, const std::string& owner) {
  const std::string what = message(owner, ": attribute ", name);
  if (checked(H5Aexists(object, name.c_str()), what) == 0) return {};
  const Handle attribute(checked(H5Aopen(object, name.c_str(), H5P_DEFAULT), what), H5Aclose);
  const Handle type(checked(H5Aget_type(attribute.get()), what), H5Tclose);
  if (H5Tget_class(type.get()) != H5T_STRING) return {};
  const Handle space(checked(H5Aget_space(attribute.get()), what), H5Sclose);
  if (H5Sget_simple_extent_type(space.get()) == H5S_NULL) return {};
  const hssize_t count = checked(H5Sget_simple_extent_npoints(space.get()), what);
  if (count > kMaxTexts) fail_size(what);
  if (count == 0) return {};
  const bool is_variable = checked(H5Tis_variable_str(type.get()), what) > 0;
  return is_variable ? read_variable(attribute.get(), space.get(), static_cast<size_t>(count), what)
                     : read_fixed(attribute.get(), type.get(), static_cast<size_t>(count), what);
}

}  // namespace lathe::hdf5
