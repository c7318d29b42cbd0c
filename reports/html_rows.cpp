// Sections 12 and 13: every row with every sample, the full table and the method.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "reports/html.h"
#include "reports/html_parts.h"
#include "reports/text.h"

namespace breakeven {
namespace {

struct Unit {
  double factor;
  const char* name;
};

Unit unit_of(double seconds) {
  if (seconds < 1e-6) return {1e9, "ns"};
  if (seconds < 1e-3) return {1e6, "µs"};
  if (seconds < 1) return {1e3, "ms"};
  return {1, "s"};
}

// A strip of ticks from the fastest to the slowest sample: the distribution without bins.
std::string strip_svg(const Case& c) {
  double low = c.rounds.front().seconds.front();
  double high = low;
  for (const Round& round : c.rounds) {
    for (const double seconds : round.seconds) {
      low = std::min(low, seconds);
      high = std::max(high, seconds);
    }
  }
  if (!(high > low)) return "";
  const auto x = [&](double seconds) {
    return fmt::format("{:.0f}", 4 + 232 * (seconds - low) / (high - low));
  };
  std::string path;
  for (const Round& round : c.rounds) {
    for (const double seconds : round.seconds) path += fmt::format("M{} 5v8", x(seconds));
  }
  // Hidden from screen readers: the samples themselves follow.
  return fmt::format(
      "<svg class=\"strip\" width=\"240\" height=\"18\" aria-hidden=\"true\">"
      "<path d=\"{}\" stroke=\"#0072b2\"/><path class=\"m\" d=\"M{} 1v16\" "
      "stroke=\"#c2500a\" stroke-width=\"2\"/></svg>",
      path, x(c.seconds->value));
}

std::string samples_html(const Case& c) {
  const Unit unit = unit_of(c.seconds->value);
  std::string out = fmt::format("<pre>round process: samples, {}\n", unit.name);
  for (const Round& round : c.rounds) {
    out += fmt::format("{} {}:", round.number,
                       round.process ? fmt::format("{}", *round.process) : "–");
    for (const double seconds : round.seconds) {
      out += " " + format_number(seconds * unit.factor);
    }
    out += "\n";
  }
  return out + "</pre>";
}

// Prepare, transfers and host time beside the call, the check, and what the kernel said of itself.
std::string remarks_html(const Case& c) {
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : " · ") + text; };
  if (const std::string size = dimension_text(c); !size.empty()) add(escape_html(size));
  struct Part {
    const char* key;
    const char* name;
  };
  for (const Part part : {Part{"prepare_seconds", "prepare"}, Part{"upload_seconds", "upload"},
                          Part{"download_seconds", "download"}, Part{"host_seconds", "host"}}) {
    if (const auto seconds = c.counter(part.key)) {
      add(fmt::format("{} {}", part.name, format_seconds(*seconds)));
    }
  }
  if (const std::string error = error_html(c); !error.empty()) add("error " + error);
  if (const auto clock = c.counter("clock_mhz")) add(format_number(*clock) + " MHz");
  if (const auto throttled = c.counter("throttled"); throttled && *throttled > 0) {
    add("throttled");
  }
  if (c.stopping) {
    std::string stop = "stopped: " + escape_html(c.stopping->reason);
    if (c.stopping->half_width) stop += ", ± " + format_percent(*c.stopping->half_width);
    add(stop);
  }
  for (const auto& [key, text] : c.texts) add(escape_html(key) + ": " + escape_html(text));
  return out.empty() ? "" : "<p>" + out + "</p>";
}

std::string detail_html(const Run& run, const Case& c) {
  std::string out =
      fmt::format("<details id=\"{}\"><summary><code>{}</code> {}</summary>\n", case_id(run, c),
                  escape_html(c.name), c.seconds ? format_seconds(c.seconds->value) : "failed");
  if (c.seconds) {
    out += strip_svg(c) + samples_html(c);
  } else {
    out += fmt::format("<p class=\"bad\">{} ({} {} failed; no time is shown)</p>",
                       escape_html(*c.failure), c.failed_rows, c.failed_rows == 1 ? "row" : "rows");
  }
  return out + remarks_html(c) + "<pre>" + escape_html(reproduce_command(run, c)) +
         "</pre></details>\n";
}

std::string table_row(const Page& page, const Run& run, const Case& c, bool linked) {
  const CaseName& name = c.segments;
  const std::string label = escape_html(name.shape.empty() ? name.op : name.op + "/" + name.shape);
  std::string out = "<tr>";
  if (page.runs.size() > 1) out += "<td>" + run.label;
  out +=
      linked ? fmt::format("<td><a href=\"#{}\">{}</a>", case_id(run, c), label) : "<td>" + label;
  out += fmt::format("<td>{}<td>{}<td>{}<td>{}", escape_html(name.device),
                     escape_html(name.implementation), escape_html(name.precision),
                     escape_html(options_text(name, {"threads"})));
  if (!c.seconds) {
    const std::string error = error_html(c);
    return out + fmt::format("<td><td class=\"bad\" colspan=\"4\">failed: {}<td>{}<td></tr>\n",
                             escape_html(*c.failure), error);
  }
  const Estimate& time = *c.seconds;
  const auto rate = rate_of_case(c);
  out += fmt::format(
      "<td>{}<td data-v=\"{:.6g}\">{}<td>{}", c.threads > 0 ? fmt::format("{}", c.threads) : "",
      time.value, format_seconds(time.value),
      time.interval.coverage > 0 ? format_seconds_interval(time.interval.low, time.interval.high)
                                 : "");
  out += rate ? fmt::format("<td data-v=\"{:.6g}\">{}", *rate, rate_text(name.op, *rate)) : "<td>";
  out += fmt::format("<td>{}<td>{}<td>{} × {}</tr>\n",
                     c.share_of_ceiling ? format_percent(*c.share_of_ceiling) : "", error_html(c),
                     c.rounds.size(), (c.samples() + c.rounds.size() - 1) / c.rounds.size());
  return out;
}

