#include "cli/outputs.h"

#include <array>

#include "compress/report/report.h"
#include "formats/artifact/atomic_file.h"

namespace lathe::cli {
namespace {

struct ReportFile {
  const char* name;
  std::string (*text)(const Report& report);
};
constexpr std::array kReportFiles = {ReportFile{"report.html", report_html}, ReportFile{"report.md", report_markdown},
                                     ReportFile{"report.json", report_json}};

bool is_same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code ignored;
  if (std::filesystem::equivalent(a, b, ignored)) return true;
  return std::filesystem::weakly_canonical(a, ignored) == std::filesystem::weakly_canonical(b, ignored);
}

}  // namespace

void check_not_an_input(const std::filesystem::path& output, const Paths& inputs) {
  for (const std::filesystem::path& input : inputs) {
    if (!input.empty() && input != "-" && is_same_file(output, input)) {
      fail(Errc::usage, message(output.string(), ": is an input, ", input.string(), "; give another output"));
    }
  }
}

void check_output(const std::filesystem::path& output, const Paths& inputs) {
  check_not_an_input(output, inputs);
  check_writable(output);
}

void check_output_folder(const std::filesystem::path& folder, const Paths& inputs) {
  check_not_an_input(folder, inputs);
  std::error_code ignored;
  if (std::filesystem::is_directory(folder, ignored)) return check_writable(folder / "any file");
  if (std::filesystem::exists(std::filesystem::symlink_status(folder, ignored))) {
    fail(Errc::cannot_create, message(folder.string(), ": is there and no folder; give the name of a folder"));
  }
  const std::filesystem::path named = folder.has_filename() ? folder : folder.parent_path();
  check_writable(named);
}

Paths files_of_folder(const std::filesystem::path& folder) {
  Paths paths;
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) return paths;
  const auto options = std::filesystem::directory_options::skip_permission_denied;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, options)) {
    paths.push_back(entry.path());
  }
  return paths;
}

Paths model_files(const SourceModel& source) {
  Paths paths = files_of_folder(source.path);
  for (const SourceFile& file : source.checkpoint->files()) paths.emplace_back(file.path);
  return paths;
}

void check_report_folder(const std::filesystem::path& folder, const Paths& inputs) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail(Errc::cannot_create, message(folder.string(), ": cannot create folder: ", error.message()));
  for (const ReportFile& file : kReportFiles) check_output(folder / file.name, inputs);
}

void write_reports(const Report& report, const std::filesystem::path& folder) {
  for (const ReportFile& file : kReportFiles) write_file(folder / file.name, file.text(report));
}

}  // namespace lathe::cli
