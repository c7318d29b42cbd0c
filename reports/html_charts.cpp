// Sections 2 to 6: charts, and the tables of ratios.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "reports/html_parts.h"
#include "reports/text.h"

namespace breakeven {
namespace {

std::string no_gpu(const Page& page) {
  for (const Run& run : page.runs) {
    if (run.has_gpu_rows()) {
      return "Not shown: no GPU row has a verified CPU row of the same run, shape and precision.";
    }
  }
  return fmt::format("Not shown: a speedup needs GPU rows, and there are none ({}).",
                     gpu_absence(page.runs.front()));
}

bool is_library(const std::string& implementation) {
  constexpr std::array<const char*, 5> kLibraries = {"openblas", "onednn", "cublas", "cudnn",
                                                     "cutlass"};
  return std::any_of(kLibraries.begin(), kLibraries.end(),
                     [&](const char* library) { return implementation.rfind(library, 0) == 0; });
}

// Calls `use` with the cases of one run that differ in nothing but one option, by its value.
template <typename Use>
void for_siblings(const Run& run, const std::string& option, const std::string& usual, Use use) {
  const auto same = [](const Case& a, const Case& b) {
    return same_work(a, b) && a.segments.implementation == b.segments.implementation;
  };
  for_each_stretch(run.cases, same, [&](std::span<const Case> cases) {
    if (cases.size() < 2) return;
    std::map<std::string, std::map<std::string, const Case*>> siblings;  // by their other options
    for (const Case& c : cases) {
      if (!c.seconds) continue;
      const auto found = c.segments.options.find(option);
      const std::string value = found == c.segments.options.end() ? usual : found->second;
      siblings[options_text(c.segments, {option})][value] = &c;
    }
    const CaseName& name = cases.front().segments;
    for (const auto& [others, by_value] : siblings) {
      if (by_value.size() < 2) continue;
      use(fmt::format("{}/{}/{}/{}/{} {}", name.op, name.shape, name.device, name.implementation,
                      name.precision, others),
          by_value);
    }
  });
}

std::string ratio_of(const Case& numerator, const Case& denominator) {
  const auto ratios = paired_log_ratios(numerator.round_seconds(), denominator.round_seconds());
  return ratios.empty() ? "no round has both" : escape_html(ratio_text(ratio_estimate(ratios)));
}

// Blue where the GPU is faster, orange where it is slower, plain where neither is sure; a step is
// a factor of about 3.
std::string heat_cell(const Estimate& ratio) {
  const bool unsure =
      !ratio.interval.decides() || (ratio.interval.low <= 1 && ratio.interval.high >= 1);
  const int step =
      std::clamp(static_cast<int>(std::ceil(std::abs(std::log10(ratio.value)) * 2)), 1, 5);
  return fmt::format("<td class=\"{}\">{}",
                     unsure ? "w" : fmt::format("w {}{}", ratio.value > 1 ? "hg" : "hc", step),
                     escape_html(ratio_text(ratio)));
}

// Verified GPU rows of one operation, precision and mode by shape.
using GpuRows = std::map<std::string_view, std::vector<const Case*>>;
using AnswerKey = std::tuple<std::string_view, std::string_view, std::string>;

std::map<AnswerKey, GpuRows> gpu_rows(const Run& run) {
  std::map<AnswerKey, GpuRows> rows;
  for (const Case& c : run.cases) {
    if (c.segments.device != "gpu" || !c.verified() || is_framework(c) || is_pipeline(c)) continue;
    rows[{c.segments.op, c.segments.precision, options_text(c.segments, {"threads", "launch"})}]
        [c.segments.shape]
            .push_back(&c);
  }
  return rows;
}

// One table per answer: a row per shape, a column per GPU implementation.
std::string heat_table(const Page& page, const Run& run, const Answer& answer,
                       const GpuRows& gpu_rows, Listing& listing) {
  constexpr std::size_t kMostColumns = 40;
  std::vector<std::pair<const Pair*, std::map<std::string, Estimate>>> lines;  // by implementation
  std::set<std::string> implementations;
  for (const Pair* pair : answer.pairs) {
    if (!listing.takes()) continue;
    auto& ratios = lines.emplace_back(pair, std::map<std::string, Estimate>()).second;
    const auto cases = gpu_rows.find(pair->shape);
    if (cases == gpu_rows.end()) continue;
    for (const Case* c : cases->second) {
      const auto logs = paired_log_ratios(pair->cpu.seconds, c->round_seconds());
      if (logs.empty()) continue;
      const auto launch = c->segments.options.find("launch");
      const std::string name = c->segments.implementation +
                               (launch == c->segments.options.end() ? "" : ", " + launch->second);
      implementations.insert(name);
      ratios[name] = ratio_estimate(logs);
    }
  }
  if (lines.empty()) return "";
  const std::size_t columns = implementations.size();
  while (implementations.size() > kMostColumns) implementations.erase(--implementations.end());
  std::string out = fmt::format(
      "<div class=\"scroll\"{}><table class=\"heat\"><caption>{}{} {} {}{}</caption><thead><tr>"
      "<th scope=\"col\">Shape",
      facets(run.label, answer.op, answer.precision), run_cell(page, run), escape_html(answer.op),
      escape_html(answer.precision), escape_html(answer.mode),
      columns > kMostColumns ? fmt::format(" ({} of {} implementations)", kMostColumns, columns)
                             : "");
  for (const std::string& name : implementations) {
    out += "<th scope=\"col\">" + escape_html(name);
  }
  out += "</tr></thead>\n<tbody>";
  for (const auto& [pair, ratios] : lines) {
    out += "<tr><th scope=\"row\">" + escape_html(pair->shape) + sizes_html(pair->gpu.favourite());
    for (const std::string& name : implementations) {
      const auto found = ratios.find(name);
      out += found == ratios.end() ? "<td>–" : heat_cell(found->second);
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace

std::string speedup_html(const Page& page) {
  const bool any = std::any_of(page.runs.begin(), page.runs.end(),
                               [](const Run& run) { return !run.pairs.empty(); });
  if (!any) return absent(no_gpu(page));
  return "<p>The best CPU and the best GPU implementation of each shape are chosen on the other "
         "rounds than the one that is reported, so that luck is not rewarded. Bands are intervals "
         "of the ratio from paired rounds.</p>\n" +
         charts_of(page, "speedup") + pairs_html(page);
}

std::string throughput_html(const Page& page) {
  const std::string charts = charts_of(page, "throughput");
  if (charts.empty()) return absent("Not shown: no row counts operations or bytes.");
  const std::string left_out = charts_left_out(page.runs);
  return "<p>Sizes and rates are drawn along logarithmic axes unless linear ones are chosen, "
         "shares of "
         "a peak along a linear one. The size of a matmul is the edge of the cube of equal "
         "work, ∛(m·n·k); lines join squares. That of a convolution is its operations per call, "
         "products with padding left out; layers are single markers. Ceilings are measured in the "
         "same run, at the same "
         "precision and thread count, never taken from a data sheet.</p>\n" +
         (left_out.empty() ? "" : absent(left_out)) + charts;
}

std::string roofline_html(const Page& page) {
  std::string charts = charts_of(page, "roofline");
  if (charts.empty()) {
    return absent(
        "Not shown: a roofline needs measured peaks (peak rows) and rows that count "
        "operations and bytes.");
  }
  return "<p>Each marker is a row at the device's full width. Operations per byte: those of a call "
         "over the bytes that it has to move when each operand is read and each result written "
         "once. "
         "The slope is the measured memory bandwidth, each level the measured peak of a precision; "
         "markers above the slope were served by caches, and those of a precision without a "
         "measured "
         "peak have no level.</p>\n" +
         charts;
}

std::string cache_html(const Page& page) {
  std::string rows;
  Listing listing(page);
  for (const Run& run : page.runs) {
    for_siblings(run, "cache", "warm", [&](const std::string& name, const auto& modes) {
      const auto warm = modes.find("warm");
      const auto cold = modes.find("cold");
      if (warm == modes.end() || cold == modes.end() || !listing.takes()) return;
      rows += fmt::format(
          "<tr><td>{}{}<td class=\"n\">{}<td class=\"n\">{}<td>{}</tr>\n", run_cell(page, run),
          escape_html(name),
          row_link(page, run, *warm->second, format_seconds(warm->second->seconds->value), ""),
          row_link(page, run, *cold->second, format_seconds(cold->second->seconds->value), ""),
          ratio_of(*cold->second, *warm->second));
    });
  }
  if (rows.empty()) return absent("Not shown: no case was measured both warm and cold.");
  return "<div class=\"scroll\"><table><caption>Cold: the operands are out of every cache before "
         "each call. Times are medians over rounds.</caption><thead><tr><th scope=\"col\">Case"
         "<th scope=\"col\">Warm<th scope=\"col\">Cold<th scope=\"col\">Cold / warm</tr></thead>\n"
         "<tbody>" +
         rows + "</tbody></table></div>\n" + listing.note("cases");
}

std::string threads_html(const Page& page) {
  std::string rows;
  Listing listing(page);
  for (const Run& run : page.runs) {
    for_siblings(run, "threads", "", [&](const std::string& name, const auto& sweep) {
      std::vector<const Case*> cases;
      for (const auto& [threads, c] : sweep) cases.push_back(c);
      std::sort(cases.begin(), cases.end(),
                [](const Case* a, const Case* b) { return a->threads < b->threads; });
      for (const Case* c : cases) {
        if (!listing.takes()) continue;
        const auto rate = rate_of_case(*c);
        rows += fmt::format(
            "<tr><td>{}{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td>{}</tr>\n",
            run_cell(page, run), escape_html(name), c->threads,
            row_link(page, run, *c, format_seconds(c->seconds->value), ""),
            rate ? rate_text(c->segments.op, c->segments.precision, *rate) : "–",
            c == cases.front() ? "1x" : ratio_of(*cases.front(), *c));
      }
    });
  }
  if (rows.empty()) return absent("Not shown: no case was measured at several thread counts.");
  return charts_of(page, "threads") +
         "<details><summary>Every thread count</summary><div class=\"scroll\"><table><thead><tr>"
         "<th scope=\"col\">Case<th scope=\"col\">Threads<th scope=\"col\">Time<th scope=\"col\">"
         "Rate<th scope=\"col\">Against the fewest threads</tr></thead>\n<tbody>" +
         rows + "</tbody></table></div>" + listing.note("rows") + "</details>\n";
}

std::string heat_map_html(const Page& page) {
  std::string out;
  Listing listing(page);
  for (const Run& run : page.runs) {
    const auto rows = gpu_rows(run);
    const GpuRows none;
    for (const Answer& answer : run.answers) {
      const auto own = rows.find({answer.op, answer.precision, answer.mode});
      out += heat_table(page, run, answer, own == rows.end() ? none : own->second, listing);
    }
  }
  return out.empty() ? absent(no_gpu(page)) : out + listing.note("shapes");
}

namespace {

// "61.3 % (60.1–62.0)".
std::string share_text(const Estimate& share) {
  const std::string text = format_percent(share.value);
  if (!(share.interval.coverage > 0)) return text + " (one round)";
  return fmt::format("{} ({}–{})", text, format_number(100 * share.interval.low, 3),
                     format_number(100 * share.interval.high, 3));
}

// The share on one scale for all rows, its interval as a line, the library itself as the tick.
std::string share_bar(const Estimate& share) {
  constexpr double kWidth = 160, kMost = 1.25;
  const auto x = [&](double value) { return std::min(value, kMost) / kMost * kWidth; };
  return fmt::format(
      "<svg class=\"ladder\" width=\"{0:.0f}\" height=\"14\" viewBox=\"0 0 {0:.0f} 14\" "
      "aria-hidden=\"true\"><path d=\"M0 3h{1:.1f}v8h-{1:.1f}z\" fill=\"#0072b2\"/><path "
      "class=\"m\" d=\"M{2:.1f} 7H{3:.1f}\" stroke=\"#c2500a\" stroke-width=\"2\"/><path "
      "class=\"t\" d=\"M{4:.1f} 0v14\" stroke=\"#4b5563\"/></svg>",
      kWidth, x(share.value), x(share.interval.low), x(share.interval.high), x(1));
}

}  // namespace

std::string ladder_html(const Page& page) {
  std::string rows;
  Listing listing(page);
  for (const Run& run : page.runs) {
    for_each_stretch(run.cases, same_work, [&](std::span<const Case> cases) {
      if (cases.front().segments.op == "peak" || cases.front().segments.op == "stream") return;
      std::vector<const Case*> libraries;
      std::vector<const Case*> own;
      for (const Case& c : cases) {
        if (!c.seconds || !run.trusts(c) || is_framework(c) || is_packed(c) || is_pipeline(c)) {
          continue;
        }
        if (!options_text(c.segments, {"launch"}).empty()) continue;
        (is_library(c.segments.implementation) ? libraries : own).push_back(&c);
      }
      if (libraries.empty() || own.empty()) return;
      const Best best = best_by_other_rounds(libraries);
      for (const Case* c : own) {
        const auto ratios = paired_log_ratios(best.seconds, c->round_seconds());
        if (ratios.empty() || !listing.takes()) continue;
        const Estimate share = ratio_estimate(ratios);
        rows += fmt::format(
            "<tr><td>{}{} {}<td>{}<td>{}<td>{}<td>{}<td class=\"n\">{}<td>{}</tr>\n",
            run_cell(page, run), escape_html(c->segments.op), escape_html(c->segments.shape),
            escape_html(c->segments.precision), escape_html(c->segments.device),
            row_link(page, run, *c, implementation_text(c->segments.implementation),
                     c->name + " against " + best.favourite().name),
            share_bar(share), share_text(share),
            escape_html(best.favourite().segments.implementation));
      }
    });
  }
  if (rows.empty()) {
    return absent(
        "Not shown: no hand-written kernel and library ran the same shape and precision "
        "on one device.");
  }
  return "<div class=\"scroll\"><table><caption>Speed of hand-written code as a share of the best "
         "library's on the same device, shape and precision, from paired rounds. Bars end at 125 "
         "%; "
         "the tick is the library, the line across the end the interval.</caption><thead>"
         "<tr><th scope=\"col\">Shape<th scope=\"col\">Precision<th scope=\"col\">Device"
         "<th scope=\"col\">Implementation<th scope=\"col\" colspan=\"2\">Share"
         "<th scope=\"col\">Of</tr></thead>"
         "\n<tbody>" +
         rows + "</tbody></table></div>\n" + listing.note("rows");
}

}  // namespace breakeven