// Which coverage the intervals of the table have, by number of rounds.
std::string coverage_note(const Page& page) {
  std::map<std::size_t, double> coverage;
  for (const Run& run : page.runs) {
    for (const Case& c : run.cases) {
      if (c.seconds) coverage[c.seconds->samples] = c.seconds->interval.coverage;
    }
  }
  std::string text;
  for (const auto& [rounds, share] : coverage) {
    text += fmt::format("{}{} {}: {}", text.empty() ? "" : "; ", rounds,
                        rounds == 1 ? "round" : "rounds",
                        share > 0 ? format_percent(share) : "no interval");
  }
  return text;
}

std::string skipped_html(const Page& page) {
  std::string items;
  std::size_t count = 0;
  for (const Run& run : page.runs) {
    for (const Skipped& skip : run.results.skipped) {
      ++count;
      items +=
          fmt::format("<li>{}<code>{}</code>: {}</li>\n", run.label.empty() ? "" : run.label + ": ",
                      escape_html(skip.name), escape_html(skip.reason));
    }
  }
  if (count == 0) return "<p>No case was skipped.</p>\n";
  return fmt::format("<details><summary>{} skipped {}</summary><ul>\n{}</ul></details>\n", count,
                     count == 1 ? "case" : "cases", items);
}

constexpr const char* kMethod =
    "<h3 id=\"method\">Method</h3>\n<ul>\n"
    "<li>Every answer is checked before a clock starts; a row whose check fails has no time.</li>\n"
    "<li>A round is a fresh process; its value is the median of its repetitions. The time shown is "
    "the median over rounds, with a distribution-free interval between order statistics.</li>\n"
    "<li>Ratios are Hodges–Lehmann estimates over paired rounds of one run, with exact signed-rank "
    "intervals. An interval that includes 1 reads “can't tell”.</li>\n"
    "<li>The best of several implementations is chosen, for each round, on all other rounds.</li>\n"
    "<li>A network's time is the sum over its layers, each as often as it occurs, of the medians "
    "of "
    "one round; the median and the interval over rounds are taken of these sums. A sum that lacks "
    "a layer has no time.</li>\n"
    "<li>Packed weights are compared with packed weights only; precisions are never mixed.</li>\n"
    "<li>Shares of peak use ceilings measured in the same run, at the same precision and thread "
    "count.</li>\n</ul>\n";

std::size_t case_count(const Page& page) {
  std::size_t count = 0;
  for (const Run& run : page.runs) count += run.cases.size();
  return count;
}

}  // namespace

std::string rows_html(const Page& page) {
  if (case_count(page) > kMostDetailedCases) {
    return absent(
        fmt::format("Left to the raw data: {} cases are too many to unfold here. Every "
                    "sample is embedded in this file.",
                    case_count(page)));
  }
  std::string out =
      "<p>Every sample in the order in which it was taken, the strip of all samples "
      "with the median marked, and the command that measures the row again.</p>\n";
  for (const Run& run : page.runs) {
    for (const Case& c : run.cases) out += detail_html(run, c);
  }
  return out;
}

std::string table_html(const Page& page) {
  const bool linked = case_count(page) <= kMostDetailedCases;
  std::string out = fmt::format(
      "<p>Time: median over rounds. Coverage of the intervals by number of rounds: {}.</p>\n"
      "<div class=\"scroll\"><table class=\"full{}\" id=\"all-rows\"><caption>{} cases"
      "</caption><thead><tr>",
      coverage_note(page), page.runs.size() > 1 ? " runs" : "", case_count(page));
  if (page.runs.size() > 1) out += "<th scope=\"col\">Run";
  for (const char* column :
       {"Case", "Device", "Implementation", "Precision", "Options", "Threads", "Time", "Interval",
        "Rate", "Of ceiling", "Error and limit", "Rounds × repetitions"}) {
    out += fmt::format("<th scope=\"col\">{}", column);
  }
  out += "</tr></thead>\n<tbody>";
  for (const Run& run : page.runs) {
    for (const Case& c : run.cases) out += table_row(page, run, c, linked);
  }
  return out + "</tbody></table></div>\n" + skipped_html(page) + kMethod +
         "<h3 id=\"raw\">Raw data</h3>\n<p id=\"downloads\">Every sample, fact and reason is "
         "embedded in this file as JSON, in the element <code>#data</code>.</p>\n";
}

}  // namespace breakeven
