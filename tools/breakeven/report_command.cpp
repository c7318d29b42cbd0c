// breakeven report: hands the files to the report library.
#include <fmt/format.h>
#include <malloc.h>

#include "reports/report.h"
#include "tools/breakeven/commands.h"

namespace breakeven {

int report_command(const ReportOptions& options) {
  ReportRequest request;
  request.inputs.assign(options.files.begin(), options.files.end());
  request.html = options.html;
  if (!options.markdown.empty()) request.markdown = options.markdown;
  if (!options.charts.empty()) request.charts = options.charts;
  if (!options.prices.empty()) request.prices = options.prices;
  if (!options.verdict.empty()) request.verdict = options.verdict;
  request.history.assign(options.history.begin(), options.history.end());
  request.across_machines = options.across_machines;
  mallopt(M_MXFAST, 0);  // of a hundred thousand rows merging free chunks took a tenth of the time
  write_reports(request);
  fmt::print("report: {}\n", options.html);
  if (request.markdown) fmt::print("markdown: {}\n", options.markdown);
  if (request.charts) fmt::print("charts: {}\n", options.charts);
  return kExitFine;
}

}  // namespace breakeven
