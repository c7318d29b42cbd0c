#include "reports/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

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

std::filesystem::path chart_path(const std::filesystem::path& directory, const Chart& chart) {
  return directory / (chart.id + ".svg");
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

bool same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code error;
  if (std::filesystem::equivalent(a, b, error)) return true;
  std::error_code a_error, b_error;
  const auto whole_a = std::filesystem::weakly_canonical(a, a_error);
  const auto whole_b = std::filesystem::weakly_canonical(b, b_error);
  return !a_error && !b_error && whole_a == whole_b;
}

// Nobody means to lose the results, or one report under another. Devices take any number of them.
void refuse_overwriting(const std::vector<std::filesystem::path>& inputs,
                        const std::vector<std::filesystem::path>& outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::error_code ignored;
    const std::filesystem::path& output = outputs[i];
    if (std::filesystem::is_other(output, ignored)) continue;
    for (const std::filesystem::path& input : inputs) {
      if (!same_file(output, input)) continue;
      throw std::runtime_error(
          fmt::format("{}: is one of the files to read; give the report another name",
                      visible_text(output.string())));
    }
    // The names of charts, which come last, are their own.
    for (std::size_t j = 0; j < std::min<std::size_t>(i, 3); ++j) {
      if (!same_file(output, outputs[j])) continue;
      throw std::runtime_error(fmt::format("{}: two outputs have this name; give each its own",
                                           visible_text(output.string())));
    }
  }
}

// A history can't be measured again: no file inside its directories is replaced.
void refuse_in_histories(const std::vector<std::filesystem::path>& places,
                         const std::vector<std::filesystem::path>& outputs) {
  for (const std::filesystem::path& place : places) {
    std::error_code error;
    if (!std::filesystem::is_directory(place, error)) continue;
    const auto whole = std::filesystem::weakly_canonical(place, error);
    for (const std::filesystem::path& output : outputs) {
      const auto inside =
          std::filesystem::weakly_canonical(output, error).lexically_relative(whole);
      if (inside.empty() || *inside.begin() == ".." || !std::filesystem::exists(output, error) ||
          std::filesystem::is_directory(output, error)) {
        continue;
      }
      throw std::runtime_error(
          fmt::format("{}: is a file of the history; give the report another name",
                      visible_text(output.string())));
    }
  }
}

// Finds out before the first file is replaced whether all can be.
void require_targets(const ReportRequest& request, const std::vector<Chart>& charts) {
  require_writable(request.html);
  if (request.markdown) require_writable(*request.markdown);
  if (!request.charts) return;
  make_directory(*request.charts);
  for (const Chart& chart : charts) require_writable(chart_path(*request.charts, chart));
}

Page read_page(const ReportRequest& request) {
  if (request.inputs.empty() && !request.verdict && request.history.empty()) {
    throw std::runtime_error("no results file was given");
  }
  Page page;
  page.across_machines = request.across_machines;
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!same_file(request.inputs[i], request.inputs[j])) continue;
      throw std::runtime_error(fmt::format("{}: is given twice: two runs are two files",
                                           visible_text(request.inputs[i].string())));
    }
    page.runs.push_back(
        make_run(read_results(request.inputs[i]), run_label(i, request.inputs.size())));
  }
  if (request.prices) {
    page.prices = read_prices(*request.prices);
    require_matches(page.prices, page.runs);
  }
  page.charts = make_charts(page.runs);
  if (request.verdict) {
    page.verdict = read_verdict(*request.verdict);
    for (Chart& chart : verdict_charts(*page.verdict)) page.charts.push_back(std::move(chart));
  }
  page.histories = read_histories(request.history, page.torn);
  return page;
}

}  // namespace

void write_reports(const ReportRequest& request) {
  const Page page = read_page(request);
  const std::string html = render_html(page);
  const std::string markdown = request.markdown ? render_markdown(page) : "";
  std::vector<std::filesystem::path> outputs = {request.html};
  if (request.markdown) outputs.push_back(*request.markdown);
  if (request.charts) {
    outputs.push_back(*request.charts);
    for (const Chart& chart : page.charts) outputs.push_back(chart_path(*request.charts, chart));
  }
  std::vector<std::filesystem::path> inputs = request.inputs;
  if (request.prices) inputs.push_back(*request.prices);
  if (request.verdict) inputs.push_back(*request.verdict);
  inputs.insert(inputs.end(), request.history.begin(), request.history.end());
  refuse_overwriting(inputs, outputs);
  refuse_in_histories(request.history, outputs);
  require_targets(request, page.charts);
  write_file_atomically(request.html, html);
  if (request.markdown) write_file_atomically(*request.markdown, markdown);
  if (!request.charts) return;
  for (const Chart& chart : page.charts) {
    write_file_atomically(chart_path(*request.charts, chart), standalone_svg(chart.svg));
  }
}

}  // namespace breakeven
