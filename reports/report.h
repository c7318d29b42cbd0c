// From results files to the report: the one entry point of this directory.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

namespace breakeven {

struct ReportRequest {
  std::vector<std::filesystem::path> inputs;     ///< results files, one run each
  std::optional<std::filesystem::path> verdict;  ///< verdict.json of the gate
  std::vector<std::filesystem::path> history;    ///< the gate's histories: folders or files
  bool across_machines = false;                  ///< shows ratios across machines
  std::filesystem::path html;
  std::optional<std::filesystem::path> markdown;
  std::optional<std::filesystem::path> charts;  ///< a directory, made where it is missing
  std::optional<std::filesystem::path> prices;  ///< what an hour of a device costs; see prices.h
};

/// Needs results, a verdict or a history. Reads every input, then writes the report; when an input
/// is bad, an output can't be written, is an input or is another output, no file is written. Throws
/// std::runtime_error with one line that says what is wrong and where.
void write_reports(const ReportRequest& request);

}  // namespace breakeven
