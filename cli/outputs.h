#pragma once
// Outputs of every command: checked before long work, so that no command writes over what it reads.

#include <filesystem>
#include <vector>

#include "compress/facts/report_facts.h"
#include "compress/source/source_model.h"

namespace lathe::cli {

using Paths = std::vector<std::filesystem::path>;

/// Throws Error{usage} when `output` is one of `inputs`, by whatever name, and the errors of check_writable(). Inputs
/// that are empty or "-" do not count.
void check_output(const std::filesystem::path& output, const Paths& inputs);

/// The part of check_output() about inputs: throws Error{usage} when `output` is one of them.
void check_not_an_input(const std::filesystem::path& output, const Paths& inputs);

/// A folder into which files are written: throws Error{usage} when it is one of `inputs`, Error{cannot_create} when it
/// is there and no folder, or neither it nor the folder that it is to be made in can be written.
void check_output_folder(const std::filesystem::path& folder, const Paths& inputs);

/// Every file of a folder and its subfolders.
Paths files_of_folder(const std::filesystem::path& folder);

/// The files that a model is read from: those of its checkpoint, and every file of a model folder and its subfolders.
Paths model_files(const SourceModel& source);

/// Makes `folder` if need be and checks the files that write_reports() writes there as check_output() does. Throws
/// Error{cannot_create}, too.
void check_report_folder(const std::filesystem::path& folder, const Paths& inputs);
/// Writes report.html, report.md and report.json into `folder`. Throws Error{cannot_create, io}.
void write_reports(const Report& report, const std::filesystem::path& folder);

}  // namespace lathe::cli
