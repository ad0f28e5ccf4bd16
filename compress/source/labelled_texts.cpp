#include "compress/source/labelled_texts.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "compress/source/source_model.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr size_t kLabelsShown = 20;  // in a message

std::string listed(const std::vector<std::string>& labels) {
  std::string text;
  for (size_t i = 0; i < std::min(labels.size(), kLabelsShown); ++i) {
    text += (i == 0 ? "" : ", ") + printable(labels[i]);
  }
  return labels.size() > kLabelsShown ? message(text, ", ... (", labels.size(), " in all)") : text;
}

// Calls use(where, text, label) for each line of text TAB label.
void for_each_labelled(const TextFile& file,
                       const std::function<void(const std::string&, std::string_view, std::string_view)>& use) {
  for_each_line(file, [&](size_t number, std::string_view line) {
    const std::string where = message(file.path(), ": line ", number);
    const size_t tab = line.rfind('\t');
    if (tab == std::string_view::npos) fail(Errc::malformed, where + ": has no tab, expected text TAB label");
    if (tab == 0) fail(Errc::malformed, where + ": the text before the label is empty");
    if (tab + 1 == line.size()) fail(Errc::malformed, where + ": the label after the tab is empty");
    use(where, line.substr(0, tab), line.substr(tab + 1));
  });
}

uint32_t label_index(std::string_view label, const std::vector<std::string>& labels, const std::string& where) {
  const auto named = std::find(labels.begin(), labels.end(), label);
  if (named != labels.end()) return static_cast<uint32_t>(named - labels.begin());
  uint32_t index = 0;
  const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), index);
  if (error == std::errc() && end == label.data() + label.size() && index < labels.size()) return index;
  fail(Errc::malformed, message(where, ": label \"", printable(label), "\" is none of the model's: ", listed(labels),
                                ", or an index in [0, ", labels.size() - 1, "]"));
}

}  // namespace

ClassificationData read_classification(const TextFile& file, const std::vector<std::string>& labels) {
  ClassificationData data{file.path(), {}, {}, labels};
  for_each_labelled(file, [&](const std::string& where, std::string_view text, std::string_view label) {
    data.texts.emplace_back(text);
    data.truth.push_back(label_index(label, labels, where));
  });
  if (data.texts.empty()) fail(Errc::malformed, data.path + ": has no text, expected lines of text TAB label");
  return data;
}

ClassificationData read_classification(const std::filesystem::path& path, const std::vector<std::string>& labels) {
  return read_classification(TextFile(path), labels);
}

std::vector<std::string> read_label_names(const TextFile& file) {
  std::set<std::string> names;
  for_each_labelled(file, [&](const std::string&, std::string_view, std::string_view label) { names.emplace(label); });
  std::vector<std::string> labels(names.begin(), names.end());
  check_labels(labels, file.path());
  if (labels.size() < 2) {
    fail(Errc::malformed, message(file.path(), ": has ", labels.size(), " different labels, expected at least 2"));
  }
  return labels;
}

}  // namespace lathe
