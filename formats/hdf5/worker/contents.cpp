#include "formats/hdf5/worker/contents.h"

#include <algorithm>
#include <array>

#include "formats/hdf5/worker/attributes.h"
#include "formats/text.h"

namespace lathe::hdf5 {
namespace {

// Lists that are too long for one attribute go on in layer_names0, layer_names1 and so on.
constexpr std::array<std::string_view, 5> kAttributes = {"backend", "keras_version", "layer_names", "model_config",
                                                         "weight_names"};

struct Link {
  std::string name;
  H5L_type_t type;
};

herr_t collect_link(hid_t, const char* name, const H5L_info_t* info, void* data) {
  auto& links = *static_cast<std::vector<Link>*>(data);
  links.push_back({name, info->type});
  return links.size() > kMaxObjects ? 1 : 0;
}

bool is_wanted(std::string_view attribute) {
  while (!attribute.empty() && attribute.back() >= '0' && attribute.back() <= '9') attribute.remove_suffix(1);
  return std::find(kAttributes.begin(), kAttributes.end(), attribute) != kAttributes.end();
}

class Walk {
 public:
  explicit Walk(const Bounds& bounds) : bounds_(bounds) {}

  /// `path` is the group's own.
  void group(hid_t group, const std::string& path) {
    const std::string what = "group /" + printable(path, kShownPath);
    if (groups_.size() > kMaxDepth) {
      fail(Errc::limit, message(what, " is nested deeper than ", kMaxDepth, " groups, which is the limit"));
    }
    H5O_info_t info{};
    checked(H5Oget_info(group, &info), what);
    if (std::find(groups_.begin(), groups_.end(), info.addr) != groups_.end()) {
      fail(Errc::malformed, message(what, " contains itself: its links run in a circle"));
    }
    groups_.push_back(info.addr);
    keep_attributes(group, path, what);
    std::vector<Link> links;
    hsize_t at = 0;
    checked(H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &at, collect_link, &links), what);
    for (const Link& link : links) follow(group, link, path.empty() ? link.name : path + "/" + link.name);
    groups_.pop_back();
  }

  Contents take() { return std::move(contents_); }

 private:
  static constexpr size_t kShownPath = 200;

  void keep_attributes(hid_t group, const std::string& path, const std::string& what) {
    for (const std::string& name : attribute_names(group, what)) {
      if (!is_wanted(name)) continue;
      std::vector<std::string> texts = text_attribute(group, name, what);
      for (const std::string& text : texts) {
        if (!is_utf8(text)) fail(Errc::malformed, message(what, ": attribute ", name, " is not UTF-8"));
      }
      contents_.attributes[path][name] = std::move(texts);
    }
  }

  void follow(hid_t group, const Link& link, const std::string& path) {
    const std::string what = "/" + printable(path, kShownPath);
    if (++objects_ > kMaxObjects) fail(Errc::limit, message("more than ", kMaxObjects, " objects, which is the limit"));
    if (link.type == H5L_TYPE_EXTERNAL) {
      fail(Errc::unsupported, message("link ", what, " leads to another file, which is never opened"));
    }
    if (link.type == H5L_TYPE_SOFT) return soft_link(group, link, what);
    if (link.type != H5L_TYPE_HARD) {
      fail(Errc::unsupported, message("link ", what, " is of the unknown kind ", static_cast<int>(link.type)));
    }
    const Handle object(checked(H5Oopen(group, link.name.c_str(), H5P_DEFAULT), "object " + what), H5Oclose);
    const H5I_type_t type = H5Iget_type(object.get());
    if (type == H5I_GROUP) return this->group(object.get(), path);
    if (type != H5I_DATASET) return;  // a named type has no values
    DatasetFacts facts = examine_dataset(object.get(), "dataset " + what, bounds_);
    if (facts.ignored.empty()) {
      contents_.datasets.emplace(path, std::move(facts));
    } else {
      contents_.ignored.emplace(path, facts.ignored);
    }
  }

  /// Another name of an object that is found under its own. One that leads nowhere is a fault.
  void soft_link(hid_t group, const Link& link, const std::string& what) {
    const htri_t leads_somewhere = H5Oexists_by_name(group, link.name.c_str(), H5P_DEFAULT);
    if (leads_somewhere <= 0) fail(Errc::malformed, message("link ", what, " leads nowhere or to itself"));
    contents_.ignored.emplace(what.substr(1), "a link to another object of the file");
  }

  Bounds bounds_;
  size_t objects_ = 0;
  std::vector<haddr_t> groups_;  // from the root to the group that is looked at
  Contents contents_;
};

}  // namespace

Contents list_contents(hid_t file, const Bounds& bounds) {
  const Handle root(checked(H5Gopen2(file, "/", H5P_DEFAULT), "group /"), H5Gclose);
  Walk walk(bounds);
  walk.group(root.get(), "");
  return walk.take();
}

}  // namespace lathe::hdf5
