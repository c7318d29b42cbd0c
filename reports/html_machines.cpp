// Several files: times of several machines, and two runs of one.

#include <fmt/format.h>

#include <algorithm>

#include "reports/html_parts.h"
#include "reports/machines.h"
#include "reports/text.h"

namespace breakeven {
namespace {

constexpr std::size_t kMostOpen = 30;  // rows that are not folded
constexpr std::size_t kMostFolded = 1000;
constexpr std::size_t kMostWorkloads = 400;

std::string time_html(const Estimate& seconds) {
  std::string out = format_seconds(seconds.value);
  if (seconds.interval.coverage > 0) {
    out += fmt::format(" <small>{}</small>",
                       format_seconds_interval(seconds.interval.low, seconds.interval.high));
  }
  return out;
}

// What sets two runs of one machine apart.
std::string run_text(const Run& run) {
  std::string text = "run " + run.label;
  const std::string date = run.fact("date").substr(0, 16), commit = run.fact("git.commit");
  if (!date.empty()) text += ", " + shortened(date, 16);
  if (!commit.empty()) text += ", commit " + shortened(commit.substr(0, 12), 12);
  return escape_html(text);
}

std::string rerow_html(const Rerow& row) {
  return fmt::format("<tr><th scope=\"row\">{}<td>{}<td>{}<td class=\"n\">{}</tr>\n",
                     escape_html(row.after->name), time_html(*row.before->seconds),
                     time_html(*row.after->seconds), format_number(row.ratio, 3));
}

std::string rerow_table(const std::vector<Rerow>& rows, std::size_t from, std::size_t to) {
  std::string out = fmt::format(
      "<div class=\"scroll\"><table class=\"changes\"><caption>Before → after: {}.</caption><thead>"
      "<tr><th scope=\"col\">Case<th scope=\"col\">Before<th scope=\"col\">After<th scope=\"col\">"
      "After / before<br>({})</tr></thead>\n<tbody>",
      kUnpaired, kUnpaired);
  for (std::size_t i = from; i < to; ++i) out += rerow_html(rows[i]);
  return out + "</tbody></table></div>\n";
}

std::string rerun_html(const Rerun& rerun) {
  const std::vector<Rerow> rows = rerows(rerun);
  std::string out = fmt::format("<h3>Before → after <small>{} → {}</small></h3>\n",
                                run_text(*rerun.before), run_text(*rerun.after));
  if (rows.empty())
    return out + absent("No case has a right answer and a time in both runs, of the same work.");
  out += fmt::format(
      "<p>One machine, two runs of {} and {} cases. In common, with right answers and the same "
      "work "
      "in both: {}. The machine's state of two hours is in the difference, rounds don't pair, and "
      "nothing is judged. <code>breakeven gate run</code> measures both builds in turns and "
      "judges.</p>\n",
      with_commas(rerun.before->cases.size()), with_commas(rerun.after->cases.size()),
      with_commas(rows.size()));
  const std::size_t open = std::min(rows.size(), kMostOpen);
  out += rerow_table(rows, 0, open);
  if (rows.size() == open) return out;
  const std::size_t folded = std::min(rows.size(), open + kMostFolded);
  out += fmt::format("<details><summary>{} cases that differ less</summary>\n{}",
                     rows.size() - open, rerow_table(rows, open, folded));
  if (rows.size() > folded) {
    out +=
        absent(fmt::format("{} more differ still less; their times are in the embedded raw data.",
                           rows.size() - folded));
  }
  return out + "</details>\n";
}

/// Marked in every place: it is no speedup and enters no mean.
std::string ratio_cell(const Page& page, const AcrossMachines& workload, const MachineTime& time) {
  const Run& first = page.runs.front();
  if (time.run == &first) return "<td>–";
  if (same_machine(*time.run, first)) {
    return "<td>– <small>the machine of " + escape_html(first.label) + ", another run</small>";
  }
  const MachineTime* reference = reference_of(workload, time, first);
  if (reference == nullptr)
    return fmt::format("<td>no {} time on {}", escape_html(time.device), escape_html(first.label));
  return fmt::format("<td><span class=\"across\">ratio across machines: {} of {}’s {} time</span>",
                     format_number(time.seconds.value / reference->seconds.value, 3),
                     escape_html(first.label), escape_html(reference->device));
}

std::string workload_html(const Page& page, const AcrossMachines& workload) {
  std::string out;
  for (const MachineTime& time : workload.times) {
    const bool first = &time == &workload.times.front();
    out += first
               ? fmt::format("<tr class=\"first\"><td rowspan=\"{0}\">{1}<td rowspan=\"{0}\">{2}",
                             workload.times.size(), escape_html(workload.op + " " + workload.shape),
                             escape_html(workload.precision))
               : "<tr>";
    out += fmt::format(
        "<td>{}<td>{}<td>{}<td class=\"w\">{}{}</tr>\n", escape_html(time.run->label),
        escape_html(time.device), escape_html(time.favourite->segments.implementation),
        time_html(time.seconds), page.across_machines ? ratio_cell(page, workload, time) : "");
  }
  return out;
}

}  // namespace

std::string before_after_html(const Page& page) {
  std::string out;
  for (const Rerun& rerun : reruns(page.runs)) out += rerun_html(rerun);
  return out;
}

std::string machines_html(const Page& page) {
  const bool one_machine = std::all_of(page.runs.begin(), page.runs.end(), [&](const Run& run) {
    return &run == &page.runs.front() || same_machine(run, page.runs.front());
  });
  if (one_machine) return absent("Not shown: these results are of one machine.");
  const std::vector<AcrossMachines> workloads = across_machines(page.runs);
  if (workloads.empty()) {
    return absent(
        "Not shown: no workload has verified rows of the same precision on two machines.");
  }
  std::string rows;
  const std::size_t shown = std::min(workloads.size(), kMostWorkloads);
  for (std::size_t i = 0; i < shown; ++i) rows += workload_html(page, workloads[i]);
  std::string out = fmt::format(
      "<p>The fastest verified row of each machine’s CPU and GPU, as absolute times. {}</p>\n",
      page.across_machines
          ? fmt::format(
                "A <span class=\"across\">ratio across machines</span> divides times of two "
                "machines and two runs: no speedup, in no mean and in no answer or claim. "
                "Here each is a part of the time on {}.",
                escape_html(page.runs.front().label))
          : "Ratios between machines are no speedups and are not shown; --across-machines adds "
            "them, marked as such.");
  out += fmt::format(
      "<details open><summary>{} workloads on several machines</summary><div class=\"scroll\">"
      "<table><thead><tr><th scope=\"col\">Workload<th scope=\"col\">Precision<th scope=\"col\">Run"
      "<th scope=\"col\">Device<th scope=\"col\">Best implementation<th scope=\"col\">Time, "
      "interval{}</tr></thead>\n<tbody>{}</tbody></table></div></details>\n",
      workloads.size(),
      page.across_machines ? "<th scope=\"col\">Ratio across machines, not a speedup" : "", rows);
  if (workloads.size() > shown) {
    out += absent(fmt::format("{} more workloads: their times are in the embedded raw data.",
                              workloads.size() - shown));
  }
  return out;
}

}  // namespace breakeven
