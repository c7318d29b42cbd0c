// Section 9: energy, memory and transfers.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <vector>

#include "reports/html_parts.h"
#include "reports/text.h"

namespace breakeven {
namespace {

std::string joules(double value) { return format_number(value) + " J"; }

struct Column {
  const char* key;
  const char* title;
  std::string (*format)(double);
};
constexpr std::array<Column, 5> kColumns = {{
    {"upload_seconds", "Upload, pinned", format_seconds},
    {"download_seconds", "Download, pinned", format_seconds},
    {"upload_pageable_seconds", "Upload, pageable", format_seconds},
    {"download_pageable_seconds", "Download, pageable", format_seconds},
    {"energy_joules", "Energy", joules},
}};

// Energy and transfers: those columns that any row fills.
std::string calls_html(const Page& page) {
  std::array<bool, kColumns.size()> filled{};
  for (const Run& run : page.runs) {
    for (const Case& c : run.cases) {
      if (!c.seconds) continue;
      for (std::size_t i = 0; i < kColumns.size(); ++i) {
        filled[i] = filled[i] || c.counter(kColumns[i].key);
      }
    }
  }
  std::vector<Column> columns;
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    if (filled[i]) columns.push_back(kColumns[i]);
  }
  if (columns.empty()) return "";
  std::string out =
      "<details><summary>Every row with energy or transfers</summary><div class=\"scroll\"><table>"
      "<caption>Per call; the energy of a CPU package and that of a GPU board are different "
      "scopes.</caption><thead><tr><th scope=\"col\">Case";
  for (const Column& column : columns) out += fmt::format("<th scope=\"col\">{}", column.title);
  out += "</tr></thead>\n<tbody>";
  Listing listing(page);
  for (const Run& run : page.runs) {
    for (const Case& c : run.cases) {
      const bool any =
          c.seconds && std::any_of(columns.begin(), columns.end(), [&](const Column& column) {
            return c.counter(column.key).has_value();
          });
      if (!any || !listing.takes()) continue;
      std::string cells;
      for (const Column& column : columns) {
        const auto value = c.counter(column.key);
        cells += "<td class=\"n\">" + (value ? column.format(*value) : "–");
      }
      out += fmt::format("<tr><td>{}{}{}</tr>\n", run_cell(page, run),
                         row_link(page, run, c, shortened(c.name, kMostOfName), ""), cells);
    }
  }
  return out + "</tbody></table></div>" + listing.note("rows") + "</details>\n";
}

// Of each operation, device and precision the row that needs most.
std::string memory_html(const Page& page) {
  std::string rows;
  Listing listing(page);
  for (const Run& run : page.runs) {
    std::map<std::tuple<std::string, std::string, std::string>, const Case*> most;
    for (const Case& c : run.cases) {
      if (!c.seconds || !c.counter("peak_bytes")) continue;
      const Case*& place = most[{c.segments.op, c.segments.device, c.segments.precision}];
      if (place == nullptr || c.counter("peak_bytes") > place->counter("peak_bytes")) place = &c;
    }
    for (const auto& [key, c] : most) {
      if (!listing.takes()) continue;
      const auto& [op, device, precision] = key;
      rows += fmt::format(
          "<tr><td>{}{}<td>{}<td>{}<td class=\"n\">{}<td>{}</tr>\n", run_cell(page, run),
          escape_html(op), escape_html(device), escape_html(precision),
          format_bytes(*c->counter("peak_bytes")),
          row_link(page, run, *c,
                   c->segments.shape + " " + implementation_text(c->segments.implementation),
                   c->name));
    }
  }
  if (rows.empty()) return "";
  return "<div class=\"scroll\"><table class=\"wide\"><caption>Peak memory: of each operation the "
         "row that needs "
         "most. Every row's stands in its detail.</caption><thead><tr><th scope=\"col\">Operation"
         "<th scope=\"col\">Device<th scope=\"col\">Precision<th scope=\"col\">Peak memory"
         "<th scope=\"col\">Row</tr></thead>\n<tbody>" +
         rows + "</tbody></table></div>\n" + listing.note("operations");
}

}  // namespace

std::string energy_html(const Page& page) {
  const bool energy = std::any_of(page.runs.begin(), page.runs.end(), [](const Run& run) {
    return std::any_of(run.cases.begin(), run.cases.end(),
                       [](const Case& c) { return c.seconds && c.counter("energy_joules"); });
  });
  const std::string calls = calls_html(page);
  const std::string memory = memory_html(page);
  if (calls.empty() && memory.empty()) {
    return absent("Not shown: no row carries energy, peak memory or transfer counters.") +
           costs_html(page);
  }
  return (energy ? "" : absent("Energy was not measured: no energy counter was readable.")) +
         memory + calls + costs_html(page);
}

}  // namespace breakeven
