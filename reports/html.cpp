#include "reports/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "reports/html_parts.h"
#include "reports/parallel.h"
#include "reports/text.h"

namespace breakeven {

// Written by the build from page.css, changes.css and the page's scripts, in the order of
// CMakeLists.txt.
std::vector<std::pair<std::string_view, std::string_view>> page_files();

namespace {

std::string_view page_file(std::string_view name) {
  for (const auto& [file, text] : page_files()) {
    if (file == name) return text;
  }
  throw std::logic_error("a file of the page is not embedded");
}

// One script: each file is a part of the same function. Comments and indentation stay in the
// sources, for a report is sent around; no string there goes over several lines.
std::string page_script() {
  std::string script = "(() => {\n'use strict';\n";
  for (auto [file, text] : page_files()) {
    if (!file.ends_with(".js")) continue;
    while (!text.empty()) {
      std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      line.remove_prefix(std::min(line.size(), line.find_first_not_of(' ')));
      if (!line.empty() && !line.starts_with("//")) script.append(line).append("\n");
    }
  }
  return script + "})();\n";
}

struct Section {
  const char* id;
  const char* title;
  std::string (*render)(const Page&);
};

// The order of the page.
constexpr Section kSections[] = {
    {"answer", "The answer", answer_html},
    {"speedup", "Speedup against size", speedup_html},
    {"networks", "Whole networks", networks_html},
    {"throughput", "Throughput against size", throughput_html},
    {"roofline", "Roofline", roofline_html},
    {"cache", "Cold against warm caches", cache_html},
    {"threads", "Thread scaling", threads_html},
    {"heat-map", "Speedup by shape and implementation", heat_map_html},
    {"ladder", "Hand-written kernels against libraries", ladder_html},
    {"training", "Training and inference", training_html},
    {"precision", "Precision: speed against error", precision_html},
    {"energy", "Energy, cost and memory", energy_html},
    {"claims", "Claims", claims_html},
    {"machines", "Times on several machines", machines_html},
    {"changes", "Changes against a baseline", changes_html},
    {"rows", "Row detail", rows_html},
    {"table", "The full table", table_html},
};

std::string title_of(const Page& page) {
  std::string names;
  for (const Run& run : page.runs) names += (names.empty() ? "" : " · ") + machine_name(run);
  if (!names.empty()) return names;
  return page.verdict ? "Verdict of the gate" : "History of the gate";
}

// Without results there is nothing to say but what changed.
std::vector<Section> sections_of(const Page& page) {
  std::vector<Section> sections;
  for (const Section& section : kSections) {
    if (!page.runs.empty() || section.render == changes_html) sections.push_back(section);
  }
  return sections;
}

// The raw data, and the script that makes use of it.
std::string data_html(const Page& page) {
  if (page.runs.empty()) return "";
  return "<script type=\"application/json\" id=\"data\">" + raw_data_json(page) +
         "</script>\n<script>\n" + page_script() + "</script>\n";
}

}  // namespace

std::string absent(const std::string& sentence) {
  return fmt::format("<p class=\"none\">{}</p>\n", escape_html(sentence));
}

std::string facets(const std::string& run, const std::string& op, const std::string& precision,
                   const std::string& device) {
  std::string text;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += fmt::format(" data-{}=\"{}\"", name, escape_html(value));
  };
  add("run", run);
  add("op", op);
  add("precision", precision);
  add("device", device);
  return text;
}

std::string figure_html(const Chart& chart) {
  return fmt::format(
      "<figure id=\"{}\"{}><figcaption>{}</figcaption><div class=\"scroll\">{}</div></figure>\n",
      chart.id, facets(chart.run, chart.op, chart.precision, chart.device),
      escape_html(chart.caption), chart.svg);
}

std::string charts_of(const Page& page, const std::string& section) {
  std::string out;
  for (const Chart& chart : page.charts) {
    if (chart.section == section) out += figure_html(chart);
  }
  return out.empty() ? "" : "<div class=\"charts\">\n" + out + "</div>\n";
}

std::string sizes_html(const Case& c) {
  const std::string text = is_convolution(c) ? dimension_text(c) : "";
  return text.empty() ? "" : " <small>" + escape_html(text) + "</small>";
}

std::string case_id(const Run& run, const Case& c) {
  return fmt::format("r{}-{}", run.label, &c - run.cases.data());
}

std::string error_text(const Case& c) {
  const auto error = c.counter("error");
  const auto tolerance = c.counter("tolerance");
  if (!error && !tolerance) return "";
  if (!error) return "limit " + format_scientific(*tolerance);
  if (!tolerance) return format_scientific(*error);
  return fmt::format("{} {} {}", format_scientific(*error), *error <= *tolerance ? "≤" : ">",
                     format_scientific(*tolerance));
}

std::string render_html(const Page& page) {
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action "
      "'none'\">\n<title>Breakeven: {0}</title>\n<style>\n{1}{2}</style>\n</head>\n<body>\n"
      "<header><p class=\"brand\">Breakeven</p><h1>{0}</h1>\n",
      escape_html(title_of(page)), page_file("page.css"), page_file("changes.css"));
  const std::vector<Section> sections = sections_of(page);
  if (sections.size() > 1) {
    out += "<nav aria-label=\"Sections\">";
    for (const Section& section : sections) {
      out += fmt::format("<a href=\"#{}\">{}</a> ", section.id, section.title);
    }
    out += "</nav>";
  }
  out += "</header>\n<main>\n";
  std::vector<std::string> parts(sections.size() + 1);
  // The last first: they take longest.
  parallel_for(parts.size(), [&](std::size_t from_the_end) {
    const std::size_t i = parts.size() - 1 - from_the_end;
    parts[i] = i < sections.size() ? sections[i].render(page) : data_html(page);
  });
  for (std::size_t i = 0; i < sections.size(); ++i) {
    out += fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n", sections[i].id, sections[i].title);
    out += parts[i];
    out += "</section>\n";
  }
  return out + "</main>\n" + parts.back() + "</body>\n</html>\n";
}

}  // namespace breakeven
