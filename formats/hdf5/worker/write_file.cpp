#include "formats/artifact/mapped_file.h"
#include "formats/hdf5/worker/confine.h"
#include "formats/hdf5/worker/files.h"
#include "formats/hdf5/worker/handle.h"
#include "formats/json.h"
#include "formats/safetensors/safetensors.h"
#include "formats/text.h"

namespace lathe::hdf5 {
namespace {

Handle created(hid_t id, Handle::Close close, const std::string& what) {
  if (id < 0) fail(Errc::io, message(what, " cannot be written: ", library_reason()));
  return {id, close};
}

void write_attribute(hid_t object, const Json::Member& member) {
  const std::string what = "attribute " + printable(member.key);
  const std::string& text = member.value.as_string(what);
  const Handle type = created(H5Tcopy(H5T_C_S1), H5Tclose, what);
  const bool is_set = H5Tset_size(type.get(), std::max<size_t>(text.size(), 1)) >= 0 &&
                      H5Tset_strpad(type.get(), H5T_STR_NULLPAD) >= 0 && H5Tset_cset(type.get(), H5T_CSET_UTF8) >= 0;
  const Handle space = created(H5Screate(H5S_SCALAR), H5Sclose, what);
  const Handle attribute =
      created(is_set ? H5Acreate2(object, member.key.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT) : -1,
              H5Aclose, what);
  if (H5Awrite(attribute.get(), type.get(), text.c_str()) < 0) {
    fail(Errc::io, message(what, " cannot be written: ", library_reason()));
  }
}

void write_attributes(hid_t object, const Json* attributes) {
  if (attributes == nullptr) return;
  for (const Json::Member& member : attributes->members("attributes")) write_attribute(object, member);
}

/// Times would make two files of the same tensors differ.
Handle properties(hid_t kind) {
  Handle list = created(H5Pcreate(kind), H5Pclose, "the file");
  H5Pset_obj_track_times(list.get(), false);
  return list;
}

void write_dataset(hid_t file, const std::string& name, const TensorView& tensor, const Json* attributes) {
  const std::string what = "dataset " + printable(name);
  if (name == "." || name.find('/') != name.npos) {
    fail(Errc::unsupported, message("tensor ", printable(name), ": HDF5 has no such name for a dataset"));
  }
  if (tensor.dtype != DType::f32) fail(Errc::internal, message(what, " is no f32"));
  const std::vector<hsize_t> extents(tensor.shape.begin(), tensor.shape.end());
  const Handle space =
      extents.empty()
          ? created(H5Screate(H5S_SCALAR), H5Sclose, what)
          : created(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose, what);
  const Handle list = properties(H5P_DATASET_CREATE);
  const Handle dataset =
      created(H5Dcreate2(file, name.c_str(), H5T_IEEE_F32LE, space.get(), H5P_DEFAULT, list.get(), H5P_DEFAULT),
              H5Dclose, what);
  write_attributes(dataset.get(), attributes);
  if (tensor.bytes.empty()) return;
  if (H5Dwrite(dataset.get(), H5T_IEEE_F32LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.bytes.data()) < 0) {
    fail(Errc::io, message(what, " cannot be written: ", library_reason()));
  }
}

}  // namespace

void write_file() {
  const MappedFile input("/proc/self/fd/0");
  const SafetensorsHeader header = parse_safetensors(input.bytes(), "the tensors");
  Json attributes;
  for (const auto& [key, text] : header.metadata) {
    if (key == "hdf5") attributes = parse_json(text, "the attributes");
  }
  const Handle creation = properties(H5P_FILE_CREATE);
  const Handle access = file_access();
  Handle file =
      created(H5Fcreate("/proc/self/fd/1", H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose, "the file");
  confine();
  const Handle root = created(H5Gopen2(file.get(), "/", H5P_DEFAULT), H5Gclose, "group /");
  write_attributes(root.get(), attributes.find(""));
  for (const SafetensorsEntry& entry : header.entries) {
    const TensorView tensor = view_of(entry, header, input.bytes(), "the tensors");
    write_dataset(file.get(), entry.name, tensor, attributes.find(entry.name));
    input.release(tensor.bytes);
  }
  if (H5Fflush(file.get(), H5F_SCOPE_GLOBAL) < 0) {
    fail(Errc::io, message("the file cannot be written: ", library_reason()));
  }
}

}  // namespace lathe::hdf5
