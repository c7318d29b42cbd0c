// Sections 8 and 9: what is told in tables, and what these files can't tell.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "reports/html_parts.h"
#include "reports/text.h"

namespace breakeven {
namespace {

std::string counter_cell(const Case& c, const char* key, std::string (*format)(double)) {
  const auto value = c.counter(key);
  return "<td class=\"n\">" + (value ? format(*value) : "–");
}

std::string joules(double value) { return format_number(value) + " J"; }

}  // namespace

std::string precision_html(const Page& page) {
  std::string rows;
  Listing listing(page);
  const auto same_device = [](const Case& a, const Case& b) {
    return a.segments.op == b.segments.op && a.segments.shape == b.segments.shape &&
           a.segments.device == b.segments.device;
  };
  for (const Run& run : page.runs) {
    // Of each shape, device and precision the best verified row. Which of several rows is shown is
    // decided on the other rounds; the error is that row's.
    for_each_stretch(run.cases, same_device, [&](std::span<const Case> cases) {
      const CaseName& name = cases.front().segments;
      if (name.op == "peak" || name.op == "stream") return;
      std::vector<const Case*> best;
      for_each_stretch(cases, same_work, [&](std::span<const Case> same) {
        std::vector<const Case*> verified;
        for (const Case& c : same) {
          if (c.verified() && options_text(c.segments, {"launch"}).empty()) verified.push_back(&c);
        }
        if (!verified.empty()) best.push_back(&best_by_other_rounds(verified).favourite());
      });
      if (best.size() < 2) return;
      std::sort(best.begin(), best.end(),
                [](const Case* a, const Case* b) { return a->seconds->value < b->seconds->value; });
      for (const Case* c : best) {
        if (!listing.takes()) continue;
        const auto rate = rate_of_case(*c);
        rows += fmt::format(
            "<tr{}><td>{}{} {}<td>{}<td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}"
            "<td class=\"n\">{}<td>{}</tr>\n",
            c == best.front() ? " class=\"first\"" : "", run_cell(page, run), escape_html(name.op),
            escape_html(name.shape), escape_html(name.device), escape_html(c->segments.precision),
            escape_html(c->segments.implementation), format_seconds(c->seconds->value),
            rate ? rate_text(name.op, *rate) : "–", error_html(*c),
            escape_html(c->text("verify_method")));
      }
    });
  }
  if (rows.empty()) {
    return absent("Not shown: no shape has verified rows of several precisions on one device.");
  }
  return "<details><summary>Every shape, fastest first, with its error and limit</summary>"
         "<div class=\"scroll\"><table><caption>Ratios of different precisions are no speedups: "
         "they enter no mean and no crossover.</caption><thead><tr><th scope=\"col\">Shape"
         "<th scope=\"col\">Device<th scope=\"col\">Precision<th scope=\"col\">Implementation"
         "<th scope=\"col\">Time<th scope=\"col\">Rate<th scope=\"col\">Error and limit"
         "<th scope=\"col\">Checked by</tr></thead>\n<tbody>" +
         rows + "</tbody></table></div>" + listing.note("rows") + "</details>\n";
}

std::string energy_html(const Page& page) {
  constexpr std::array<const char*, 6> kKeys = {
      "upload_seconds", "download_seconds", "upload_pageable_seconds", "download_pageable_seconds",
      "energy_joules",  "peak_bytes"};
  std::string rows;
  Listing listing(page);
  bool energy = false;
  for (const Run& run : page.runs) {
    for (const Case& c : run.cases) {
      const bool any = c.seconds && std::any_of(kKeys.begin(), kKeys.end(), [&](const char* key) {
                         return c.counter(key).has_value();
                       });
      if (!any) continue;
      energy = energy || c.counter("energy_joules");
      if (!listing.takes()) continue;
      rows += fmt::format(
          "<tr><td>{}{}{}{}{}{}{}{}</tr>\n", run_cell(page, run),
          row_link(page, run, c, shortened(c.name, kMostOfName), ""),
          counter_cell(c, kKeys[0], format_seconds), counter_cell(c, kKeys[1], format_seconds),
          counter_cell(c, kKeys[2], format_seconds), counter_cell(c, kKeys[3], format_seconds),
          counter_cell(c, kKeys[4], joules), counter_cell(c, kKeys[5], format_bytes));
    }
  }
  if (rows.empty()) {
    return absent("Not shown: no row carries energy, peak memory or transfer counters.") +
           costs_html(page);
  }
  std::string out;
  if (!energy) out += absent("Energy was not measured: no energy counter was readable.");
  return out +
         "<details><summary>Every row with such a counter</summary><div class=\"scroll\"><table>"
         "<caption>Energy per call; a CPU package and a GPU board are different scopes.</caption>"
         "<thead><tr><th scope=\"col\">Case<th scope=\"col\">Upload, pinned<th scope=\"col\">"
         "Download, pinned<th scope=\"col\">Upload, pageable<th scope=\"col\">Download, pageable"
         "<th scope=\"col\">Energy<th scope=\"col\">Peak memory</tr></thead>\n<tbody>" +
         rows + "</tbody></table></div>" + listing.note("rows") + "</details>\n" + costs_html(page);
}

}  // namespace breakeven
