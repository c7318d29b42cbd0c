#include "reports/report.h"

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "reports/html.h"
#include "reports/markdown.h"
#include "reports/text.h"
#include "reports/words.h"

namespace breakeven {
namespace {

// "" for the only file; else A, B, … Z, A1, B1, …
std::string run_label(std::size_t index, std::size_t count) {
  if (count == 1) return "";
  std::string label(1, static_cast<char>('A' + index % 26));
  return index < 26 ? label : fmt::format("{}{}", label, index / 26);
}

void make_directory(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error || !std::filesystem::is_directory(directory)) {
    throw std::runtime_error(fmt::format("{}: can't make this directory: {}",
                                         visible_text(directory.string()),
                                         error ? error.message() : "a file is in its place"));
  }
}

}  // namespace

void write_reports(const ReportRequest& request) {
  if (request.inputs.empty()) throw std::runtime_error("no results file was given");
  Page page;
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    page.runs.push_back(
        make_run(read_results(request.inputs[i]), run_label(i, request.inputs.size())));
  }
  page.charts = make_charts(page.runs);
  const std::string html = render_html(page);
  const std::string markdown = request.markdown ? render_markdown(page) : "";
  write_file_atomically(request.html, html);
  if (request.markdown) write_file_atomically(*request.markdown, markdown);
  if (!request.charts) return;
  make_directory(*request.charts);
  for (const Chart& chart : page.charts) {
    write_file_atomically(*request.charts / (chart.id + ".svg"), standalone_svg(chart.svg));
  }
}

}  // namespace breakeven
