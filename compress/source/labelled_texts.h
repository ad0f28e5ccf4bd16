#pragma once
// Texts with a label each: what a classifier learns from and is judged on.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "formats/text_file.h"

namespace lathe {

/// Texts with the index of their label.
struct ClassificationData {
  std::string path;
  std::vector<std::string> texts;
  std::vector<uint32_t> truth;      // by text
  std::vector<std::string> labels;  // all of the model's
};

/// Lines of text TAB label, where the label, which follows the last tab, is one of `labels` or else an index of one.
/// Throws Error{malformed} naming file, line and field; at least one text.
ClassificationData read_classification(const TextFile& file, const std::vector<std::string>& labels);
/// Opens the path and reads it; throws the errors of TextFile, too.
ClassificationData read_classification(const std::filesystem::path& path, const std::vector<std::string>& labels);

/// The different labels of such a file, sorted. Throws the errors of read_classification and of check_labels; fewer
/// than two labels are an error.
std::vector<std::string> read_label_names(const TextFile& file);

}  // namespace lathe
