// Section 13: the full table or, of very many cases, its lines put together; what was skipped; the
// method.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "reports/html.h"
#include "reports/html_parts.h"
#include "reports/text.h"

namespace breakeven {
namespace {

std::string table_row(const Page& page, const Run& run, const Case& c) {
  const CaseName& name = c.segments;
  const std::string label = escape_html(name.shape.empty() ? name.op : name.op + "/" + name.shape);
  std::string out = "<tr>";
  if (page.runs.size() > 1) out += "<td>" + run.label;
  out += fmt::format("<td><a href=\"#{}\">{}</a>", case_id(run, c), label);
  out += fmt::format("<td>{}<td>{}<td>{}<td>{}", escape_html(name.device),
                     escape_html(name.implementation), escape_html(name.precision),
                     escape_html(options_text(name, {"threads"})));
  if (!c.seconds) {
    const std::string error = escape_html(error_text(c));
    return out + fmt::format("<td><td class=\"bad\" colspan=\"4\">failed: {}<td>{}<td></tr>\n",
                             escape_html(*c.failure), error);
  }
  const Estimate& time = *c.seconds;
  const auto rate = rate_of_case(c);
  out += fmt::format("<td>{}<td>{}<td>{}", c.threads > 0 ? fmt::format("{}", c.threads) : "",
                     format_seconds(time.value),
                     time.interval.coverage > 0
                         ? format_seconds_interval(time.interval.low, time.interval.high)
                         : "");
  out += fmt::format(
      "<td>{}<td>{}<td>{}<td>{} × {}</tr>\n", rate ? rate_text(name.op, name.precision, *rate) : "",
      c.share_of_ceiling ? format_percent(*c.share_of_ceiling) : "", escape_html(error_text(c)),
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
  Listing listing(page);
  for (const Run& run : page.runs) {
    for (const Skipped& skip : run.results.skipped) {
      ++count;
      if (!listing.takes()) continue;
      items +=
          fmt::format("<li>{}<code>{}</code>: {}</li>\n", run.label.empty() ? "" : run.label + ": ",
                      escape_html(skip.name, kMostOfName), escape_html(skip.reason));
    }
  }
  if (count == 0) return "<p>No case was skipped.</p>\n";
  return fmt::format("<details><summary>{} skipped {}</summary><ul>\n{}</ul>{}</details>\n", count,
                     count == 1 ? "case" : "cases", items, listing.note("skipped cases"));
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

std::string whole_table(const Page& page) {
  std::string out = fmt::format(
      "<div class=\"scroll\"><table class=\"full{}\" id=\"all-rows\"><caption>{} cases"
      "</caption><thead><tr>",
      page.runs.size() > 1 ? " runs" : "", case_count(page));
  if (page.runs.size() > 1) out += "<th scope=\"col\">Run";
  for (const char* column :
       {"Case", "Device", "Implementation", "Precision", "Options", "Threads", "Time", "Interval",
        "Rate", "Of ceiling", "Error and limit", "Rounds × repetitions"}) {
    out += fmt::format("<th scope=\"col\">{}", column);
  }
  out += "</tr></thead>\n<tbody>";
  for (const Run& run : page.runs) {
    for (const Case& c : run.cases) out += table_row(page, run, c);
  }
  return out + "</tbody></table></div>\n";
}

// What one operation, precision and device have together.
struct Group {
  std::size_t cases = 0;
  std::size_t failed = 0;
  std::vector<double> seconds;  // of those that did not fail
};

std::string group_row(const Page& page, const Run& run, const Headline* best, const Group& group,
                      const std::string& op, const std::string& precision,
                      const std::string& device) {
  const auto [fastest, slowest] = std::minmax_element(group.seconds.begin(), group.seconds.end());
  const bool timed = !group.seconds.empty();
  std::string out = fmt::format(
      "<tr{}><td>{}{}<td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}"
      "<td class=\"n\">{}<td class=\"n\">{}",
      facets(run.label, op, precision, device), run_cell(page, run), escape_html(op),
      escape_html(precision), escape_html(device), with_commas(group.cases),
      group.failed > 0 ? with_commas(group.failed) : "–", timed ? format_seconds(*fastest) : "–",
      timed ? format_seconds(median(group.seconds)) : "–", timed ? format_seconds(*slowest) : "–");
  if (best == nullptr) return out + "<td class=\"n\">–<td>–</tr>\n";
  return out + fmt::format("<td class=\"n\">{}<td>{} <small>{}</small></tr>\n",
                           rate_text(op, precision, best->per_second),
                           escape_html(best->favourite->segments.implementation),
                           escape_html(best->favourite->segments.shape));
}

// For pages of more cases than anybody reads: the page's script shows them all from the raw data.
std::string aggregate_table(const Page& page) {
  using Key = std::tuple<std::string, std::string, std::string>;  // operation, precision, device
  std::string out = fmt::format(
      "<p class=\"none\">{} cases are too many to stand here one by one: each line has together "
      "those of one operation, precision and device. Every case and sample is embedded in this "
      "file; the page's script lists, sorts and filters them all.</p>\n"
      "<div class=\"scroll\"><table class=\"wide\" id=\"aggregates\"><caption>Median times over "
      "rounds of different shapes. Best: the highest rate at the default number of threads with "
      "warm caches, and who reached it on which shape.</caption><thead><tr><th scope=\"col\">"
      "Operation<th scope=\"col\">Precision<th scope=\"col\">Device<th scope=\"col\">Cases"
      "<th scope=\"col\">Failed<th scope=\"col\">Fastest<th scope=\"col\">Median"
      "<th scope=\"col\">Slowest<th scope=\"col\">Best rate<th scope=\"col\">By</tr></thead>\n"
      "<tbody>",
      with_commas(case_count(page)));
  Listing listing(page);
  for (const Run& run : page.runs) {
    std::map<Key, Group> groups;
    for (const Case& c : run.cases) {
      Group& group = groups[{c.segments.op, c.segments.precision, c.segments.device}];
      ++group.cases;
      if (c.failure) ++group.failed;
      if (c.seconds) group.seconds.push_back(c.seconds->value);
    }
    const std::vector<Headline> all = headlines(run);
    std::map<Key, const Headline*> best;
    for (const Headline& one : all) best[{one.op, one.precision, one.device}] = &one;
    for (const auto& [key, group] : groups) {
      if (!listing.takes()) continue;
      const auto& [op, precision, device] = key;
      const auto found = best.find(key);
      out += group_row(page, run, found == best.end() ? nullptr : found->second, group, op,
                       precision, device);
    }
  }
  return out + "</tbody></table></div>\n" + listing.note("groups of cases");
}

}  // namespace

std::string table_html(const Page& page) {
  return fmt::format(
             "<p>Time: median over rounds. Coverage of the intervals by number of rounds: "
             "{}.</p>\n",
             coverage_note(page)) +
         (rows_unfold(page) ? whole_table(page) : aggregate_table(page)) + skipped_html(page) +
         kMethod +
         "<h3 id=\"raw\">Raw data</h3>\n<p id=\"downloads\">Every sample, fact and reason is "
         "embedded in this file as JSON, in the element <code>#data</code>.</p>\n";
}

}  // namespace breakeven
